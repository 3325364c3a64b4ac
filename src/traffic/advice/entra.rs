//! Microsoft Entra ID: in the words of Enterprise applications > (application) > Provisioning.

use crate::traffic::cause::Cause;

pub(super) fn change(cause: Cause) -> Option<&'static str> {
    connectivity(cause).or_else(|| mapping(cause)).or_else(|| waiting(cause))
}

/// Credentials, address, and what Entra remembers.
fn connectivity(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::TokenMissing
        | Cause::TokenMalformed
        | Cause::TokenUnknown
        | Cause::TokenExpired
        | Cause::TokenRevoked
        | Cause::TokenOfAnotherKind => {
            "Provisioning > Connectivity (Admin credentials): paste a new token (`rosterd token create --connection NAME`) into Secret \
             token, Test connection, Save. If the job is in quarantine, Restart provisioning afterwards."
        }
        Cause::ScopeMissing | Cause::Forbidden => {
            "Put a token with all scopes into Provisioning > Connectivity > Secret token, or turn off under Provisioning > Attribute \
             mapping the target object actions (Create, Update, Delete) or the mapping of groups that the token may not do."
        }
        Cause::AnotherConnection => {
            "Provisioning > Connectivity: Tenant URL and Secret token have to be of one connection; `rosterd connection show NAME` prints \
             the address. Append ?aadOptscim062020 to it, nothing else."
        }
        Cause::NoSuchEndpoint => {
            "Provisioning > Connectivity > Tenant URL: exactly what `rosterd connection show NAME` prints, with at most \
             ?aadOptscim062020 behind it; no /Users, no slash at the end."
        }
        Cause::NotFound => {
            "Entra remembers an id that is gone. It matches again by itself at the next cycle if the user still is in scope; if the same \
             id comes up again, Provisioning > Restart provisioning, which clears Entra's memory of ids."
        }
        _ => return None,
    })
}

/// Attribute mappings, matching, scope.
fn mapping(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::UserNameTaken => {
            "Provisioning > Attribute mapping > users: userName needs Matching precedence 1 (Match objects using this attribute), so that \
             Entra finds the user before it creates one. If two people really share the value, map userName from userPrincipalName."
        }
        Cause::ExternalIdTaken => {
            "If it is the same person: Provisioning > Attribute mapping > users, give externalId (or userName) Matching precedence 1, so that \
             Entra finds the user it tries to create. If two people share the value: map externalId from objectId instead of \
             mailNickname, then Restart provisioning."
        }
        Cause::GroupNameTaken => {
            "Two groups in scope have one name: rename one in Entra, or take it out under Users and groups. In Provisioning > Attribute \
             mapping > groups displayName has to have Matching precedence 1."
        }
        Cause::EmailElsewhere => {
            "Take the person out under Users and groups (or by a scoping filter) if another source feeds them; or decide the question in \
             the gateway's inbox; or set on_email_match=new on the connection. Then Provision on demand for that person."
        }
        Cause::Erased => {
            "Take the person out under Users and groups, or by a scoping filter in Provisioning > Attribute mapping."
        }
        Cause::Repost => {
            "Provisioning > Attribute mapping > users: give userName (or externalId) Matching precedence 1, so that Entra enables the user \
             it finds; or set repost=reactivate on the connection."
        }
        Cause::InvalidValue => {
            "Provisioning > Attribute mapping > users: the row of the attribute that the detail names. Map it from a field that is filled \
             for everybody in scope, give it a Default value if null, or delete the row."
        }
        Cause::MappingRefuses => {
            "Fill the attribute of this person in Entra and add its row under Provisioning > Attribute mapping, or exclude such people by \
             a scoping filter there. Then Provision on demand shows the answer."
        }
        Cause::UnknownMembers => {
            "The members are not in scope: assign them too (Users and groups), or set Settings > Scope to Sync only assigned users and \
             groups. They are created in the same cycle, before the next attempt of the group. ignore_unknown_members=true leaves them out."
        }
        Cause::InvalidFilter => {
            "Provisioning > Attribute mapping: the row with Matching precedence names an attribute that can't be searched. Match users by \
             userName, externalId or emails[type eq \"work\"].value and groups by displayName, and give no other row a precedence."
        }
        Cause::InvalidPath => {
            "Provisioning > Attribute mapping > Show advanced options > Edit attribute list: the target attribute that the detail names \
             is misspelt or does not exist. Correct it there or delete its row. Names of extensions carry their whole URN."
        }
        Cause::NoTarget => {
            "Append ?aadOptscim062020 to Provisioning > Connectivity > Tenant URL: Entra then names members by a filter, as RFC 7644 has it."
        }
        Cause::Mutability => {
            "Provisioning > Attribute mapping: delete the row of the attribute that the detail names (id, meta and groups are the server's)."
        }
        Cause::TooMany => {
            "Provisioning > Attribute mapping: give Matching precedence only to userName, externalId or emails[type eq \"work\"].value; \
             other attributes are not indexed."
        }
        _ => return None,
    })
}

/// What passes by itself, or on the gateway's side.
fn waiting(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::TooManyRequests | Cause::Busy => {
            "Nothing: Entra waits for Retry-After and repeats; the failed object is tried again at the next cycle, about 40 minutes later."
        }
        Cause::OverBudget => {
            "Check Users and groups and the scoping filters first: a group taken out of scope looks like this. If it is meant, confirm with \
             `rosterd runs list` and `rosterd runs confirm RUN --hash HASH`; Entra repeats at its next cycle. Settings > Prevent accidental \
             deletion stops it on Entra's side already."
        }
        Cause::StoreUnavailable | Cause::MappingBroken | Cause::Internal => {
            "Nothing in Entra: failed objects are tried again at every cycle. Mend the gateway, then Provision on demand for one person; \
             Restart provisioning only if the job is in quarantine."
        }
        _ => return None,
    })
}
