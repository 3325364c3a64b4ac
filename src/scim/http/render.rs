//! From stored text to the resource a client reads: the text itself, with `id`, `groups` or `members` and `meta`
//! spliced in. Parsed only where a projection is asked for, or an extension has what is returned on request.

use super::conditions::etag;
use super::route::Resources;
use crate::clock::rfc3339;
use crate::model::group::MemberKind;
use crate::scim::projection::Projection;
use crate::store::groups::{Listed, Membership};
use serde_json::{Map, Value, json};

/// What the server owns of a resource.
pub struct Owned<'a> {
    pub id: &'a str,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub also: Also<'a>,
}

/// The derived list of a resource; None where it is empty or not wanted.
pub enum Also<'a> {
    None,
    Groups(&'a [Membership]),
    Members(&'a [Listed]),
}

impl Resources {
    /// `meta.resourceType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "User",
            Self::Groups => "Group",
        }
    }

    /// The path segment.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Users => "Users",
            Self::Groups => "Groups",
        }
    }
}

/// Absolute URL of a resource. `base` ends before `/Users`.
pub fn location(base: &str, which: Resources, id: &str) -> String {
    format!("{base}/{}/{id}", which.segment())
}

/// The whole resource as JSON text. `raw` is a stored, non-empty JSON object.
pub fn text(base: &str, which: Resources, raw: &str, owned: &Owned<'_>, projection: &Projection) -> String {
    // What is returned on request alone is not even written where nothing was requested.
    let whole = splice(base, which, raw, owned, !projection.is_default());
    if projection.shows_all_stored() {
        return whole;
    }
    match serde_json::from_str::<Map<String, Value>>(&whole) {
        Ok(mut document) => {
            projection.apply(&mut document);
            Value::Object(document).to_string()
        }
        Err(_) => whole,
    }
}

/// The whole resource as a document, for a query to decide over.
pub fn document(base: &str, which: Resources, raw: &str, owned: &Owned<'_>) -> Map<String, Value> {
    serde_json::from_str(&splice(base, which, raw, owned, true)).unwrap_or_default()
}

fn splice(base: &str, which: Resources, raw: &str, owned: &Owned<'_>, labels: bool) -> String {
    let inner = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')).unwrap_or_default();
    let mut text = String::with_capacity(raw.len() + 512);
    // Ids are ours and plain; what clients named goes through the JSON writer.
    text.push_str("{\"id\":\"");
    text.push_str(owned.id);
    text.push('"');
    if !inner.is_empty() {
        text.push(',');
        text.push_str(inner);
    }
    match owned.also {
        Also::Groups(groups) if !groups.is_empty() => {
            let groups: Vec<Value> = groups
                .iter()
                .map(|group| {
                    json!({
                        "value": group.group_id,
                        "$ref": location(base, Resources::Groups, &group.group_id),
                        "display": group.name,
                        "type": if group.direct { "direct" } else { "indirect" },
                    })
                })
                .collect();
            text.push_str(",\"groups\":");
            text.push_str(&Value::Array(groups).to_string());
        }
        Also::Members(members) if !members.is_empty() => {
            text.push_str(",\"members\":[");
            for (at, member) in members.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&member_element(base, member, labels).to_string());
            }
            text.push(']');
        }
        _ => {}
    }
    text.push_str(&format!(
        ",\"meta\":{{\"resourceType\":\"{}\",\"created\":\"{}\",\"lastModified\":\"{}\",\"location\":{},\"version\":{}}}}}",
        which.name(),
        rfc3339(owned.created_at),
        rfc3339(owned.updated_at),
        Value::String(location(base, which, owned.id)),
        Value::String(etag(owned.version)),
    ));
    text
}

fn member_element(base: &str, member: &Listed, labelled: bool) -> Value {
    let which = match member.kind {
        MemberKind::User => Resources::Users,
        MemberKind::Group => Resources::Groups,
    };
    let mut element = json!({
        "value": member.id,
        "$ref": location(base, which, &member.id),
        "type": member.kind.as_str(),
    });
    if let Some(label) = member.label.as_ref().filter(|_| labelled) {
        element["display"] = label.as_str().into();
    }
    element
}

/// What a ListResponse says besides its resources (RFC 7644 §3.4.2, RFC 9865 §2).
pub struct ListHead<'a> {
    pub total: Option<i64>,
    pub start_index: Option<i64>,
    /// Plain characters, as it was sealed.
    pub next_cursor: Option<&'a str>,
}

/// A ListResponse around resources that are text already.
pub fn list(head: &ListHead<'_>, resources: &[String]) -> String {
    let total = head.total.map_or_else(String::new, |total| format!("\"totalResults\":{total},"));
    let start = head.start_index.map_or_else(String::new, |start| format!("\"startIndex\":{start},"));
    let next = head.next_cursor.map_or_else(String::new, |next| format!("\"nextCursor\":\"{next}\","));
    format!(
        "{{\"schemas\":[\"{}\"],{total}{start}\"itemsPerPage\":{},{next}\"Resources\":[{}]}}",
        crate::scim::schema::LIST_URN,
        resources.len(),
        resources.join(",")
    )
}
