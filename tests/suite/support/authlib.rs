//! An application that uses PyPI's Authlib on Flask (`tests/idp/authlib`): code flow with PKCE, state and nonce. Its pages answer JSON.

use super::relying_party::Registration;
use super::served::{HOST, Served, address, free_port, program};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Authlib {
    /// Goes first: what it printed lies in the folder.
    served: Option<Served>,
    pub base: String,
    folder: TempDir,
    port: u16,
}

impl Authlib {
    /// Answers nothing yet.
    ///
    /// # Panics
    /// If it is not installed.
    pub fn new() -> Self {
        assert!(python().exists(), "Authlib is not installed: scripts/venv.sh");
        let folder = tempfile::Builder::new().prefix("rosterd-authlib-").tempdir().expect("a temporary folder");
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
            python().into_os_string(),
            program("authlib/rp.py").into_os_string(),
            path.as_os_str().to_owned(),
            self.port.to_string().into(),
        ];
        self.served = Some(Served::start("authlib", path, &command, &[], address(self.port)));
    }

    /// A page: `login` (with what else the provider is to be asked), `me`, `refresh`, `revoke`, `logout`.
    pub fn page(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python")
}
