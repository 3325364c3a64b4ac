//! `[scim]`: the limits of the SCIM endpoint (RFC 7643 §5 makes them public in `ServiceProviderConfig`).

use super::reader::Reader;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimConfig {
    /// Resources in a page when the client doesn't say, and at most.
    pub page_size_default: u32,
    pub page_size_max: u32,
    /// Resources a filter without an index may look at before `tooMany`.
    pub filter_scan_max: u32,
    /// How long a cursor holds (RFC 9865), in seconds.
    pub cursor_timeout_s: u32,
    /// Operations of one PATCH.
    pub patch_operations_max: usize,
    /// Operations of one bulk request; 0: `/Bulk` is not served.
    pub bulk_operations_max: usize,
    /// Bytes of the body of one; never more than `server.body_bytes_max`.
    pub bulk_bytes_max: usize,
}

impl ScimConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let config = Self {
            page_size_default: reader.integer("scim.page_size_default", 100, 1, 1_000),
            page_size_max: reader.integer("scim.page_size_max", 200, 1, 1_000),
            filter_scan_max: reader.integer("scim.filter_scan_max", 10_000, 100, 10_000_000),
            cursor_timeout_s: reader.integer("scim.cursor_timeout_seconds", 600, 1, 86_400),
            patch_operations_max: reader.integer("scim.patch_operations_max", 1_000, 1, 100_000),
            bulk_operations_max: reader.integer("scim.bulk_operations_max", 1_000, 0, 100_000),
            bulk_bytes_max: reader.integer("scim.bulk_bytes_max", 4 << 20, 1_024, 1 << 30),
        };
        if config.page_size_default > config.page_size_max {
            reader.complain("scim.page_size_default", "is larger than scim.page_size_max");
        }
        config
    }
}
