//! The client side of TLS towards the web: the roots of the system, an explicit provider, HTTP/1.1. Verification can't be
//! switched off.

use super::Error;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this the system's certificates are read again: an authority that was added meanwhile counts without a restart.
const KEPT: Duration = Duration::from_secs(600);

#[derive(Clone)]
pub enum Trust {
    System(Arc<Mutex<Option<(Instant, Arc<ClientConfig>)>>>),
    /// For tests.
    Given(Arc<ClientConfig>),
}

impl Trust {
    pub fn system() -> Self {
        Self::System(Arc::default())
    }

    pub async fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let kept = match self {
            Self::Given(config) => return Ok(Arc::clone(config)),
            Self::System(kept) => kept,
        };
        {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, config)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
                let _ = at;
                return Ok(Arc::clone(config));
            }
        }
        // Files are read.
        let config = tokio::task::spawn_blocking(of_system).await.map_err(|_| Error::NoRoots)??;
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&config)));
        Ok(config)
    }
}

fn of_system() -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    // One that can't be read takes nothing from the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Error::NoRoots) } else { Ok(trusting(roots)) }
}

/// A configuration that believes `roots`.
pub fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of every version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
