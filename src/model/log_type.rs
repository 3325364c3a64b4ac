//! What a row of the log is called outside: the short codes that readers of such logs know, and dotted words for what is ours
//! alone. The table is complete: a test of the suite compares it with every kind that the program writes.

/// What stands for one kind of row.
struct Known {
    kind: &'static str,
    /// Its type where it came out, and where it was refused.
    ok: &'static str,
    refused: &'static str,
    /// In words.
    says: &'static str,
    /// What a source does by the thousand: nobody looks for one of these by its type alone.
    bulk: bool,
}

/// Somebody wants to know each of these.
const fn rare(kind: &'static str, ok: &'static str, refused: &'static str, says: &'static str) -> Known {
    Known { kind, ok, refused, says, bulk: false }
}

const fn bulk(kind: &'static str, ok: &'static str, refused: &'static str, says: &'static str) -> Known {
    Known { kind, ok, refused, says, bulk: true }
}

/// A write by an administrator or an application.
const fn managed(kind: &'static str, says: &'static str) -> Known {
    rare(kind, "sapi", "fapi", says)
}

/// What is called outside as it is here.
const fn own(kind: &'static str, says: &'static str) -> Known {
    rare(kind, kind, kind, says)
}

const TABLE: &[Known] = &[
    rare("login", "s", "f", "Login"),
    own("login.undone", "What a mapping run again made of a login was undone"),
    rare("logout", "slo", "flo", "Logout"),
    own("authorized", "An application was given a code for somebody"),
    own("code.replayed", "A code was used twice: what it began is over"),
    own("refresh_token.reused", "A refresh token was used twice: its family is over"),
    bulk("scim.user.created", "sscim", "fscim", "SCIM: a user was created"),
    bulk("scim.user.replaced", "sscim", "fscim", "SCIM: a user was replaced"),
    bulk("scim.user.patched", "sscim", "fscim", "SCIM: a user was changed"),
    bulk("scim.user.revived", "sscim", "fscim", "SCIM: a user came back"),
    bulk("scim.user.deleted", "sscim", "fscim", "SCIM: a user was deleted"),
    bulk("scim.user.undone", "sscim", "fscim", "What was pushed of a user was undone"),
    bulk("scim.group.created", "sscim", "fscim", "SCIM: a group was created"),
    bulk("scim.group.replaced", "sscim", "fscim", "SCIM: a group was replaced"),
    bulk("scim.group.patched", "sscim", "fscim", "SCIM: a group was changed"),
    bulk("scim.group.deleted", "sscim", "fscim", "SCIM: a group was deleted"),
    bulk("sync.user.created", "sync.user.created", "sync.user.created", "A directory brought a user"),
    bulk("sync.user.updated", "sync.user.updated", "sync.user.updated", "A directory changed a user"),
    bulk("sync.user.revived", "sync.user.revived", "sync.user.revived", "A user came back to a directory"),
    bulk("sync.user.deleted", "sync.user.deleted", "sync.user.deleted", "A user left a directory"),
    bulk("sync.user.undone", "sync.user.undone", "sync.user.undone", "What a run did to a user was undone"),
    bulk("sync.group.created", "sync.group.created", "sync.group.created", "A directory brought a group"),
    bulk("sync.group.updated", "sync.group.updated", "sync.group.updated", "A directory changed a group"),
    bulk("sync.group.deleted", "sync.group.deleted", "sync.group.deleted", "A group left a directory"),
    bulk("sync.group.undone", "sync.group.undone", "sync.group.undone", "What a run did to a group was undone"),
    rare("run.started", "directory_sync_started", "directory_sync_started", "A run over a directory began"),
    rare("run.completed", "directory_sync_completed", "directory_sync_completed", "A run over a directory ended"),
    rare("run.failed", "directory_sync_failed", "directory_sync_failed", "A run over a directory failed"),
    managed("api.user.created", "A user was made"),
    managed("api.user.updated", "A user was changed"),
    rare("api.user.deleted", "sdu", "fdu", "A user was deleted"),
    managed("self.user.created", "Somebody made a user of their own"),
    managed("self.user.updated", "Somebody changed their own profile"),
    bulk("import.user.created", "sui", "fui", "Import: a user was made"),
    bulk("import.user.updated", "sui", "fui", "Import: a user was changed"),
    own("identity.link_undone", "A link of two profiles was undone"),
    own("identity.linked", "An identity was linked to a profile"),
    own("identity.unlinked", "An identity was taken off a profile"),
    own("conflict.opened", "Something waits in the inbox for somebody's decision"),
    own("conflict.resolved", "Something of the inbox was decided"),
    rare("run.held", "sync.guard.tripped", "sync.guard.tripped", "What was to go is held for somebody's word"),
    managed("run.confirmed", "What a run held was let through"),
    managed("run.undone", "What a run did was undone"),
    managed("client.created", "An application was registered"),
    managed("client.updated", "An application was changed"),
    managed("client.secret_rotated", "An application got a new secret"),
    managed("client.revoked", "What an application was given was taken back"),
    managed("client.deleted", "An application was removed"),
    managed("connection.created", "A connection was created"),
    managed("connection.updated", "A connection was changed"),
    managed("connection.deleted", "A connection was removed"),
    own("connection.metadata_taken", "New metadata of an identity provider counts"),
    own("connection.metadata_held", "New metadata of an identity provider waits for somebody's word"),
    managed("organization.created", "An organization was created"),
    managed("organization.updated", "An organization was changed"),
    managed("organization.deleted", "An organization was removed"),
    managed("tenant.created", "A tenant was created"),
    managed("tenant.updated", "A tenant was changed"),
    managed("token.created", "A token was created"),
    managed("token.updated", "A token was changed"),
    managed("token.rotated", "A token was rotated"),
    managed("token.revoked", "A token was revoked"),
    managed("webhook.created", "A webhook was created"),
    managed("webhook.updated", "A webhook was changed"),
    managed("webhook.redelivered", "Events of a webhook are sent once more"),
    managed("webhook.deleted", "A webhook was removed"),
    own("webhook.disabled", "A webhook was disabled: its receiver is gone"),
    managed("schema.created", "A schema extension was registered"),
    managed("schema.updated", "A schema extension was changed"),
    managed("schema.deleted", "A schema extension was removed"),
    own("mapping.published", "A version of a mapping was published"),
    own("mapping.replayed", "A mapping was run again over what sources had sent"),
    own("block.added", "A profile was blocked"),
    own("block.lifted", "A block was lifted"),
    own("erasure.done", "A person was erased"),
];

/// Every kind that has a type.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|known| known.kind)
}

fn known(kind: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.kind == kind)
}

/// The type of a row; `reason` is that of a login that was refused. A kind of a newer program is its own type.
pub fn type_of<'k>(kind: &'k str, outcome: &str, reason: Option<&str>) -> &'k str {
    let Some(known) = known(kind) else { return kind };
    match (outcome, known.kind, reason) {
        ("ok", ..) => known.ok,
        (_, "login", Some("wrong_password")) => "fp",
        (_, "login", Some("unknown_user" | "ambiguous_user" | "no_jit")) => "fu",
        (_, "login", Some("too_many_failures")) => "limit_wc",
        _ => known.refused,
    }
}

/// Whether rows of this kind are few beside the others.
pub fn is_rare(kind: &str) -> bool {
    known(kind).is_none_or(|known| !known.bulk)
}

/// Whether rows of this type are few: what may be looked for by type through an index.
pub fn is_rare_type(name: &str) -> bool {
    !TABLE.iter().any(|known| known.bulk && (known.ok == name || known.refused == name))
}

/// The row in words.
pub fn description(kind: &str, outcome: &str, reason: Option<&str>) -> String {
    let says = known(kind).map_or(kind, |known| known.says);
    match (outcome, reason) {
        ("ok", _) => says.to_owned(),
        (_, Some(reason)) => format!("{says}, refused: {reason}"),
        _ => format!("{says}, refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_login_that_fails_says_by_its_code_whether_name_or_password_was_wrong() {
        assert_eq!(type_of("login", "ok", None), "s");
        assert_eq!(type_of("login", "refused", Some("wrong_password")), "fp");
        assert_eq!(type_of("login", "refused", Some("unknown_user")), "fu");
        assert_eq!(type_of("login", "refused", Some("too_many_failures")), "limit_wc");
        assert_eq!(type_of("login", "refused", Some("blocked")), "f");
    }

    #[test]
    fn each_kind_stands_once_and_own_types_are_dotted() {
        let all: BTreeSet<&str> = kinds().collect();
        assert_eq!(all.len(), TABLE.len());
        for known in TABLE {
            assert!(!known.says.is_empty() && !known.ok.is_empty() && !known.refused.is_empty(), "{}", known.kind);
        }
    }

    #[test]
    fn what_a_source_does_by_the_thousand_is_not_looked_for_by_its_type() {
        assert!(!is_rare("scim.user.created") && !is_rare_type("sscim") && !is_rare_type("sync.user.updated"));
        assert!(is_rare("login") && is_rare_type("fp") && is_rare_type("directory_sync_completed"));
    }

    #[test]
    fn a_kind_of_a_newer_program_is_its_own_type() {
        assert_eq!(type_of("garden.watered", "ok", None), "garden.watered");
    }
}
