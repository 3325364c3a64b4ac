//! `[outbound]`: what the gateway may call by itself.

use super::reader::Reader;
use crate::model::network::{Peer, peers};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundConfig {
    /// Private networks, and hosts in them, that addresses of connections may lead to.
    pub allow: Vec<Peer>,
}

impl OutboundConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let wanted = "networks and hosts like 10.1.0.0/16, adfs.corp.example";
        Self { allow: reader.parsed("outbound.allow", "", wanted, peers) }
    }
}
