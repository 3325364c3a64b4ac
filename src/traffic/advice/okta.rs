//! Okta: in the words of Applications > (application), its tabs Provisioning, Sign On, Assignments and Push Groups.

use crate::traffic::cause::Cause;

pub(super) fn change(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::TokenMissing | Cause::TokenMalformed => {
            "Provisioning > Integration > Edit: Authentication mode HTTP Header, and in Authorization the token alone (in the catalogue's \
             Header Auth application `Bearer ` and the token). Test Connector Configuration, Save."
        }
        Cause::TokenUnknown | Cause::TokenExpired | Cause::TokenRevoked | Cause::TokenOfAnotherKind => {
            "Provisioning > Integration > Edit > Authorization: paste a new token (`rosterd token create --connection NAME`), Test Connector \
             Configuration, Save. Then Dashboard > Tasks: select what failed and Retry Selected."
        }
        Cause::ScopeMissing | Cause::Forbidden => {
            "Put a token with all scopes into Provisioning > Integration, or untick what the token may not do under Supported provisioning \
             actions and Provisioning > To App (Create Users, Update User Attributes, Deactivate Users)."
        }
        Cause::AnotherConnection | Cause::NoSuchEndpoint => {
            "Provisioning > Integration > Edit > SCIM connector base URL: exactly what `rosterd connection show NAME` prints, of the \
             connection whose token stands below it, without /Users."
        }
        Cause::NotFound => {
            "Okta remembers an id that is gone. Assignments: unassign and assign the person again (Okta then looks for the userName); for a \
             group, Push Groups > Unlink pushed group and push it again."
        }
        Cause::UserNameTaken => {
            "Sign On > Application username format: choose one that is unique per person (Okta username, Email), then Assignments > Update \
             now. If the user is there already, import it (Import > Import Now) and confirm the match."
        }
        Cause::ExternalIdTaken => {
            "If it is the same person: Import > Import Now and confirm the match, then Dashboard > Tasks > Retry Selected. If two people \
             share the value: Provisioning > To App > Attribute Mappings, leave externalId to Okta's own user id (user.id)."
        }
        Cause::GroupNameTaken => {
            "Push Groups: link to the existing group (Match result & push action > Link Group) instead of creating one, or rename one of the two."
        }
        Cause::EmailElsewhere => {
            "Assignments: unassign the person if another source feeds them; or decide the question in the gateway's inbox; or set \
             on_email_match=new on the connection. Then Dashboard > Tasks > Retry Selected."
        }
        Cause::Erased => "Assignments: unassign the person, and leave them out of assigned groups.",
        Cause::Repost => {
            "Import the user (Import > Import Now) and confirm the match, so that Okta activates it; or set repost=reactivate on the \
             connection, which Okta expects."
        }
        Cause::InvalidValue => {
            "Provisioning > To App > Attribute Mappings: the attribute that the detail names. Map it from a field that is filled, set Apply \
             on to Create and update, or remove it in Directory > Profile Editor > (application)."
        }
        Cause::MappingRefuses => {
            "Fill the attribute in the person's Okta profile and map it under Provisioning > To App > Attribute Mappings, then Force Sync; or \
             unassign such people."
        }
        Cause::UnknownMembers => {
            "Push Groups pushes only members that are assigned: assign the group (or its missing people) under Assignments first, then Push \
             Groups > Push now. ignore_unknown_members=true on the connection leaves strangers out."
        }
        Cause::InvalidFilter | Cause::TooMany => {
            "Provisioning > Integration > Unique identifier field for users: userName. Another name there becomes a filter by an attribute \
             that does not exist or is not indexed."
        }
        Cause::InvalidPath | Cause::Mutability => {
            "Directory > Profile Editor > (application) > the attribute that the detail names: correct External name and External \
             namespace, or delete it; then Provisioning > To App > Attribute Mappings."
        }
        Cause::MediaType => {
            "Use an application with SCIM 2.0 (General > App settings > Provisioning: SCIM); it sends application/scim+json."
        }
        Cause::NotSupported => {
            "Untick Import Groups or other options of Provisioning > Integration that this connection does not serve."
        }
        Cause::TooManyRequests | Cause::Busy => {
            "Nothing: Okta waits for Retry-After and repeats. What it gave up stands under Dashboard > Tasks: Retry Selected."
        }
        Cause::OverBudget => {
            "Check Assignments and assigned groups first: a group unassigned by mistake looks like this. If it is meant, confirm with \
             `rosterd runs list` and `rosterd runs confirm RUN --hash HASH`, then Dashboard > Tasks > Retry Selected."
        }
        Cause::StoreUnavailable | Cause::MappingBroken | Cause::Internal => {
            "Nothing in Okta until the gateway is mended; then Dashboard > Tasks: select what failed and Retry Selected."
        }
        _ => return None,
    })
}
