//! User (RFC 7643 §4.1).

use super::{Attribute, Mutability, Returned, Schema, Type, USER_URN};
use crate::model::query::Index;

pub(super) fn schema() -> Schema {
    let mut attributes = singular();
    attributes.extend(plural());
    Schema { id: USER_URN.to_owned(), name: "User".into(), description: "User Account".into(), attributes, registered: false }
}

fn singular() -> Vec<Attribute> {
    vec![
        Attribute::string("userName", "What the user signs in with. Unique, whatever its case.")
            .required()
            .unique()
            .indexed(Index::UserName),
        name(),
        Attribute::string("displayName", "The name of the user as it is shown to people.").searchable("displayName"),
        Attribute::string("nickName", "How the user is casually called."),
        Attribute::reference("profileUrl", "The URL of the user's profile page.", &["external"]),
        Attribute::string("title", "The user's title, for instance \"Vice President\"."),
        Attribute::string("userType", "How the user relates to the organization, for instance \"Contractor\"."),
        Attribute::string("preferredLanguage", "The preferred languages, in the form of Accept-Language."),
        Attribute::string("locale", "The location for currency, date and number formats, a BCP 47 tag."),
        Attribute::string("timezone", "The time zone, a name of the IANA database."),
        Attribute::boolean("active", "Whether the user may sign in.").indexed(Index::Active),
        Attribute {
            mutability: Mutability::WriteOnly,
            ..Attribute::string("password", "A clear-text password to set. Never returned, never a filter.")
                .case_exact()
                .returned(Returned::Never)
        },
    ]
}

fn name() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("formatted", "The full name, formatted for display."),
        Attribute::string("familyName", "The family name.").searchable("name.familyName"),
        Attribute::string("givenName", "The given name."),
        Attribute::string("middleName", "The middle names."),
        Attribute::string("honorificPrefix", "The title before the name, for instance \"Ms.\"."),
        Attribute::string("honorificSuffix", "The suffix of the name, for instance \"III\"."),
    ];
    Attribute::complex("name", "The parts of the user's name.", sub_attributes)
}

fn plural() -> Vec<Attribute> {
    let text = |description: &str| Attribute::string("value", description);
    vec![
        Attribute::plural(
            "emails",
            "Email addresses.",
            text("An email address.").searchable("emails.value"),
            &["work", "home", "other"],
        ),
        Attribute::plural(
            "phoneNumbers",
            "Phone numbers.",
            text("A phone number, as it was sent.").searchable("phoneNumbers.value"),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        Attribute::plural(
            "ims",
            "Instant messaging addresses.",
            text("An instant messaging address."),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        Attribute::plural(
            "photos",
            "URLs of photos.",
            Attribute::reference("value", "The URL of a photo.", &["external"]),
            &["photo", "thumbnail"],
        ),
        addresses(),
        groups(),
        Attribute::plural("entitlements", "Entitlements, things the user has.", text("An entitlement."), &[]),
        Attribute::plural("roles", "Roles, what the user is.", text("A role."), &[]),
        Attribute::plural(
            "x509Certificates",
            "Certificates of the user.",
            Attribute::new("value", Type::Binary, "A DER-encoded X.509 certificate in Base64."),
            &[],
        ),
    ]
}

/// The one list without `value`.
fn addresses() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("formatted", "The full address, formatted for a label."),
        Attribute::string("streetAddress", "House number, street, post office box."),
        Attribute::string("locality", "The city or locality."),
        Attribute::string("region", "The state or region."),
        Attribute::string("postalCode", "The zip or postal code."),
        Attribute::string("country", "The country, an ISO 3166-1 alpha-2 code."),
        Attribute::kind_label(&["work", "home", "other"]),
        Attribute::primary(),
    ];
    Attribute::complex("addresses", "Postal addresses.", sub_attributes).multi_valued()
}

/// Derived from membership rows (RFC 7643 §4.1.2).
fn groups() -> Attribute {
    let sub_attributes = vec![
        Attribute::string("value", "The id of the group.").case_exact().read_only().indexed(Index::GroupsOfMember),
        Attribute::reference("$ref", "The URI of the group.", &["Group"]).read_only(),
        Attribute::string("display", "The name of the group.").read_only(),
        Attribute::string("type", "Whether the membership is direct or by a nested group.")
            .canonical(&["direct", "indirect"])
            .read_only(),
    ];
    Attribute::complex("groups", "The groups the user belongs to.", sub_attributes).multi_valued().read_only()
}
