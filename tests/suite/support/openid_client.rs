//! An application that uses npm's openid-client (`tests/idp/openid-client`), a certified relying party: code flow with PKCE, state and
//! nonce, the secret by `client_secret_basic`, and every answer checked. Its pages answer JSON.

use super::relying_party::Registration;
use super::served::{HOST, Served, address, free_port, program, target};
use tempfile::TempDir;

pub struct OpenidClient {
    /// Goes first: what it printed lies in the folder.
    served: Option<Served>,
    pub base: String,
    folder: TempDir,
    port: u16,
}

impl OpenidClient {
    /// Answers nothing yet.
    ///
    /// # Panics
    /// If it is not installed.
    pub fn new() -> Self {
        assert!(
            target().join("idp/openid-client/installed.json").exists(),
            "openid-client is not installed: scripts/identity-providers.sh"
        );
        let folder = tempfile::Builder::new().prefix("rosterd-openid-client-").tempdir().expect("a temporary folder");
        let port = free_port();
        Self { served: None, base: format!("http://{HOST}:{port}"), folder, port }
    }

    /// To be registered, as is [`Self::signed_out_uri`].
    pub fn redirect_uri(&self) -> String {
        format!("{}/cb", self.base)
    }

    pub fn signed_out_uri(&self) -> String {
        format!("{}/bye", self.base)
    }

    /// # Panics
    /// If it does not come up.
    pub fn start(&mut self, registration: Registration<'_>) {
        let path = self.folder.path();
        registration.write(path);
        let command = [
            "node".into(),
            program("openid-client/rp.mjs").into_os_string(),
            path.as_os_str().to_owned(),
            self.port.to_string().into(),
            target().join("idp/openid-client").into_os_string(),
        ];
        self.served = Some(Served::start("openid-client", path, &command, &[], address(self.port)));
    }

    /// A page: `login` (with what else the provider is to be asked), `me`, `refresh`, `revoke`, `introspect`, `logout`.
    pub fn page(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}
