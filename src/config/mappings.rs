//! `[mappings]`: where `.mapping` files lie. Published versions live in the database.

use super::reader::Reader;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingsConfig {
    pub dir: PathBuf,
}

impl MappingsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let dir = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Self { dir: reader.parsed("mappings.dir", "mappings", "a path", dir) }
    }
}
