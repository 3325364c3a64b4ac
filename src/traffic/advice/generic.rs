//! For any client: what each cause means, and what to change where nothing is known of the product.

use crate::traffic::cause::Cause;

/// What happened, for somebody who has never read the RFC.
pub(super) fn why(cause: Cause) -> &'static str {
    match cause {
        Cause::TokenMissing => "The request carried no bearer token.",
        Cause::TokenMalformed => "The Authorization header did not hold exactly one bearer token.",
        Cause::TokenUnknown => "The token is none that was made for this gateway.",
        Cause::TokenExpired => "The token was right once and has expired.",
        Cause::TokenRevoked => "The token was right once and was deleted.",
        Cause::TokenOfAnotherKind => "The token is not one of a SCIM connection: it opens the management API or the console.",
        Cause::ScopeMissing => "The token was made without the scope for this request.",
        Cause::FilterOnDiscovery => "Discovery endpoints take no filter (RFC 7644 section 4).",
        Cause::Forbidden => "The token may not do this.",
        Cause::AnotherConnection => "The address names another connection than the one whose token was sent.",
        Cause::NoSuchEndpoint => "There is no such endpoint below the connection's base address.",
        Cause::NotFound => "The client asked for an id that does not exist on this connection, or no longer.",
        Cause::MethodNotAllowed => "This endpoint does not have that method.",
        Cause::BodyTooSlow => "The body did not arrive within the time allowed.",
        Cause::UserNameTaken => "Another user of this connection has that userName, in whichever case of letters.",
        Cause::ExternalIdTaken => {
            "A user or group of this connection has that externalId already: the same one created again, or two that share it."
        }
        Cause::GroupNameTaken => "Another group of this connection has that displayName, in whichever case of letters.",
        Cause::ValueTaken => "A value that has to be unique on this connection is taken.",
        Cause::EmailElsewhere => "A user of another connection has that e-mail address. A question waits in the inbox.",
        Cause::Erased => "The person behind this externalId asked to be erased; the id stays refused.",
        Cause::Repost => "An inactive user has this externalId or userName, and the connection says repost = conflict.",
        Cause::VersionMismatch => "The resource changed since the client read it, and If-Match named the version before.",
        Cause::VersionRequired => "The connection says require_if_match = true, and the request named no version.",
        Cause::Cursor => "The cursor is too old, or not one of this list: another question, page size or token came with it.",
        Cause::BodyTooLarge => "The body is larger than the gateway takes.",
        Cause::ProfileTooLarge => "The profile that the mapping makes of this user would be too large.",
        Cause::MediaType => "The body was not sent as application/scim+json or application/json in UTF-8.",
        Cause::InvalidSyntax => "The body is broken JSON, or no SCIM message.",
        Cause::InvalidValue => "An attribute is missing, or its value is not what the schema asks for; the detail names it.",
        Cause::MappingRefuses => "The connection's mapping demands a value that this user does not bring; the detail names it.",
        Cause::UnknownMembers => "The group names members that are no users or groups of this connection.",
        Cause::GroupInItself => "The group would be a member of itself, directly or through others.",
        Cause::InvalidFilter => "The filter names an attribute that does not exist, or can't be read.",
        Cause::InvalidPath => "A PATCH path names an attribute that does not exist, or can't be read.",
        Cause::NoTarget => "A PATCH operation has no path where it needs one, or its filter matched nothing.",
        Cause::Mutability => "The client tried to change what only the server may, or to remove what is required.",
        Cause::TooMany => "The filter has no indexed attribute, and there are too many resources to look at each.",
        Cause::InvalidVersion => "The client asks for a version of the protocol that is not served.",
        Cause::Sensitive => "The address carried what has to travel in a body.",
        Cause::BadRequest => "The request could not be understood.",
        Cause::TooManyRequests => "The token made more requests than it may in that time.",
        Cause::OverBudget => "The connection removed more this hour than its budget allows. Nothing was removed; it is held.",
        Cause::NotSupported => "This part of the protocol is not served.",
        Cause::Busy => "Too much waited for the database at that moment. Nothing was stored.",
        Cause::StoreUnavailable => "The gateway could not reach its database. Nothing is known to be stored.",
        Cause::MappingBroken => "The mapping of this connection does not compile, so nothing can be taken.",
        Cause::Internal => "The gateway failed; its log has the reason under this request id.",
        Cause::SamlMessage => "The SAML message can't be read, or is not built as one has to be; the detail says where.",
        Cause::SamlSignature => "Nothing that counts of the SAML message is signed by a key of the connection's metadata.",
        Cause::SamlEncryption => "The assertion is encrypted in a way, or for a key, that it can't be opened with here.",
        Cause::SamlAddress => "The SAML message is for somebody else, or from another identity provider than the connection's.",
        Cause::SamlTimes => "The SAML message came before or after the time it says it is valid for.",
        Cause::SamlRequest => {
            "The SAML message answers a request that this browser did not make, that is over ten minutes old, or that was answered."
        }
        Cause::SamlUnasked => "The identity provider began this itself, which the connection does not allow.",
        Cause::SamlStatus => "The identity provider did not sign the person in, or not in the way it was asked to.",
        Cause::SamlSubject => "The assertion does not say in a lasting way who the person is.",
        Cause::SamlMetadata => "Nothing that may be believed is known of the connection's identity provider.",
        Cause::OidcProvider => "Of the connection's provider nothing usable is known; the detail says what it says of itself.",
        Cause::OidcState => {
            "The browser brought an answer to a login that it did not begin, that is over ten minutes old, or that was answered."
        }
        Cause::OidcAnswer => {
            "The provider did not sign the person in, or the answer is another provider's; the detail has its words."
        }
        Cause::OidcExchange => "The provider gave no tokens for the code; the detail has its words.",
        Cause::OidcToken => "The ID token can't be believed: it is not of this provider, for us, for this login, or of now.",
        Cause::OidcProfile => "The provider does not say who the person is, or the profile is somebody else's.",
        Cause::LoginDenied => {
            "The identity provider vouches for the person, and the roster does not let them in; the detail says why."
        }
    }
}

/// What to change, without knowing the product.
#[expect(clippy::too_many_lines, reason = "a table of texts; the compiler sees that no cause is missing")]
pub(super) fn change(cause: Cause) -> &'static str {
    match cause {
        Cause::TokenMissing | Cause::TokenMalformed => {
            "Set the client's authentication to bearer token (HTTP header `Authorization: Bearer …`) and paste the token alone, \
             without quotes, blanks or a second scheme."
        }
        Cause::TokenUnknown | Cause::TokenExpired | Cause::TokenRevoked => {
            "Make a token with `rosterd token create --connection NAME` and put it in place of the old one in the client's \
             provisioning settings."
        }
        Cause::TokenOfAnotherKind => {
            "Use a token made with `rosterd token create --connection NAME`; an administrator's token never opens SCIM."
        }
        Cause::ScopeMissing | Cause::Forbidden => {
            "Use a token with all scopes (`rosterd token create --connection NAME`), or turn this kind of provisioning off in the client."
        }
        Cause::FilterOnDiscovery => "Have the client read discovery without a filter.",
        Cause::AnotherConnection => {
            "Check the client's base address against `rosterd connection show NAME`: address and token have to be of one connection."
        }
        Cause::NoSuchEndpoint => {
            "Set the client's base address to exactly what `rosterd connection show NAME` prints, without /Users and without a second /v2."
        }
        Cause::NotFound => {
            "Nothing, if the client creates the resource next. Else its memory of ids is older than the gateway's data: clear it and \
             run a full synchronisation, so that it matches by userName again."
        }
        Cause::MethodNotAllowed => "Have the client use the methods that the Allow header of the answer lists.",
        Cause::BodyTooSlow => "Look at the network between client and gateway; the client may simply repeat the request.",
        Cause::UserNameTaken => {
            "Make the attribute that the client sends as userName unique per person, or match the user that exists: let the client \
             look for userName before it creates."
        }
        Cause::ExternalIdTaken => {
            "Nothing, if it is the same person created again (a repeat after a timeout). If it goes on, let the client look for the user \
             before it creates; if two people share the value, send as externalId an id that no two share."
        }
        Cause::GroupNameTaken => {
            "Rename one of the two groups at the source, or match the group that exists instead of creating it."
        }
        Cause::ValueTaken => "Find the other resource with that value and give one of the two another one.",
        Cause::EmailElsewhere => {
            "Decide which source the person belongs to, and take them out of the other one's assignment; or let an administrator \
             decide the question in the inbox, or set on_email_match = new on the connection."
        }
        Cause::Erased => "Take the person out of the client's assignment.",
        Cause::Repost => {
            "Have the client reactivate the user it knows (active = true) instead of creating it, or set repost = reactivate."
        }
        Cause::VersionMismatch => {
            "Nothing: the client has to read again and repeat. If it never does, have it leave out If-Match."
        }
        Cause::VersionRequired => {
            "Have the client send If-Match with the version it read, or set require_if_match = false on the connection."
        }
        Cause::Cursor => {
            "Have the client begin again with an empty cursor and repeat its parameters unchanged; scim.cursor_timeout_seconds is \
             how long a cursor holds."
        }
        Cause::BodyTooLarge => {
            "Have the client send fewer members or operations in one request; server.body_bytes_max is the limit."
        }
        Cause::ProfileTooLarge => "Send fewer or shorter attributes for this user, or have the mapping take less of them.",
        Cause::MediaType => "Have the client send `Content-Type: application/scim+json`.",
        Cause::InvalidSyntax => {
            "Mend the template or mapping that the client builds its bodies from; the recorded body shows what came."
        }
        Cause::InvalidValue => {
            "Change the attribute that the detail names in the client's attribute mapping: map it from a field that is never empty and \
             has the right form, or take it out."
        }
        Cause::MappingRefuses => {
            "Fill the attribute that the detail names at the source, take such people out of the assignment, or make the rule in the \
             connection's mapping less strict."
        }
        Cause::UnknownMembers => {
            "Assign the missing people to the application too, so that they are created before the group names them; or set \
             ignore_unknown_members=true on the connection."
        }
        Cause::GroupInItself => "Take the group out of its own members at the source.",
        Cause::InvalidFilter => "Have the client match by userName, externalId or emails: these are always there and indexed.",
        Cause::InvalidPath => {
            "Take the attribute that the detail names out of the client's attribute mapping, or correct its name."
        }
        Cause::NoTarget => "Have the client name the attribute in `path`; a filter in it has to match an element that exists.",
        Cause::Mutability => {
            "Take the attribute that the detail names out of the client's attribute mapping: the server owns it."
        }
        Cause::TooMany => {
            "Have the client filter by userName, externalId, emails or id, alone or together with what it asks for."
        }
        Cause::InvalidVersion => "Set the client to SCIM 2.0.",
        Cause::Sensitive => "Have the client search by POST to /.search.",
        Cause::BadRequest => "Compare the recorded request with what the documentation says of this endpoint.",
        Cause::TooManyRequests => {
            "Nothing: clients repeat after Retry-After. If it goes on, lower the client's rate or raise limits.token_requests_per_second."
        }
        Cause::OverBudget => {
            "If the removals are meant: `rosterd runs list`, `rosterd runs show RUN`, `rosterd runs confirm RUN --hash HASH`; the client's \
             next attempt passes. If not: correct the client's scope or assignment before its next cycle."
        }
        Cause::NotSupported => "Turn this feature off in the client (bulk requests, /Me).",
        Cause::Busy => "Nothing: clients repeat after Retry-After. If it goes on, let the client send fewer requests at a time.",
        Cause::StoreUnavailable => "Nothing on the client's side: clients repeat. Look at the gateway's log and its database.",
        Cause::MappingBroken => "Nothing on the client's side: `rosterd mapping check` names the mistake; clients repeat.",
        Cause::Internal => "Nothing on the client's side: look for the request id in the gateway's log and report it.",
        Cause::SamlMessage => {
            "Set the identity provider to SAML 2.0 with a plain response by POST. If it was, keep the message: it may be an attack."
        }
        Cause::SamlSignature => {
            "Have the identity provider sign response or assertion with RSA or ECDSA and SHA-256; if its certificate changed, have \
             its metadata read again: `rosterd connection metadata NAME --refresh`."
        }
        Cause::SamlEncryption => {
            "Give the identity provider our metadata again, and have it encrypt with AES-GCM; `allow_cbc = true` takes AES-CBC, \
             from assertions that are signed."
        }
        Cause::SamlAddress => {
            "Enter ACS URL and entity id at the identity provider exactly as `rosterd connection check NAME` prints them; compare \
             its entity id with the one there."
        }
        Cause::SamlTimes => {
            "Compare the clocks of the identity provider and of this machine (NTP); clock_skew_seconds allows for up to 300 seconds."
        }
        Cause::SamlRequest => {
            "Nothing, if the person waited too long, went back, or used two browsers: they sign in again. If it is everybody, a \
             proxy may be taking our cookies, or server.public_url is not the address that browsers use."
        }
        Cause::SamlUnasked => {
            "Let people begin at the application (its address, or /login/NAME), or set idp_initiated = true on the connection, \
             knowing what that allows."
        }
        Cause::SamlStatus => {
            "Look at the identity provider's own log: it may not have assigned the person to this application, or can't do what \
             force_authn, authn_contexts or name_id_format of the connection ask for."
        }
        Cause::SamlSubject => {
            "Have the identity provider send a persistent NameID, or an attribute that never changes, and name that in \
             user_id_attribute."
        }
        Cause::SamlMetadata => {
            "Set metadata_url, or hand the metadata over with `rosterd connection metadata NAME --set FILE`; \
             `rosterd connection check NAME` says what is missing."
        }
        Cause::OidcProvider => {
            "`rosterd connection check NAME` reads it and says what is missing; issuer has to be what the provider's document calls \
             itself, letter by letter."
        }
        Cause::OidcState => {
            "Nothing, if the person waited too long, went back, or used two browsers: they sign in again. If it is everybody, a \
             proxy may be taking our cookies, or server.public_url is not the address that browsers use."
        }
        Cause::OidcAnswer => {
            "Look at the provider's own log. The usual reasons are a redirect URI that is not registered there (`rosterd connection \
             check NAME` prints ours), a scope it does not know, and people it has not assigned to the application."
        }
        Cause::OidcExchange => {
            "Compare client_id and client_secret with the provider's; some want client_authentication = basic or post, some refuse \
             a challenge (pkce = never)."
        }
        Cause::OidcToken => {
            "Compare issuer and client_id with the provider's, and the clocks of both. An unknown key or algorithm: look at jwks_url \
             and algorithms. If all of that is right, keep the time: it may be an attack."
        }
        Cause::OidcProfile => {
            "Look at scopes and profile_url, and at user_id_path: it has to name a claim that every person has and that never changes."
        }
        Cause::LoginDenied => {
            "By the detail: no_jit is create_on_login = false and an unknown person; blocked and deprovisioned are what a push, a \
             directory or an administrator said of them; skipped, denied and rejected come from the connection's mapping."
        }
    }
}
