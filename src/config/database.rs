//! `[database]`: which store, and how much of it at a time.

use super::reader::Reader;
use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// Where the roster lives. The text may hold a password, so it does not print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(Secret<String>),
    Postgres(Secret<String>),
}

impl DatabaseUrl {
    fn parse(text: &str) -> Option<Self> {
        let secret = || Secret::new(text.to_owned());
        // No parameters and no database in memory: what follows the scheme is the path of a file.
        let is_file = |path: &str| !path.is_empty() && !path.contains(['?', '#']) && !path.contains(":memory:");
        if text.strip_prefix("sqlite://").is_some_and(is_file) {
            Some(Self::Sqlite(secret()))
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Some(Self::Postgres(secret()))
        } else {
            None
        }
    }

    /// The text as it was set.
    pub fn expose(&self) -> &str {
        match self {
            Self::Sqlite(text) | Self::Postgres(text) => text.expose(),
        }
    }

    pub fn secret(&self) -> Secret<String> {
        match self {
            Self::Sqlite(text) | Self::Postgres(text) => text.clone(),
        }
    }

    /// The file of a SQLite database.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let Self::Sqlite(text) = self else { return None };
        text.expose().strip_prefix("sqlite://").map(PathBuf::from)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// Whether `serve` brings the schema up to date at start; if not, an old schema stops it.
    pub migrate: bool,
    /// Connections to PostgreSQL.
    pub pool_size: u32,
    /// How long a request waits for one of them before it gets 503.
    pub pool_wait: Duration,
    /// Writes that may wait on SQLite before more get 503.
    pub queue_max: usize,
    /// Reader threads on SQLite.
    pub sqlite_readers: usize,
    /// Whether prepared statements are kept between calls. Only a pooler in transaction mode that doesn't track them
    /// needs false.
    pub statement_cache: bool,
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let url = reader.secret(
            "database.url",
            "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
            DatabaseUrl::parse,
            without_credentials,
        );
        let url = url.map(|url| url.expose().clone()).unwrap_or_else(|| {
            reader.show_default("database.url", DEFAULT_URL);
            DatabaseUrl::parse(DEFAULT_URL).expect("the default is valid")
        });
        Self {
            url,
            migrate: reader.boolean("database.migrate", true),
            pool_size: reader.integer("database.pool_size", 8, 1, 1_000),
            pool_wait: Duration::from_millis(reader.integer("database.pool_wait_ms", 2_000, 10, 60_000)),
            queue_max: reader.integer("database.queue_max", 1_024, 16, 100_000),
            sqlite_readers: reader.integer("database.sqlite_readers", 2, 1, 64),
            statement_cache: reader.boolean("database.statement_cache", true),
        }
    }
}

const DEFAULT_URL: &str = "sqlite://rosterd.db";

/// A database URL for people: user, password and parameters (which may hold one) are left out.
fn without_credentials(url: &str) -> String {
    let url = url.split('?').next().unwrap_or(url);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://‹secret›@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_shown_url_keeps_the_place_and_loses_the_password() {
        assert_eq!(without_credentials("postgres://u:p%40@db:5432/r?password=x"), "postgres://‹secret›@db:5432/r");
        assert_eq!(without_credentials("sqlite://rosterd.db"), "sqlite://rosterd.db");
    }

    #[test]
    fn the_sqlite_file_is_what_follows_the_scheme() {
        let url = DatabaseUrl::parse("sqlite:///var/lib/rosterd/rosterd.db").expect("valid");
        assert_eq!(url.sqlite_file().as_deref(), Some(Path::new("/var/lib/rosterd/rosterd.db")));
        assert_eq!(DatabaseUrl::parse("sqlite://rosterd.db?mode=rwc"), None);
    }
}
