//! Failed logins in a row, counted where all replicas see them. A try is counted before its password is looked at and
//! taken back when it was right, so that no number of tries at once is more than the limit.
//!
//! A row begins anew once nothing failed for a whole window: no span of that length ever holds more tries than the limit,
//! wherever it begins. What is refused is not counted, so that a lock ends by itself.
//!
//! Of an address (scope '') the window begins with its first try and ends whatever comes after: behind one address many may
//! sign in all day, whose tries would keep old failures alive for ever.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::clock::Micros;
use crate::model::ids::TenantId;

statements! {
    /// $5: what happened until then is forgotten; $6: the limit. No row is touched where it is reached.
    COUNT_FAILURE = "INSERT INTO login_failures (tenant_id, scope, subject, failures, last_at) VALUES ($1, $2, $3, 1, $4) \
        ON CONFLICT (tenant_id, scope, subject) DO UPDATE SET \
        last_at = CASE WHEN login_failures.scope = '' AND login_failures.last_at > $5 THEN login_failures.last_at ELSE excluded.last_at END, \
        failures = CASE WHEN login_failures.last_at <= $5 THEN 1 ELSE login_failures.failures + 1 END \
        WHERE login_failures.last_at <= $5 OR login_failures.failures < $6";
    FIND_FAILURES = "SELECT failures, last_at FROM login_failures WHERE tenant_id = $1 AND scope = $2 AND subject = $3";
    TAKE_BACK_FAILURE = "UPDATE login_failures SET failures = failures - 1 \
        WHERE tenant_id = $1 AND scope = $2 AND subject = $3 AND failures > 0";
    FORGET_FAILURES = "DELETE FROM login_failures WHERE tenant_id = $1 AND scope = $2 AND subject = $3";
    /// Of somebody, from anywhere and from each address: `subject` and whatever begins with it and `@`.
    FAILURES_OF_SOMEBODY = "SELECT subject, failures, last_at FROM login_failures WHERE tenant_id = $1 AND scope = $2 \
        AND subject >= $3 AND subject < $4 ORDER BY subject LIMIT 1000";
    OLD_FAILURES = "SELECT scope, subject FROM login_failures WHERE tenant_id = $1 AND last_at < $2 ORDER BY last_at LIMIT $3";
    DELETE_OLD_FAILURES = "DELETE FROM login_failures WHERE tenant_id = $1 AND scope = $2 AND subject = $3 AND last_at < $4";
}

/// Whose tries are counted, and how many may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// A connection's id; '' for addresses.
    pub scope: String,
    pub subject: String,
    pub failures_max: u32,
}

/// Counts a try of each of `all`; the batch is [`Error::Stale`] if one of them has reached its limit.
pub fn count(batch: &mut Batch, tenant: &TenantId, all: &[Counted], now: Micros, window: Micros) {
    for counted in all {
        let Counted { scope, subject, failures_max } = counted;
        batch.one(COUNT_FAILURE, args![tenant, scope.as_str(), subject.as_str(), now, now - window, i64::from(*failures_max)]);
    }
}

/// When `counted` may try again, if not now.
pub async fn locked_until(
    store: &Store,
    tenant: &TenantId,
    counted: &Counted,
    now: Micros,
    window: Micros,
) -> Result<Option<Micros>, Error> {
    let rows = store.read(FIND_FAILURES, args![tenant, counted.scope.as_str(), counted.subject.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (failures, last_at) = (row.int(0)?, row.int(1)?);
    Ok((failures >= i64::from(counted.failures_max) && last_at > now - window).then_some(last_at.saturating_add(window)))
}

/// How often somebody failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    pub subject: String,
    pub failures: i64,
    pub last_at: Micros,
}

/// The failures counted under `subject`, and from each address under it; at most 1,000.
pub async fn of_somebody(store: &Store, tenant: &TenantId, scope: &str, subject: &str) -> Result<Vec<Failures>, Error> {
    // `A` is what comes after `@`.
    let rows = store.read(FAILURES_OF_SOMEBODY, args![tenant, scope, subject, format!("{subject}A")]).await?;
    let failures = |row: &super::Row| Ok(Failures { subject: row.text(0)?, failures: row.int(1)?, last_at: row.int(2)? });
    rows.iter().map(failures).collect()
}

/// Nothing failed: scope and subject.
pub fn forget_all(batch: &mut Batch, tenant: &TenantId, rows: &[(String, String)]) {
    batch.each(FORGET_FAILURES, rows.iter().map(|(scope, subject)| args![tenant, scope, subject]).collect());
}

/// It was no failure.
pub fn take_back(batch: &mut Batch, tenant: &TenantId, counted: &Counted) {
    batch.any(TAKE_BACK_FAILURE, args![tenant, counted.scope.as_str(), counted.subject.as_str()]);
}

/// Nothing failed.
pub fn forget(batch: &mut Batch, tenant: &TenantId, counted: &Counted) {
    batch.any(FORGET_FAILURES, args![tenant, counted.scope.as_str(), counted.subject.as_str()]);
}

/// Deletes up to `limit` rows that say nothing since `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: Micros, limit: i64) -> Result<usize, Error> {
    let rows = store.read(OLD_FAILURES, args![tenant, before, limit]).await?;
    let old = rows.iter().map(|row| Ok(args![tenant, row.text(0)?, row.text(1)?, before])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_OLD_FAILURES, old);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
