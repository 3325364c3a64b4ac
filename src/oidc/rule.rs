//! Every reason why a login by OAuth or OpenID Connect is refused: a stable code, what was expected, what came. The person reads
//! the code alone; the rest is the administrator's.

/// Characters of what was expected or came that are told.
const SHOWN_CHARS: usize = 200;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$doc])* $name),+ }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }
        }
    };
}

rules! {
    /// The options of the connection make no provider.
    Settings = "oidc_settings",
    // What the provider says of itself.
    DiscoveryUnavailable = "oidc_discovery_unavailable",
    DiscoveryMalformed = "oidc_discovery_malformed",
    DiscoveryIssuer = "oidc_discovery_issuer",
    DiscoveryEndpoint = "oidc_discovery_endpoint",
    KeysUnavailable = "oidc_keys_unavailable",
    KeysMalformed = "oidc_keys_malformed",
    // The answer that a browser brings.
    Callback = "oidc_callback",
    /// Not this browser's, or none at all.
    StateUnknown = "oidc_state_unknown",
    StateExpired = "oidc_state_expired",
    StateUsed = "oidc_state_used",
    CallbackIssuer = "oidc_callback_issuer",
    /// The provider says that it did not sign the person in.
    ProviderError = "oidc_provider_error",
    /// The person said no.
    Cancelled = "oidc_cancelled",
    // The code, exchanged.
    ExchangeFailed = "oidc_exchange_failed",
    ExchangeRefused = "oidc_exchange_refused",
    TokenAnswerMalformed = "oidc_token_answer_malformed",
    NoAccessToken = "oidc_no_access_token",
    NoIdToken = "oidc_no_id_token",
    /// The person granted less than the connection requires.
    ScopeNotGranted = "oidc_scope_not_granted",
    // The ID token.
    TokenTooLarge = "oidc_token_too_large",
    TokenMalformed = "oidc_token_malformed",
    TokenEncrypted = "oidc_token_encrypted",
    TokenType = "oidc_token_type",
    TokenCritical = "oidc_token_critical",
    Algorithm = "oidc_algorithm",
    UnknownKey = "oidc_unknown_key",
    WeakKey = "oidc_weak_key",
    Signature = "oidc_signature",
    Issuer = "oidc_issuer",
    Tenant = "oidc_tenant",
    SubjectMissing = "oidc_subject_missing",
    Audience = "oidc_audience",
    AuthorizedParty = "oidc_authorized_party",
    TimesMissing = "oidc_times_missing",
    Expired = "oidc_expired",
    NotYetValid = "oidc_not_yet_valid",
    IssuedInFuture = "oidc_issued_in_future",
    NonceMissing = "oidc_nonce_missing",
    NonceMismatch = "oidc_nonce_mismatch",
    AccessTokenHash = "oidc_access_token_hash",
    AuthTimeMissing = "oidc_auth_time_missing",
    AuthTooOld = "oidc_auth_too_old",
    // Who it is.
    ProfileUnavailable = "oidc_profile_unavailable",
    ProfileMalformed = "oidc_profile_malformed",
    ProfileRefused = "oidc_profile_refused",
    ProfileSubject = "oidc_profile_subject",
    UserIdMissing = "oidc_user_id_missing",
    /// A number that can't be told apart from its neighbours, or what is no text at all.
    UserIdShape = "oidc_user_id_shape",
    RecordUnusable = "oidc_record_unusable",
}

/// Why nobody gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: Rule,
    pub expected: Option<String>,
    pub received: Option<String>,
}

impl Rule {
    pub fn refused(self) -> Refusal {
        Refusal { rule: self, expected: None, received: None }
    }
}

impl Refusal {
    #[must_use]
    pub fn expected(self, text: impl AsRef<str>) -> Self {
        Self { expected: Some(shown(text.as_ref())), ..self }
    }

    #[must_use]
    pub fn received(self, text: impl AsRef<str>) -> Self {
        Self { received: Some(shown(text.as_ref())), ..self }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.rule.code())?;
        self.expected.iter().try_for_each(|text| write!(f, "; expected {text}"))?;
        self.received.iter().try_for_each(|text| write!(f, "; received {text}"))
    }
}

/// Others wrote it: no longer than somebody reads, and nothing that moves a terminal.
pub fn shown(text: &str) -> String {
    let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut short: String = plain.take(SHOWN_CHARS).collect();
    if text.chars().count() > SHOWN_CHARS {
        short += "...";
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ() {
        let mut codes: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(codes.iter().all(|code| code.starts_with("oidc_")));
    }

    #[test]
    fn what_others_wrote_is_cut_and_harmless() {
        let refusal = Rule::Issuer.refused().expected("a\u{1b}[2Jb").received("x".repeat(1_000));
        assert_eq!(refusal.expected.as_deref(), Some("a [2Jb"));
        assert_eq!(refusal.received.expect("told").len(), SHOWN_CHARS + 3);
    }
}
