//! The client side of TLS for one connection: whom we trust, and the certificate we show. Built from an explicit
//! provider, so that it never depends on which others are in the build; verification can't be switched off.

use super::failure::{BadFile, Cause};
use super::settings::{Bind, Settings, Trust};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Certificates read from one file.
const CERTIFICATES_MAX: usize = 1_000;

/// # Errors
/// [`Cause::File`] and [`Cause::NoRoots`].
pub fn client_config(settings: &Settings) -> Result<Arc<ClientConfig>, Cause> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of every version")
        .with_root_certificates(roots(&settings.trust)?);
    let config = match &settings.bind {
        Bind::Simple { .. } => builder.with_no_client_auth(),
        Bind::External { certificate, key } => {
            let chain = certificates("client_cert_file", certificate)?;
            let key_file = |why: String| bad("client_key_file", key, why);
            let own = PrivateKeyDer::from_pem_file(key).map_err(|error| key_file(in_words(&error, "a private key")))?;
            builder
                .with_client_auth_cert(chain, own)
                .map_err(|error| key_file(format!("does not fit the certificate: {error}")))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(trust: &Trust) -> Result<RootCertStore, Cause> {
    let mut store = RootCertStore::empty();
    match trust {
        Trust::File(path) => {
            for certificate in certificates("ca_file", path)? {
                store.add(certificate).map_err(|error| bad("ca_file", path, format!("holds what is no certificate: {error}")))?;
            }
        }
        // A file among them that can't be read takes nothing from the others.
        Trust::System => _ = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if store.is_empty() { Err(Cause::NoRoots) } else { Ok(store) }
}

fn certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Cause> {
    let refuse = |error: &pem::Error| bad(option, path, in_words(error, "a certificate"));
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))?.take(CERTIFICATES_MAX).collect();
    let found = found.map_err(|error| refuse(&error))?;
    if found.is_empty() {
        return Err(refuse(&pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn in_words(error: &pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("can't be read: {error}"),
        pem::Error::NoItemsFound => format!("holds no PEM of {wanted} (-----BEGIN …)"),
        other => format!("is no PEM of {wanted}: {other}"),
    }
}

fn bad(option: &'static str, path: &Path, why: String) -> Cause {
    Cause::File(BadFile { option, path: path.display().to_string(), why })
}
