//! Metadata as an identity provider would publish it, with certificates of keys made once per run.

use super::web::{Said, Web, answer};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

pub const IDP: &str = "https://idp.example.com/metadata";

/// Keys and certificates (`NAME.key`, `NAME.pem`): `one`, `two` and `three` for ten years, `soon` for twenty days.
pub fn keys() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let made = || {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, days) in [("one", "3650"), ("two", "3650"), ("three", "3650"), ("soon", "20")] {
            let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", days, "-subj", "/CN=idp.example.com"];
            let out = ["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")];
            let done = Command::new("openssl").current_dir(folder.path()).args(new).args(out).output().expect("openssl runs");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        folder
    };
    FOLDER.get_or_init(made).path()
}

/// The text of a certificate as metadata has it.
fn certificate(name: &str) -> String {
    let pem = std::fs::read_to_string(keys().join(format!("{name}.pem"))).expect("a certificate");
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// An identity provider's web server: what it publishes, and how often it was asked.
pub struct Publisher {
    pub web: Web,
    page: Arc<Mutex<String>>,
    pause: Arc<Mutex<Duration>>,
}

impl Publisher {
    pub async fn of(text: &str) -> Self {
        let page = Arc::new(Mutex::new(text.to_owned()));
        let pause: Arc<Mutex<Duration>> = Arc::default();
        let (published, paused) = (Arc::clone(&page), Arc::clone(&pause));
        let web = Web::plain(move |head| {
            let page = published.lock().unwrap().clone();
            // By length and end: two documents of these tests never share both.
            let etag = format!(
                "\"{}-{:x}\"",
                page.len(),
                page.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte))
            );
            let said = match page.as_str() {
                "" => answer("500 Internal Server Error", &[], ""),
                _ if head.contains(&format!("if-none-match: {etag}")) => {
                    Said::from(String::from("HTTP/1.1 304 Not Modified\r\n\r\n"))
                }
                _ => answer("200 OK", &[&format!("etag: {etag}"), "content-type: text/plain"], &page),
            };
            let pause = *paused.lock().unwrap();
            let pieces = if pause.is_zero() { said.pieces } else { [vec![Vec::new()], said.pieces].concat() };
            Said { pieces, pause }
        })
        .await;
        Self { web, page, pause }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/metadata", self.web.port)
    }

    pub fn publish(&self, text: &str) {
        text.clone_into(&mut self.page.lock().unwrap());
    }

    /// What is answered from now on is what was published when it was asked for, and so much later.
    pub fn dawdle(&self, pause: Duration) {
        *self.pause.lock().unwrap() = pause;
    }

    pub fn asked(&self) -> usize {
        self.web.heads().len()
    }

    pub fn published(&self) -> String {
        self.page.lock().unwrap().clone()
    }
}

/// Of `entity_id`, with these certificates.
pub fn metadata(entity_id: &str, certificates: &[&str]) -> String {
    let keys: String = certificates
        .iter()
        .map(|name| {
            format!(
                "<KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{}\
                 </X509Certificate></X509Data></KeyInfo></KeyDescriptor>",
                certificate(name)
            )
        })
        .collect();
    format!(
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\"><IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\" WantAuthnRequestsSigned=\"true\">{keys}<SingleLogoutService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.com/slo\"/><SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.com/sso\"/></IDPSSODescriptor>\
         </EntityDescriptor>"
    )
}

/// Several of them in one document.
pub fn federation(entities: &[String]) -> String {
    format!("<EntitiesDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\">{}</EntitiesDescriptor>", entities.concat())
}
