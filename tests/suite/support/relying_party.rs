//! What applications that people log in to have in common: they are made first, so that their way back can be registered, and begin to
//! answer once they know at whom.

use serde_json::json;
use std::path::Path;

/// What an application was told when it was registered.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub client_secret: &'a str,
    pub scope: &'a str,
}

impl Registration<'_> {
    /// Writes `rp.json`, which the programs under `tests/idp` read.
    pub(super) fn write(&self, folder: &Path) {
        let settings = json!({
            "issuer": self.issuer, "client_id": self.client_id, "client_secret": self.client_secret, "scope": self.scope,
        });
        std::fs::write(folder.join("rp.json"), settings.to_string()).expect("written");
    }
}
