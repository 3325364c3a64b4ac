//! A place that events are sent to, as an administrator describes it.

use super::ids::{TenantId, WebhookId};
use crate::clock::Micros;

/// Webhooks of one tenant.
pub const WEBHOOKS_MAX: usize = 100;
/// Longest address and description.
pub const URL_BYTES_MAX: usize = 2_048;
pub const DESCRIPTION_CHARS_MAX: usize = 256;

/// A row of `webhooks`, without its secrets and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub tenant_id: TenantId,
    pub id: WebhookId,
    pub url: String,
    pub description: String,
    /// Types of events; none: all.
    pub types: Vec<String>,
    /// The receiver is on this machine and may be called by http://. The operator's to say.
    pub allow_plaintext: bool,
    pub enabled: bool,
    /// Why the gateway itself switched it off.
    pub disabled_because: Option<String>,
    pub version: i64,
    pub created_at: Micros,
    pub updated_at: Micros,
}

impl Webhook {
    /// Whether events of this type are sent.
    pub fn wants(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind)
    }
}
