//! `[secrets]`: the one key from which sealing and token hashing derive, and the file it may live in.

use super::DatabaseUrl;
use super::reader::Reader;
use crate::clock::Entropy;
use crate::secret::{KeyRing, MasterKey, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the generated key file; it lies beside the SQLite database.
const KEY_FILE: &str = "rosterd.key";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsConfig {
    pub key: Option<MasterKey>,
    pub key_file: Option<PathBuf>,
    /// The key before this one: what it sealed opens, what it hashed is found, nothing new is made with it.
    pub key_old: Option<MasterKey>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key file {} can't be read: {reason}", path.display())]
    Read { path: PathBuf, reason: std::io::Error },
    #[error("the key file {} does not hold the base64 of 32 bytes", path.display())]
    Content { path: PathBuf },
    #[error("the key file {} can't be written: {reason}", path.display())]
    Write { path: PathBuf, reason: std::io::Error },
    /// A fresh key would make every stored secret and token worthless without saying so.
    #[error(
        "the database {} exists but its key file {} is missing: put the file back, or set secrets.key_file",
        database.display(), path.display()
    )]
    Lost { database: PathBuf, path: PathBuf },
    #[error("with PostgreSQL secrets.key or secrets.key_file has to be set")]
    Unset,
}

impl SecretsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const WANTED: &str = "the base64 of 32 bytes";
        let hidden = |_: &str| String::from("‹secret›");
        let key = reader.secret("secrets.key", WANTED, decode, hidden);
        let key_file = reader.optional("secrets.key_file", "a path", |text| (!text.is_empty()).then(|| PathBuf::from(text)));
        if key.is_some() && key_file.is_some() {
            reader.complain("secrets.key_file", "is set beside secrets.key: keep one of the two");
        }
        let key_old = reader.secret("secrets.key_old", WANTED, decode, hidden);
        Self { key, key_file, key_old }
    }

    /// The keys to work with. With SQLite and nothing set, `rosterd.key` beside the database is read, or made on
    /// the first start (mode 600).
    pub fn key_ring(&self, database: &DatabaseUrl, entropy: &Entropy) -> Result<KeyRing, KeyError> {
        let current = match (&self.key, &self.key_file, database.sqlite_file()) {
            (Some(key), _, _) => key.clone(),
            (None, Some(path), _) => read_key(path)?,
            (None, None, Some(file)) => generated_key(&file, entropy)?,
            (None, None, None) => return Err(KeyError::Unset),
        };
        Ok(KeyRing::new(current, self.key_old.clone()))
    }
}

fn generated_key(database: &Path, entropy: &Entropy) -> Result<MasterKey, KeyError> {
    let path = database.with_file_name(KEY_FILE);
    if path.exists() {
        return read_key(&path);
    }
    let used = std::fs::metadata(database).is_ok_and(|file| file.len() > 0);
    if used && !path.exists() {
        return Err(KeyError::Lost { database: database.to_path_buf(), path });
    }
    write_key(&path, &entropy.bytes()).map_err(|reason| KeyError::Write { path: path.clone(), reason })?;
    read_key(&path)
}

/// Puts the key in place whole or not at all. Of several processes that start at once the first wins and the
/// others read its key.
fn write_key(path: &Path, key: &[u8; 32]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", STANDARD.encode(key))?;
        file.sync_all()?;
        match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    let removed = std::fs::remove_file(&draft);
    written.and(removed)
}

fn read_key(path: &Path) -> Result<MasterKey, KeyError> {
    let text = std::fs::read_to_string(path).map_err(|reason| KeyError::Read { path: path.to_path_buf(), reason })?;
    if std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %path.display(), "the key file is readable by others; chmod 600 it");
    }
    let key = decode(text.trim()).ok_or_else(|| KeyError::Content { path: path.to_path_buf() })?;
    Ok(Secret::new(key))
}

fn decode(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn at(folder: &Path) -> (SecretsConfig, DatabaseUrl, PathBuf) {
        let mut config = Config::defaults();
        let file = folder.join("rosterd.db");
        config.database.url = DatabaseUrl::Sqlite(Secret::new(format!("sqlite://{}", file.display())));
        (config.secrets, config.database.url, file)
    }

    #[test]
    fn the_first_start_makes_a_key_file_that_only_the_owner_reads_and_later_starts_use_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (secrets, url, _) = at(folder.path());
        let first = secrets.key_ring(&url, &Entropy::system()).expect("made");
        let again = secrets.key_ring(&url, &Entropy::system()).expect("read");
        assert_eq!(first.hash_token("x"), again.hash_token("x"));
        let mode = std::fs::metadata(folder.path().join("rosterd.key")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn a_lost_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (secrets, url, file) = at(folder.path());
        std::fs::write(file, "used").expect("written");
        assert!(matches!(secrets.key_ring(&url, &Entropy::system()), Err(KeyError::Lost { .. })));
    }
}
