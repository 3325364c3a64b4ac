//! Group (RFC 7643 §4.2).

use super::{Attribute, GROUP_URN, Returned, Schema};
use crate::model::query::Index;

pub(super) fn schema() -> Schema {
    Schema {
        id: GROUP_URN.to_owned(),
        name: "Group".into(),
        description: "Group".into(),
        attributes: vec![
            // Required by the text of §4.2, unique because Entra finds groups by name.
            Attribute::string("displayName", "A human-readable name for the group. Unique, whatever its case.")
                .required()
                .unique()
                .indexed(Index::GroupName),
            members(),
        ],
        registered: false,
    }
}

/// An element is added or removed, never edited: all it holds is immutable.
fn members() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("value", "The id of the member.").case_exact().immutable().indexed(Index::MembersOfGroup),
        Attribute::reference("$ref", "The URI of the member.", &["User", "Group"]).immutable(),
        // On request: reading it means reading every member, and clients that compare what they wrote don't expect it.
        Attribute::string("display", "The name of the member.").read_only().returned(Returned::Request),
        Attribute::string("type", "What the member is.").canonical(&["User", "Group"]).immutable(),
    ];
    Attribute::complex("members", "The members of the group.", sub_attributes).multi_valued()
}
