//! What of a document the value table holds, so that a filter need not read documents.

use super::{Attribute, ResourceType};
use crate::model::fold::fold;
use crate::model::query::Index;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The rows the value table has to hold for `document`: attribute name as in [`Index::Values`], the value as it
/// stands in the document, and whether it compares exactly (if not, the key is its folded form). Empty strings
/// are no values; values whose key would be the same are given once.
pub fn indexed_values(resource_type: &ResourceType, document: &Map<String, Value>) -> Vec<(String, String, bool)> {
    let mut rows = Rows::default();
    rows.collect(&resource_type.core.attributes, document);
    for extension in &resource_type.extensions {
        if let Some(Value::Object(object)) = document.get(&extension.id) {
            rows.collect(&extension.attributes, object);
        }
    }
    rows.list
}

#[derive(Default)]
struct Rows {
    list: Vec<(String, String, bool)>,
    /// Attribute and key of what is in `list`.
    seen: HashSet<(String, String)>,
}

impl Rows {
    fn collect(&mut self, attributes: &[Attribute], object: &Map<String, Value>) {
        for attribute in attributes {
            let subs = &attribute.sub_attributes;
            if !is_searchable(attribute) && !subs.iter().any(is_searchable) {
                continue;
            }
            for element in elements(object.get(&attribute.name)) {
                match element {
                    Value::Object(element) => self.collect(subs, element),
                    Value::String(text) if !text.is_empty() => self.push(attribute, text),
                    _ => {}
                }
            }
        }
    }

    fn push(&mut self, attribute: &Attribute, text: &str) {
        let Index::Values(name) = &attribute.index else { return };
        let key = if attribute.case_exact { text.to_owned() } else { fold(text) };
        if self.seen.insert((name.clone(), key)) {
            self.list.push((name.clone(), text.to_owned(), attribute.case_exact));
        }
    }
}

fn is_searchable(attribute: &Attribute) -> bool {
    matches!(attribute.index, Index::Values(_))
}

/// The elements of a list; a single value counts as its only element.
fn elements(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(elements)) => elements,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}
