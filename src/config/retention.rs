//! `[retention]`: how long what is kept.

use super::reader::Reader;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Rows of the log.
    pub log_days: i64,
    /// Events nobody fetched.
    pub events_days: i64,
    /// Days that recorded traffic is kept.
    pub traffic: i64,
}

impl RetentionConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            log_days: reader.integer("retention.log_days", 90, 1, 3_650),
            events_days: reader.integer("retention.events_days", 30, 1, 3_650),
            traffic: reader.integer("retention.traffic", 30, 1, 3_650),
        }
    }
}
