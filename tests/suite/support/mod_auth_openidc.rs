//! An application behind Apache with mod_auth_openidc (`tests/idp/mod-auth-openidc`), a certified relying party: whoever asks for
//! `/app/` is sent to sign in, and what it then knows of them stands in headers of its answer (`x-sub`, `x-name`, `x-email`, `x-groups`…).

use super::relying_party::Registration;
use super::served::{HOST, Served, address, free_port, program};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

const MODULE: &str = "/usr/lib/apache2/modules/mod_auth_openidc.so";

pub struct ModAuthOpenidc {
    /// Goes first: what it printed lies in the folder.
    served: Option<Served>,
    pub base: String,
    folder: TempDir,
    port: u16,
}

impl ModAuthOpenidc {
    /// Answers nothing yet.
    ///
    /// # Panics
    /// If it is not installed.
    pub fn new() -> Self {
        assert!(Path::new(MODULE).exists(), "mod_auth_openidc is not installed: scripts/need.sh test");
        let folder = tempfile::Builder::new().prefix("rosterd-apache-").tempdir().expect("a temporary folder");
        let path = folder.path();
        for part in ["pages/app", "cache"] {
            std::fs::create_dir_all(path.join(part)).expect("a folder");
        }
        // Of root's it works as nobody, who has to come in.
        for (part, mode) in [(".", 0o755), ("cache", 0o777)] {
            std::fs::set_permissions(path.join(part), std::fs::Permissions::from_mode(mode)).expect("a mode");
        }
        for (page, text) in [("app/index.html", "signed in"), ("bye.html", "signed out")] {
            std::fs::write(path.join("pages").join(page), text).expect("written");
        }
        let port = free_port();
        Self { served: None, base: format!("http://{HOST}:{port}"), folder, port }
    }

    /// To be registered, as is [`Self::signed_out_uri`].
    pub fn redirect_uri(&self) -> String {
        format!("{}/app/cb", self.base)
    }

    pub fn signed_out_uri(&self) -> String {
        format!("{}/bye.html", self.base)
    }

    /// # Panics
    /// If it does not come up.
    pub fn start(&mut self, registration: Registration<'_>) {
        let path = self.folder.path();
        let command = ["/usr/sbin/apache2".into(), "-f".into(), program("mod-auth-openidc/apache.conf").into_os_string()];
        let command = [&command[..], &["-DFOREGROUND".into()]].concat();
        let port = self.port.to_string();
        let environment: [(&str, &OsStr); 6] = [
            ("FOLDER", path.as_os_str()),
            ("PORT", port.as_ref()),
            ("ISSUER", registration.issuer.as_ref()),
            ("CLIENT_ID", registration.client_id.as_ref()),
            ("CLIENT_SECRET", registration.client_secret.as_ref()),
            ("SCOPE", registration.scope.as_ref()),
        ];
        let served = Served::start("mod-auth-openidc", path, &command, &environment, address(self.port));
        self.served = Some(served.logging_to(path.join("error.log")));
    }

    /// What nobody sees who is not signed in.
    pub fn page(&self) -> String {
        format!("{}/app/", self.base)
    }

    /// Refreshes by hand, as a page of the application may have it done: it proves with the access token that it is one.
    pub fn refresh(&self, access_token: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("refresh", &self.page()).append_pair("access_token", access_token);
        format!("{}?{}", self.redirect_uri(), query.finish())
    }

    /// Ends the session here and at the provider.
    pub fn logout(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout", &self.signed_out_uri()).finish();
        format!("{}?{query}", self.redirect_uri())
    }
}
