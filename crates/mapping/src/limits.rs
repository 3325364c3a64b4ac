//! Every bound of the language. At compile time a breach is M015; at run time that attribute fails with M190.

pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// Files included by `use`, in total, and how deep they may nest.
pub const INCLUDES_MAX: usize = 64;
pub const INCLUDE_DEPTH_MAX: usize = 8;
pub const RULES_MAX: usize = 2_000;
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Instructions of one plan, and bytes of literal text in it: consts and `inherited` are written out where they stand.
pub const NODES_MAX: usize = 500_000;
pub const CONSTANT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Members of a record known by name, nested ones counted; beyond, any name is let through.
pub const RECORD_MEMBERS_MAX: usize = 256;
pub const COMPREHENSION_NESTING_MAX: usize = 2;
/// Of one compiled regular expression, bytes.
pub const REGEX_BYTES_MAX: usize = 1024 * 1024;
pub const REGEX_NESTING_MAX: u32 = 64;
pub const TABLE_ROWS_MAX: usize = 1_000_000;
pub const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Diagnostics reported of one compilation; the rest are counted.
pub const DIAGNOSTICS_MAX: usize = 100;

/// Steps of one entry, over all its rules.
pub const FUEL: u32 = 200_000;
pub const LIST_VALUES_MAX: usize = 20_000;
pub const STRING_BYTES_MAX: usize = 1024 * 1024;
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Depth of a JSON value read from a source.
pub const VALUE_DEPTH_MAX: usize = 32;
/// Instructions inside one another while running: lets that use lets, mostly. Keeps the stack of a worker.
pub const RUN_DEPTH_MAX: u32 = 256;
/// Of one entry as a source sent it.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Attributes of one entry as a source sent it.
pub const ATTRIBUTES_MAX: usize = 10_000;
