//! From an accepted SCIM document to what provisioning takes.

use crate::model::fold;
use crate::profile::{GroupRecord, Side, SourceRecord};
use crate::provisioning::push_group::MemberChange;
use crate::scim::patch::MemberOp;
use crate::scim::projection::Path;
use crate::scim::resource::MemberRef;
use crate::scim::schema::{indexed_values, registry};
use serde_json::{Map, Value};
use std::sync::{Mutex, PoisonError};

/// What an edit wrote of registered extensions, for the answer. An edit may be made anew; the last one counts.
#[derive(Default)]
pub struct Written(Mutex<Vec<Path>>);

impl Written {
    pub fn note(&self, paths: Vec<Path>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = paths;
    }

    pub fn paths(self) -> Vec<Path> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(document: &Map<String, Value>, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A user's document: what identifies it, whether it is active, what it can be searched by.
pub fn user(document: Map<String, Value>) -> SourceRecord {
    SourceRecord {
        side: Side::Push,
        external_id: text(&document, "externalId"),
        user_name: text(&document, "userName"),
        label: text(&document, "displayName").or_else(|| text(&document, "userName")),
        active: document.get("active").and_then(Value::as_bool),
        values: values(&document),
        payload: document,
    }
}

/// The value rows of a user's document: each once. Attributes of registered extensions have none.
pub fn values(document: &Map<String, Value>) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = indexed_values(&registry().user, document)
        .into_iter()
        .map(|(attribute, value, case_exact)| (attribute, fold::value_key(&value, case_exact)))
        .collect();
    values.sort();
    values.dedup();
    values
}

pub fn group(document: Map<String, Value>) -> GroupRecord {
    GroupRecord {
        external_id: text(&document, "externalId"),
        name: text(&document, "displayName").unwrap_or_default(),
        payload: document,
    }
}

pub fn ids(members: Vec<MemberRef>) -> Vec<String> {
    members.into_iter().map(|member| member.id).collect()
}

pub fn changes(operations: Vec<MemberOp>) -> Vec<MemberChange> {
    operations
        .into_iter()
        .map(|operation| match operation {
            MemberOp::Add(members) => MemberChange::Add(ids(members)),
            MemberOp::Remove(ids) => MemberChange::Remove(ids),
            MemberOp::RemoveWhere(query) => MemberChange::RemoveWhere(query),
            MemberOp::Replace(members) => MemberChange::Replace(ids(members)),
        })
        .collect()
}
