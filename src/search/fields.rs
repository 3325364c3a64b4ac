//! The fields of users, and what kind each is of: the table of the reference.

use super::ast::Field;
use super::{Refused, excerpt};
use crate::model::nearest::nearest;
use crate::model::user_search::{Moment, PATH_BYTES_MAX};

/// What a field is, and so what may be asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text of a person: any case, wildcards anywhere. `always`: nobody is without.
    Folded {
        attribute: &'static str,
        always: bool,
    },
    Email,
    /// Text as it is; a wildcard at the end.
    Exact(&'static str),
    UserId,
    /// Nothing of it is kept.
    LastIp,
    Connection,
    Provider,
    OwnId,
    Social,
    Organization,
    EmailVerified,
    PhoneVerified,
    Blocked,
    Logins,
    When(Moment),
    AppMetadata,
    UserMetadata,
}

const FIELDS: [(&str, Kind); 22] = [
    ("email", Kind::Email),
    ("email.domain", Kind::Folded { attribute: "email.domain", always: false }),
    ("name", Kind::Folded { attribute: "name", always: true }),
    ("given_name", Kind::Folded { attribute: "given_name", always: false }),
    ("family_name", Kind::Folded { attribute: "family_name", always: false }),
    ("nickname", Kind::Folded { attribute: "nickname", always: true }),
    ("username", Kind::Exact("username")),
    ("phone_number", Kind::Exact("phone_number")),
    ("user_id", Kind::UserId),
    ("last_ip", Kind::LastIp),
    ("identities.connection", Kind::Connection),
    ("identities.provider", Kind::Provider),
    ("identities.user_id", Kind::OwnId),
    ("identities.isSocial", Kind::Social),
    ("organization_id", Kind::Organization),
    ("email_verified", Kind::EmailVerified),
    ("phone_verified", Kind::PhoneVerified),
    ("blocked", Kind::Blocked),
    ("logins_count", Kind::Logins),
    ("created_at", Kind::When(Moment::Created)),
    ("updated_at", Kind::When(Moment::Updated)),
    ("last_login", Kind::When(Moment::LastLogin)),
];

/// The fields that a word without one is looked for in.
pub(super) const BARE: [&str; 8] =
    ["email", "name", "given_name", "family_name", "nickname", "username", "phone_number", "user_id"];

/// What the field is.
///
/// # Errors
/// Where there is none of the name, with the one that was probably meant.
pub(super) fn kind(field: &Field) -> Result<Kind, Refused> {
    let name = field.name.as_str();
    if let Some((_, kind)) = FIELDS.iter().find(|(known, _)| *known == name) {
        return Ok(kind.clone());
    }
    let whole = |object: &str| name == object || name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'));
    let metadata = [("app_metadata", Kind::AppMetadata), ("user_metadata", Kind::UserMetadata)];
    if let Some((_, kind)) = metadata.into_iter().find(|(object, _)| whole(object)) {
        if name.len() > PATH_BYTES_MAX || name.split('.').any(str::is_empty) {
            return Err(Refused::at(field.column, format!("`{}` is no path into metadata", excerpt(name))));
        }
        return Ok(kind);
    }
    let known = FIELDS.iter().map(|(known, _)| *known).chain(["app_metadata", "user_metadata"]);
    let meant = nearest(name, known).map_or_else(
        || "; an object of your own is reached by user_metadata.… or app_metadata.…".to_owned(),
        |meant| format!("; is `{meant}` meant?"),
    );
    Err(Refused::at(field.column, format!("there is no field `{}`{meant}", excerpt(name))))
}
