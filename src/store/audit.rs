//! What every administrative write carries: its log row and the tenant's new version, in the same batch. The version
//! is what caches of all processes obey.

use super::Batch;
use super::statements::statements;
use crate::args;
use crate::model::ids::TenantId;
use crate::model::log_type;

statements! {
    INSERT_LOG = "INSERT INTO log (tenant_id, id, kind, outcome, connection_id, actor, request_id, detail, created_at, type, rare, \
        ip, user_agent, client_id) VALUES ($1, $2, $3, 'ok', $4, $5, $6, $7, $8, $9, $10, $11, $12, \
        (SELECT t.client_id FROM tokens t WHERE t.tenant_id = $1 AND t.id = $5))";
    RAISE_VERSION = "UPDATE tenants SET version = version + 1 WHERE tenant_id = $1";
}

/// Who does an administrative write, and when.
#[derive(Clone, Debug)]
pub struct Audit {
    /// `cli`, or the id of a token.
    pub actor: String,
    pub request_id: String,
    /// Id of the log row, fresh for every batch.
    pub log_id: String,
    pub at: i64,
    /// Where it was asked for, if over HTTP.
    pub from: Option<CameFrom>,
}

/// Where a call came from.
#[derive(Clone, Debug, Default)]
pub struct CameFrom {
    pub ip: Option<String>,
    /// As [`crate::model::event::bounded_user_agent`] leaves it.
    pub user_agent: Option<String>,
}

impl Audit {
    /// Adds the log row of `kind` (`connection.created`) and raises the tenant's version.
    pub(super) fn record(&self, batch: &mut Batch, tenant: &TenantId, kind: &str, connection: Option<&str>, detail: &str) {
        self.log(batch, tenant, kind, connection, detail);
        batch.one(RAISE_VERSION, args![tenant]);
    }

    /// Adds the log row alone, for a batch that writes the tenant's row itself.
    pub(super) fn log(&self, batch: &mut Batch, tenant: &TenantId, kind: &str, connection: Option<&str>, detail: &str) {
        let detail = serde_json::json!({ "subject": detail }).to_string();
        let CameFrom { ip, user_agent } = self.from.clone().unwrap_or_default();
        batch.one(
            INSERT_LOG,
            args![
                tenant,
                &self.log_id,
                kind,
                connection,
                &self.actor,
                &self.request_id,
                detail,
                self.at,
                log_type::type_of(kind, "ok", None),
                log_type::is_rare(kind),
                ip,
                user_agent,
            ],
        );
    }
}
