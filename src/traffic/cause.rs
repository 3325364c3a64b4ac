//! Why a request was refused: a closed set, finer than status and `scimType`, because "401" alone tells nobody what to do.

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// One reason. What the client is told may be coarser.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[$doc])* $name),+ }

        impl Cause {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in rows and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

causes! {
    /// 401: no Authorization header.
    TokenMissing = "token_missing",
    /// 401: the header holds something else than one bearer token.
    TokenMalformed = "token_malformed",
    /// 401: a token nobody made here.
    TokenUnknown = "token_unknown",
    TokenExpired = "token_expired",
    TokenRevoked = "token_revoked",
    /// 401: a management token, or a code of the console.
    TokenOfAnotherKind = "token_of_another_kind",
    /// 403: the token lacks the scope.
    ScopeMissing = "scope_missing",
    /// 403: discovery takes no filter.
    FilterOnDiscovery = "filter_on_discovery",
    /// Any other 403.
    Forbidden = "forbidden",
    /// 404: the address names another connection than the token opens.
    AnotherConnection = "another_connection",
    /// 404: no such endpoint below the base address.
    NoSuchEndpoint = "no_such_endpoint",
    /// 404: no such user or group, or none any more.
    NotFound = "not_found",
    /// 405.
    MethodNotAllowed = "method_not_allowed",
    /// 408.
    BodyTooSlow = "body_too_slow",
    /// 409: the userName is another user's.
    UserNameTaken = "user_name_taken",
    /// 409: the externalId is another's.
    ExternalIdTaken = "external_id_taken",
    /// 409: the displayName is another group's.
    GroupNameTaken = "group_name_taken",
    /// 409: some other unique value is taken.
    ValueTaken = "value_taken",
    /// 409: the e-mail address belongs to a user of another connection.
    EmailElsewhere = "email_elsewhere",
    /// 409: the person asked to be erased.
    Erased = "erased",
    /// 409: `repost = conflict`.
    Repost = "repost",
    /// 412.
    VersionMismatch = "version_mismatch",
    /// 400 `invalidCursor`, `expiredCursor`, `invalidCount`.
    Cursor = "cursor",
    /// 428: `require_if_match`, and no If-Match.
    VersionRequired = "version_required",
    /// 413: the body.
    BodyTooLarge = "body_too_large",
    /// 413: the profile that would come of it.
    ProfileTooLarge = "profile_too_large",
    /// 415.
    MediaType = "media_type",
    /// 400 `invalidSyntax`: the body is broken or no SCIM message.
    InvalidSyntax = "invalid_syntax",
    /// 400 `invalidValue`.
    InvalidValue = "invalid_value",
    /// 400 `invalidValue`: the connection's mapping refuses the resource.
    MappingRefuses = "mapping_refuses",
    /// 400 `invalidValue`: a member is no user or group of this connection.
    UnknownMembers = "unknown_members",
    /// 400 `invalidValue`: a group would be in itself.
    GroupInItself = "group_in_itself",
    InvalidFilter = "invalid_filter",
    InvalidPath = "invalid_path",
    NoTarget = "no_target",
    Mutability = "mutability",
    TooMany = "too_many",
    InvalidVersion = "invalid_version",
    Sensitive = "sensitive",
    /// Any other 4xx.
    BadRequest = "bad_request",
    /// 429: more requests than the token may make.
    TooManyRequests = "too_many_requests",
    /// 429: more deletions than the connection's budget allows.
    OverBudget = "over_budget",
    /// 501.
    NotSupported = "not_supported",
    /// 503: too much waits for the database.
    Busy = "busy",
    /// 503: the database is away.
    StoreUnavailable = "store_unavailable",
    /// 503: the connection's mapping does not compile.
    MappingBroken = "mapping_broken",
    /// 500.
    Internal = "internal",
    /// A SAML message that can't be read, or is not built as one has to be.
    SamlMessage = "saml_message",
    /// No signature, none that can be believed, or not by a key of the metadata.
    SamlSignature = "saml_signature",
    /// An encrypted assertion that could not be opened.
    SamlEncryption = "saml_encryption",
    /// For somebody else, or from somebody else.
    SamlAddress = "saml_address",
    /// Too early or too late.
    SamlTimes = "saml_times",
    /// The answer to a request that this browser did not make, or that was answered.
    SamlRequest = "saml_request",
    /// Nobody asked for it, and the connection does not allow that.
    SamlUnasked = "saml_unasked",
    /// The identity provider did not sign the person in as it was asked to.
    SamlStatus = "saml_status",
    /// It does not say for good who the person is.
    SamlSubject = "saml_subject",
    /// Nothing, or nothing that counts, is known of the identity provider.
    SamlMetadata = "saml_metadata",
    /// The options of a connection by OAuth lead to no provider, or what it says of itself can't be used.
    OidcProvider = "oidc_provider",
    /// An answer that this browser does not wait for, or that was used.
    OidcState = "oidc_state",
    /// The provider did not sign the person in, or the answer is another's.
    OidcAnswer = "oidc_answer",
    /// The code brought no tokens.
    OidcExchange = "oidc_exchange",
    /// The ID token can't be believed.
    OidcToken = "oidc_token",
    /// What the provider says of the person can't be had, or does not say who it is.
    OidcProfile = "oidc_profile",
    /// The roster does not let the person in: blocked, gone, unknown where nobody is made, or refused by the mapping.
    LoginDenied = "login_denied",
}

impl Cause {
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == word)
    }

    /// The cause where nothing finer is known: from the answer alone. None for an answer that refuses nothing.
    pub fn of_answer(status: u16, scim_type: Option<&str>) -> Option<Self> {
        let by_type = match scim_type.unwrap_or_default() {
            "invalidFilter" => Some(Self::InvalidFilter),
            "tooMany" => Some(Self::TooMany),
            "uniqueness" => Some(Self::ValueTaken),
            "mutability" => Some(Self::Mutability),
            "invalidSyntax" => Some(Self::InvalidSyntax),
            "invalidPath" => Some(Self::InvalidPath),
            "noTarget" => Some(Self::NoTarget),
            "invalidValue" => Some(Self::InvalidValue),
            "invalidVers" => Some(Self::InvalidVersion),
            "sensitive" => Some(Self::Sensitive),
            "invalidCursor" | "expiredCursor" | "invalidCount" => Some(Self::Cursor),
            _ => None,
        };
        let by_status = || match status {
            0..=399 => None,
            401 => Some(Self::TokenUnknown),
            403 => Some(Self::Forbidden),
            404 => Some(Self::NotFound),
            405 => Some(Self::MethodNotAllowed),
            408 => Some(Self::BodyTooSlow),
            409 => Some(Self::ValueTaken),
            412 => Some(Self::VersionMismatch),
            428 => Some(Self::VersionRequired),
            413 => Some(Self::BodyTooLarge),
            415 => Some(Self::MediaType),
            429 => Some(Self::TooManyRequests),
            400..=499 => Some(Self::BadRequest),
            501 => Some(Self::NotSupported),
            503 => Some(Self::Busy),
            _ => Some(Self::Internal),
        };
        by_type.or_else(by_status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_differ() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(*cause));
        }
        assert_eq!(Cause::parse("no such word"), None);
    }

    #[test]
    fn every_refusal_has_a_cause_and_no_success_has_one() {
        assert!((400..600).all(|status| Cause::of_answer(status, None).is_some()));
        assert!((200..400).all(|status| Cause::of_answer(status, None).is_none()));
        assert_eq!(Cause::of_answer(400, Some("noTarget")), Some(Cause::NoTarget));
    }
}
