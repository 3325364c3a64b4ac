//! What every resource has besides its schema (RFC 7643 §3, §3.1).

use super::{Attribute, Returned, Type};
use crate::model::query::Index;

pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        // URNs compare without regard to case (RFC 7643 §2.1), though references otherwise don't.
        Attribute { case_exact: false, ..Attribute::reference("schemas", "The schemas of the resource.", &["uri"]) }
            .multi_valued()
            .required()
            .returned(Returned::Always),
        Attribute::string("id", "The identifier the service provider gave the resource.")
            .case_exact()
            .read_only()
            .unique()
            .returned(Returned::Always)
            .indexed(Index::Id),
        Attribute::string("externalId", "The identifier the provisioning client knows the resource by.")
            .case_exact()
            .indexed(Index::ExternalId),
        meta(),
    ]
}

fn meta() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("resourceType", "The name of the resource type.").case_exact().read_only(),
        Attribute::new("created", Type::DateTime, "When the resource was created.").read_only().indexed(Index::CreatedAt),
        Attribute::new("lastModified", Type::DateTime, "When the resource last changed.").read_only().indexed(Index::UpdatedAt),
        Attribute::reference("location", "The URI of the resource.", &["uri"]).read_only(),
        Attribute::string("version", "The version of the resource, equal to its ETag.").case_exact().read_only(),
    ];
    Attribute::complex("meta", "What the service provider knows about the resource.", sub_attributes).read_only()
}
