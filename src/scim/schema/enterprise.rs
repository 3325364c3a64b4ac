//! The enterprise extension of User (RFC 7643 §4.3).

use super::{Attribute, ENTERPRISE_URN, Schema};

pub(super) fn schema() -> Schema {
    Schema {
        id: ENTERPRISE_URN.to_owned(),
        name: "EnterpriseUser".into(),
        description: "Enterprise User".into(),
        attributes: vec![
            Attribute::string("employeeNumber", "The number or letters an organization knows the person by.")
                .searchable("employeeNumber"),
            Attribute::string("costCenter", "The name of a cost center."),
            Attribute::string("organization", "The name of an organization."),
            Attribute::string("division", "The name of a division."),
            Attribute::string("department", "The name of a department.").searchable("department"),
            manager(),
        ],
        registered: false,
    }
}

fn manager() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("value", "The id of the manager's User resource.").case_exact(),
        Attribute::reference("$ref", "The URI of the manager's User resource.", &["User"]),
        Attribute::string("displayName", "The name of the manager.").read_only(),
    ];
    Attribute::complex("manager", "The user's manager.", sub_attributes)
}
