//! Tables PostgreSQL has no true statistics of yet.
//!
//! PostgreSQL keeps a plan it made for an empty table (also those of its foreign key checks: any index that begins with the
//! tenant looks as good as the right one, and each check then walks the whole tenant) until statistics come, and autovacuum
//! looks only once a minute. Measured on a fresh database: 3.4 ms for a create instead of a tenth of that.
//!
//! Owns: when a table has grown so far that its statistics are to be renewed. Refuses: tables that are large: autovacuum does.

use sqlx::Row as _;
use sqlx::postgres::PgPool;
use std::sync::atomic::{AtomicU64, Ordering};

/// After so many rows that this process added to a table.
const AFTER: [u64; 4] = [200, 2_000, 20_000, 200_000];
/// From so many rows on a table is large.
const LARGE: f32 = 500_000.0;
/// The tables, each with the statement that renews what is known of it.
const TABLES: [(&str, &str); 11] = [
    ("organizations", "ANALYZE organizations"),
    ("users", "ANALYZE tenants, connections, users"),
    ("user_values", "ANALYZE user_values"),
    ("identities", "ANALYZE identities"),
    ("identity_values", "ANALYZE identity_values"),
    ("groups", "ANALYZE groups"),
    ("members", "ANALYZE members"),
    ("blocks", "ANALYZE blocks"),
    ("history", "ANALYZE history"),
    ("log", "ANALYZE log"),
    ("outbox", "ANALYZE outbox"),
];

/// Rows added to each table so far.
#[derive(Default)]
pub(super) struct Young([AtomicU64; TABLES.len()]);

impl Young {
    /// Counts what was written, as statements and their rows; the tables whose statistics have to be renewed now.
    pub(super) fn grown<'a>(&self, written: impl Iterator<Item = (&'a str, usize)>) -> Vec<&'static str> {
        let mut grown = Vec::new();
        for (sql, rows) in written {
            let Some(added_to) = sql.strip_prefix("INSERT INTO ").and_then(|rest| rest.split(' ').next()) else { continue };
            let Some(at) = TABLES.iter().position(|(table, _)| *table == added_to) else { continue };
            let before = self.0[at].fetch_add(rows as u64, Ordering::Relaxed);
            if AFTER.iter().any(|limit| before < *limit && before + rows as u64 >= *limit) {
                grown.push(TABLES[at].0);
            }
        }
        grown
    }
}

/// Unless the table is large.
pub(super) async fn refresh(pool: &PgPool, table: &'static str) -> Result<(), sqlx::Error> {
    let known = sqlx::query("SELECT reltuples FROM pg_class WHERE relname = $1").bind(table).persistent(false);
    let known = known.fetch_optional(pool).await?;
    let rows = known.map_or(Ok(0.0), |row| row.try_get::<f32, _>(0))?;
    let Some((_, statement)) = TABLES.iter().find(|(name, _)| *name == table).filter(|_| rows < LARGE) else { return Ok(()) };
    sqlx::raw_sql(*statement).execute(pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = "INSERT INTO members (tenant_id) VALUES ($1)";

    #[test]
    fn a_table_is_named_when_it_passes_a_mark_whatever_the_others_have() {
        let young = Young::default();
        assert_eq!(young.grown([(MEMBER, 199), ("INSERT INTO log (tenant_id) VALUES ($1)", 5_000)].into_iter()), ["log"]);
        assert_eq!(young.grown([(MEMBER, 1)].into_iter()), ["members"]);
        assert!(young.grown([(MEMBER, 1_000)].into_iter()).is_empty());
        assert_eq!(young.grown([(MEMBER, 1_000)].into_iter()), ["members"]);
    }

    #[test]
    fn only_added_rows_count() {
        let young = Young::default();
        let others = [
            ("UPDATE users SET a = 1", 900),
            ("DELETE FROM members WHERE a = 1", 900),
            ("INSERT INTO leases (a) VALUES (1)", 900),
        ];
        assert!(young.grown(others.into_iter()).is_empty());
    }
}
