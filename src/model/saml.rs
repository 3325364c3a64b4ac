//! What a connection of kind `samlp` may be told, as types. Their spelling on the outside is [`super::options`]; whether the
//! identity provider can be believed is for `saml`, which has its metadata.

/// More than this is no clock that is off.
pub const CLOCK_SKEW_SECONDS_MAX: u32 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignRequests {
    /// Where its metadata wants it.
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBinding {
    /// By redirect where it takes that, else by a form.
    Auto,
    Redirect,
    Post,
}

/// How the id of a person is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIdFormat {
    AsSent,
    /// A GUID of Active Directory, which products send as base64 of its bytes: as text, like a directory's connection has it.
    Guid,
}

/// What a key of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Signs, and opens what is encrypted to it.
    Current,
    /// Published, so that identity providers know it when it signs.
    Next,
    /// Signed until lately; opens what is still encrypted to it.
    Former,
}

impl KeyState {
    pub const ALL: [Self; 3] = [Self::Current, Self::Next, Self::Former];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
            Self::Former => "former",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The options of one connection, each with its default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlOptions {
    pub metadata_url: Option<String>,
    pub metadata_file: Option<String>,
    pub idp_entity_id: Option<String>,
    pub allow_plaintext: bool,
    /// How long a certificate counts that the metadata no longer lists.
    pub certificate_grace_days: u32,
    pub user_id_attribute: Option<String>,
    pub user_id_format: UserIdFormat,
    pub decryption_key_file: Option<String>,
    pub decryption_cert_file: Option<String>,
    pub encrypt_assertions: bool,
    pub allow_cbc: bool,
    pub clock_skew_seconds: u32,
    pub idp_initiated: bool,
    pub idp_initiated_target: Option<String>,
    pub sign_requests: SignRequests,
    pub request_binding: RequestBinding,
    pub force_authn: bool,
    pub name_id_format: Option<String>,
    /// Any of these; none: any at all.
    pub authn_contexts: Vec<String>,
    pub sp_entity_id: Option<String>,
    pub single_logout: bool,
}

impl SamlOptions {
    /// Whether our requests are signed, to an identity provider that wants it or does not.
    pub fn signs_requests(&self, is_wanted: bool) -> bool {
        match self.sign_requests {
            SignRequests::Always => true,
            SignRequests::Never => false,
            SignRequests::Auto => is_wanted,
        }
    }
}

impl Default for SamlOptions {
    fn default() -> Self {
        Self {
            metadata_url: None,
            metadata_file: None,
            idp_entity_id: None,
            allow_plaintext: false,
            certificate_grace_days: 7,
            user_id_attribute: None,
            user_id_format: UserIdFormat::AsSent,
            decryption_key_file: None,
            decryption_cert_file: None,
            encrypt_assertions: false,
            allow_cbc: false,
            clock_skew_seconds: 60,
            idp_initiated: false,
            idp_initiated_target: None,
            sign_requests: SignRequests::Auto,
            request_binding: RequestBinding::Auto,
            force_authn: false,
            name_id_format: None,
            authn_contexts: Vec::new(),
            sp_entity_id: None,
            single_logout: true,
        }
    }
}
