//! Our keys towards an identity provider: found, made where there are none, and opened. A connection has its own, so that a
//! customer's key says nothing of another's.

use crate::clock::{Entropy, Micros, SECOND};
use crate::model::connection::Connection;
use crate::model::ids::ConnectionId;
use crate::model::saml::KeyState;
use crate::secret::{KeyRing, OpenError, Secret};
use crate::store::saml_keys::{self, StoredKey};
use crate::store::{self, Batch, Store};
use jiff::Timestamp;
use rosterd_saml::decrypt::{Decryption, DecryptionKey};
use rosterd_saml::service_key;
use rosterd_saml::sign::SigningKey;
use rosterd_saml::verify::Certificate;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long keys are remembered, as other settings are (decision 0006).
const REMEMBERED_FOR: Micros = 2 * SECOND;
/// Connections remembered at a time; beyond it the memory starts anew.
const REMEMBERED_MAX: usize = 1_000;
/// Largest file of a key or a certificate.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("a key of the connection can't be opened: {0}")]
    Sealed(#[from] OpenError),
    #[error("a stored key is no key, or not that of its certificate")]
    Corrupt,
    #[error("no key could be made: {0}")]
    NotMade(String),
    #[error("{option}: {path}: {reason}")]
    File { option: &'static str, path: String, reason: String },
}

/// The keys of one connection.
#[derive(Clone, Debug)]
pub struct ServiceKeys {
    /// Signs.
    pub current: SigningKey,
    /// Will.
    pub next: Option<SigningKey>,
    /// Did.
    pub former: Option<SigningKey>,
    /// What encrypted assertions are opened with: all of these, and a key of the administrator's own.
    pub decryption: Decryption,
    /// What our metadata publishes for encryption: the newest.
    pub encryption: Certificate,
}

impl ServiceKeys {
    /// What our metadata publishes for signing.
    pub fn published(&self) -> Vec<Certificate> {
        [Some(&self.current), self.next.as_ref()].into_iter().flatten().map(|key| key.certificate().clone()).collect()
    }
}

/// Finds keys and remembers them for a moment. One per process.
#[derive(Default)]
pub struct Keys {
    remembered: Mutex<HashMap<ConnectionId, (i64, Micros, Arc<ServiceKeys>)>>,
}

impl Keys {
    /// The keys of a connection; the first is made when it is asked for.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn of(
        &self,
        store: &Store,
        ring: &KeyRing,
        entropy: &Entropy,
        connection: &Connection,
        now: Micros,
    ) -> Result<Arc<ServiceKeys>, KeysError> {
        if let Some((version, at, keys)) = self.remembered().get(&connection.id)
            && *version == connection.version
            && (0..REMEMBERED_FOR).contains(&(now - at))
        {
            return Ok(Arc::clone(keys));
        }
        let mut stored = saml_keys::find(store, connection).await?;
        if !stored.iter().any(|key| key.state == KeyState::Current) {
            let mut batch = Batch::default();
            let first = make(ring, entropy, connection, (1, KeyState::Current), now).await?;
            saml_keys::insert_first(&mut batch, connection, &first);
            store.apply(batch).await?;
            // Another replica's may have been first.
            stored = saml_keys::find(store, connection).await?;
        }
        let keys = Arc::new(opened(ring, connection, &stored).await?);
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(connection.id.clone(), (connection.version, now, Arc::clone(&keys)));
        Ok(keys)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, (i64, Micros, Arc<ServiceKeys>)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new key of that number and state, sealed.
///
/// # Errors
/// [`KeysError::NotMade`].
pub async fn make(
    ring: &KeyRing,
    entropy: &Entropy,
    connection: &Connection,
    (number, state): (i64, KeyState),
    now: Micros,
) -> Result<StoredKey, KeysError> {
    let not_made = |reason: String| KeysError::NotMade(reason);
    let (name, serial) = (format!("Rosterd {}", connection.id), entropy.bytes::<16>());
    let at = Timestamp::from_microsecond(now).map_err(|error| not_made(error.to_string()))?;
    let made = tokio::task::spawn_blocking(move || service_key::generate(&name, serial, at)).await;
    let (pem, certificate) = made.map_err(|error| not_made(error.to_string()))?.map_err(|error| not_made(error.to_string()))?;
    let pem = Secret::new(pem);
    let key = ring.seal(pem.expose(), &place(connection), entropy);
    Ok(StoredKey { number, state, certificate: certificate.der().to_vec(), key, created_at: now })
}

fn place(connection: &Connection) -> String {
    format!("saml key {}", connection.id)
}

async fn opened(ring: &KeyRing, connection: &Connection, stored: &[StoredKey]) -> Result<ServiceKeys, KeysError> {
    let saml = &connection.options.saml;
    let mut decryption = Decryption { keys: Vec::new(), allow_cbc: saml.allow_cbc };
    let mut of = |state: KeyState| {
        let Some(stored) = stored.iter().find(|key| key.state == state) else { return Ok(None) };
        let pem = ring.open(&stored.key, &place(connection))?;
        let certificate = Certificate::from_der(&stored.certificate).map_err(|_| KeysError::Corrupt)?;
        decryption.keys.push(DecryptionKey::from_pem(pem.expose()).ok_or(KeysError::Corrupt)?);
        SigningKey::from_pem(pem.expose(), certificate).map(Some).ok_or(KeysError::Corrupt)
    };
    let (current, next, former) = (of(KeyState::Current)?, of(KeyState::Next)?, of(KeyState::Former)?);
    let current = current.ok_or(KeysError::Corrupt)?;
    let mut encryption = next.as_ref().unwrap_or(&current).certificate().clone();
    if let Some((key, certificate)) = own(saml.decryption_key_file.as_deref(), saml.decryption_cert_file.as_deref()).await? {
        decryption.keys.push(key);
        encryption = certificate.unwrap_or(encryption);
    }
    Ok(ServiceKeys { current, next, former, decryption, encryption })
}

/// The administrator's own key, which stays in its file, and its certificate.
///
/// # Errors
/// [`KeysError::File`]: what is wrong with which.
pub async fn own(
    key_file: Option<&str>,
    certificate_file: Option<&str>,
) -> Result<Option<(DecryptionKey, Option<Certificate>)>, KeysError> {
    let Some(path) = key_file else { return Ok(None) };
    let option = "decryption_key_file";
    let wrong = |option, path: &str, reason: &str| KeysError::File { option, path: path.to_owned(), reason: reason.to_owned() };
    let pem = Secret::new(read(option, path).await?);
    let key = DecryptionKey::from_pem(pem.expose()).ok_or_else(|| wrong(option, path, "holds no RSA private key in PEM"))?;
    let Some(certificate_path) = certificate_file else { return Ok(Some((key, None))) };
    let option = "decryption_cert_file";
    let bytes = read(option, certificate_path).await?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(option, certificate_path, "is no text"))?;
    let certificate = Certificate::from_text(&text).map_err(|refusal| wrong(option, certificate_path, refusal.rule.says()))?;
    if SigningKey::from_pem(pem.expose(), certificate.clone()).is_none() {
        return Err(wrong(option, certificate_path, "is the certificate of another key than decryption_key_file"));
    }
    Ok(Some((key, Some(certificate))))
}

async fn read(option: &'static str, path: &str) -> Result<Vec<u8>, KeysError> {
    let wrong = |reason: String| KeysError::File { option, path: path.to_owned(), reason };
    let size = tokio::fs::metadata(path).await.map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    tokio::fs::read(path).await.map_err(|error| wrong(error.to_string()))
}
