//! Products with a screen or a template that is the usual way out. What is not here has the words for any client.

use crate::traffic::cause::Cause;
use crate::traffic::source::Idp;

pub(super) fn change(cause: Cause, idp: Idp) -> Option<&'static str> {
    match idp {
        Idp::OneLogin => onelogin(cause),
        Idp::Google => google(cause),
        Idp::JumpCloud => jumpcloud(cause),
        Idp::Ping => ping(cause),
        Idp::Authentik => authentik(cause),
        _ => None,
    }
}

/// The four that every product's connection screen settles.
fn is_credential(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::TokenMissing
            | Cause::TokenMalformed
            | Cause::TokenUnknown
            | Cause::TokenExpired
            | Cause::TokenRevoked
            | Cause::TokenOfAnotherKind
    )
}

fn is_address(cause: Cause) -> bool {
    matches!(cause, Cause::AnotherConnection | Cause::NoSuchEndpoint)
}

fn onelogin(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        cause if is_credential(cause) => {
            "Configuration > API Connection: paste a new token (`rosterd token create --connection NAME`) into SCIM Bearer Token, then \
             disable and enable the connection."
        }
        cause if is_address(cause) => {
            "Configuration > API Connection > SCIM Base URL: exactly what `rosterd connection show NAME` prints."
        }
        Cause::InvalidValue | Cause::InvalidSyntax | Cause::InvalidPath | Cause::Mutability => {
            "Configuration > SCIM JSON Template: correct the attribute that the detail names; booleans without quotes, no \"id\", and the \
             URN urn:ietf:params:scim:schemas:core:2.0:User. Values come from Parameters; then Users > Reapply entitlement mappings."
        }
        Cause::UserNameTaken | Cause::ExternalIdTaken => {
            "Parameters > SCIM Username: choose a field that is unique per person, then retry the task under Users > Provisioning."
        }
        _ => return None,
    })
}

fn google(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        cause if is_credential(cause) => {
            "Admin console > Apps > Web and mobile apps > (application) > Autoprovisioning: Update access token, and paste a new one \
             (`rosterd token create --connection NAME`)."
        }
        cause if is_address(cause) => {
            "Autoprovisioning > Edit credentials > Endpoint URL: exactly what `rosterd connection show NAME` prints."
        }
        Cause::InvalidValue | Cause::InvalidPath | Cause::MappingRefuses => {
            "Autoprovisioning > Attribute mapping: choose another Google directory attribute for what the detail names, or fill it for this person."
        }
        _ => return None,
    })
}

fn jumpcloud(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        cause if is_credential(cause) => {
            "SSO Applications > (application) > Identity Management > Token Key: paste a new token (`rosterd token create --connection \
             NAME`), Test Connection, Activate."
        }
        cause if is_address(cause) => {
            "Identity Management > Base URL: exactly what `rosterd connection show NAME` prints; SCIM version: SCIM 2.0."
        }
        Cause::InvalidValue | Cause::InvalidPath | Cause::InvalidSyntax => {
            "Identity Management > Attribute mapping: correct or remove the attribute that the detail names, and choose SCIM 2.0, not 1.1."
        }
        _ => return None,
    })
}

fn ping(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        cause if is_credential(cause) => {
            "The SCIM connection's target: Authentication Method OAuth 2 Bearer Token (not Basic), and in it a new token (`rosterd token \
             create --connection NAME`)."
        }
        cause if is_address(cause) => {
            "The SCIM connection's target: SCIM URL exactly as `rosterd connection show NAME` prints it, SCIM version 2.0."
        }
        Cause::InvalidFilter | Cause::TooMany => {
            "The SCIM connection's Unique User Identifier (User Filter Expression): userName eq \"…\"; userName, externalId and emails are indexed."
        }
        Cause::MethodNotAllowed => "The SCIM connection's update method: PATCH or PUT, for users and for groups.",
        Cause::InvalidValue | Cause::InvalidPath => {
            "The SCIM connection's attribute mapping: correct or remove the attribute that the detail names."
        }
        _ => return None,
    })
}

fn authentik(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        cause if is_credential(cause) => {
            "Providers > (SCIM provider) > Edit > Token: paste a new one (`rosterd token create --connection NAME`), then Run sync again."
        }
        cause if is_address(cause) => {
            "Providers > (SCIM provider) > Edit > URL: exactly what `rosterd connection show NAME` prints."
        }
        Cause::InvalidValue | Cause::InvalidPath | Cause::MappingRefuses => {
            "Customization > Property mappings: the SCIM mapping of the provider gives a wrong or empty value for what the detail names."
        }
        _ => return None,
    })
}
