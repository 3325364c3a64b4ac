//! Every reason to refuse a message, by name: one rule, one stable code, one sentence for the administrator.
//!
//! A check is written as [`require`] with its rule, or ends in [`Rule::refusal`] where reading can't go on. So a rule can be
//! switched off by its name, which is how `scripts/saml-rules.py` shows that a test would notice (`RULES.md`). That switch is
//! there only with the feature `mutation`, which a release build refuses to be compiled with.

use std::fmt;

/// What of a received value is kept for the administrator.
const FACT_CHARACTERS_MAX: usize = 300;

macro_rules! rules {
    ($( $variant:ident $code:literal $says:literal )*) => {
        /// A rule a message has to keep.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $( #[doc = $says] $variant, )*
            /// Stands for a rule that was switched off where reading could not go on.
            #[cfg(feature = "mutation")]
            SwitchedOff,
        }

        impl Rule {
            /// Every rule, in the order in which they are asked.
            pub const ALL: &[Rule] = &[$( Rule::$variant, )*];

            /// The stable reason code: in logs, in the audit trail, on the error page.
            pub const fn code(self) -> &'static str {
                match self {
                    $( Self::$variant => concat!("saml_", $code), )*
                    #[cfg(feature = "mutation")]
                    Self::SwitchedOff => "switched_off",
                }
            }

            /// What the message did wrong, in a sentence.
            pub const fn says(self) -> &'static str {
                match self {
                    $( Self::$variant => $says, )*
                    #[cfg(feature = "mutation")]
                    Self::SwitchedOff => "a rule was switched off",
                }
            }
        }
    };
}

rules! {
    // transport
    MessageTooLarge "message_too_large" "the message is larger than 512 KiB, 256 KiB once inflated or decrypted, or 768 KiB in canonical form"
    NotBase64 "not_base64" "the message is not base64"
    NotUtf8 "not_utf8" "the message is not UTF-8"
    ByteOrderMark "byte_order_mark" "the message begins with a byte order mark"
    NotDeflated "not_deflated" "the message of a redirect can't be inflated"
    QueryParameters "query_parameters" "the query has repeated or missing SAML parameters"
    RelayStateTooLong "relay_state_too_long" "RelayState is longer than 1 KiB"
    // scan
    IllegalCharacter "illegal_character" "the message has a character XML forbids"
    XmlDeclaration "xml_declaration" "the XML declaration is not version 1.0 in UTF-8"
    Doctype "doctype" "the message has a document type declaration"
    ProcessingInstruction "processing_instruction" "the message has a processing instruction"
    Cdata "cdata" "the message has a CDATA section"
    Comment "comment" "the message has a comment"
    EntityReference "entity_reference" "the message has a reference that is none of XML's own five or a number"
    CharacterReference "character_reference" "a numeric reference stands for no legal character"
    TextOutsideRoot "text_outside_root" "there is text outside the root element"
    SecondRoot "second_root" "there is a second root element"
    Truncated "truncated" "the message ends before its root element does"
    MismatchedTag "mismatched_tag" "an end tag is not that of the open element"
    MalformedMarkup "malformed_markup" "a tag, an attribute or a name is not well-formed"
    DuplicateAttribute "duplicate_attribute" "an element has an attribute twice"
    UndeclaredPrefix "undeclared_prefix" "a prefix is not declared"
    NamespaceName "namespace_name" "a namespace name is relative, reserved, longer than 512 bytes or has references in it"
    TooDeep "too_deep" "elements are nested more than 32 deep"
    TooManyElements "too_many_elements" "there are more than 4,000 elements (metadata: 100,000)"
    TooManyAttributes "too_many_attributes" "an element has more than 64 attributes"
    TooManyNamespaces "too_many_namespaces" "an element declares more than 32 namespaces"
    // structure
    RootNotResponse "root_not_response" "the root element is not a samlp:Response"
    ResponseVersion "response_version" "the Response is not of version 2.0"
    StatusNotSuccess "status_not_success" "the identity provider answered with another status than Success"
    NoAssertion "no_assertion" "there is no assertion"
    SeveralAssertions "several_assertions" "there is more than one assertion"
    MisplacedAssertion "misplaced_assertion" "the assertion is no direct child of the Response, or not of SAML's namespace"
    NestedResponse "nested_response" "there is a Response inside the Response"
    MissingId "missing_id" "the Response or the assertion has no ID"
    MalformedId "malformed_id" "an ID is no XML name"
    DuplicateId "duplicate_id" "two elements have the same ID"
    MisplacedId "misplaced_id" "an attribute that could pass for an ID stands where none belongs"
    // signature
    Unsigned "unsigned" "neither the Response nor the assertion is signed"
    TooManySignatures "too_many_signatures" "there are more signatures than the Response's and the assertion's"
    MisplacedSignature "misplaced_signature" "a signature is no direct child of the Response or the assertion"
    SignatureShape "signature_shape" "a signature has other parts than SignedInfo, SignatureValue and KeyInfo, or other parts inside these"
    SignatureObject "signature_object" "a signature carries an Object"
    Canonicalization "canonicalization" "SignedInfo is not canonicalised by exclusive C14N without comments"
    SignatureAlgorithm "signature_algorithm" "the signature algorithm is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512"
    ReferenceCount "reference_count" "a signature has not exactly one reference"
    ReferenceUri "reference_uri" "a signature refers to something else than the element it stands in"
    Transforms "transforms" "the transforms are not enveloped-signature and then exclusive C14N"
    DigestAlgorithm "digest_algorithm" "the digest is not SHA-256, SHA-384 or SHA-512"
    SignatureValue "signature_value" "a digest or signature value is not plain base64"
    // verify
    NoCertificate "no_certificate" "the connection has no signing certificate"
    WeakCertificate "weak_certificate" "a certificate's key is not RSA of 2048 to 8192 bits with an exponent of 2 to 64, or EC P-256, P-384 or P-521"
    NoMatchingCertificate "no_matching_certificate" "no certificate of the connection is of the signature's kind"
    SignatureInvalid "signature_invalid" "no certificate of the connection verifies the signature"
    SignedPart "signed_part" "what was signed is not the element that was looked at"
    // decrypt
    NoDecryptionKey "no_decryption_key" "the assertion is encrypted and the connection has no decryption key"
    EncryptionShape "encryption_shape" "the encrypted assertion has no EncryptedData with one EncryptedKey"
    EncryptionAlgorithm "encryption_algorithm" "the encryption algorithm is not accepted on this connection"
    DecryptionFailed "decryption_failed" "the assertion could not be decrypted"
    EncryptedUnsigned "encrypted_unsigned" "an encrypted assertion is signed neither inside nor by its Response"
    // read
    RepeatedElement "repeated_element" "an element that may be there once is there several times"
    NestedMarkup "nested_markup" "there are elements where text belongs"
    IdentifierCharacters "identifier_characters" "an identifier has control, invisible or directional characters"
    MalformedTime "malformed_time" "a time is not of the form 2026-11-27T12:00:00Z"
    AssertionVersion "assertion_version" "the assertion is not of version 2.0"
    IssuerMissing "issuer_missing" "the assertion names no issuer"
    EncryptedIdentifier "encrypted_identifier" "the subject or an attribute is encrypted by itself, which is not supported"
    EmptyNameId "empty_name_id" "the NameID is empty"
    // protocol
    DestinationMismatch "destination_mismatch" "the message is addressed to another URL"
    DestinationMissing "destination_missing" "a signed Response or message names no Destination"
    ResponseIssuerMismatch "response_issuer_mismatch" "the Response is issued by another identity provider"
    IssuerMismatch "issuer_mismatch" "the assertion is issued by another identity provider"
    IssuedInFuture "issued_in_future" "the message was issued in the future: compare the clocks"
    InResponseToMismatch "in_response_to_mismatch" "the message answers another request than the one this browser made"
    InResponseToMissing "in_response_to_missing" "the message does not say which request it answers"
    UnknownRequest "unknown_request" "the message answers a request that is unknown, used or expired"
    RequestExpired "request_expired" "the answer came too late for its request"
    IdpInitiatedOff "idp_initiated_off" "the identity provider began this login, which the connection does not allow"
    IdpInitiatedLifetime "idp_initiated_lifetime" "an assertion nobody asked for is valid for more than 10 minutes"
    SubjectMissing "subject_missing" "the assertion has no subject"
    NoBearerConfirmation "no_bearer_confirmation" "the subject has no bearer confirmation"
    RecipientMismatch "recipient_mismatch" "the confirmation is for another recipient"
    ConfirmationExpired "confirmation_expired" "the confirmation is no longer valid, or says not until when it is"
    ConfirmationNotYet "confirmation_not_yet" "the confirmation is not valid yet"
    ConditionsMissing "conditions_missing" "the assertion has no conditions"
    NotYetValid "not_yet_valid" "the assertion is not valid yet: compare the clocks"
    Expired "expired" "the assertion is no longer valid: compare the clocks"
    AudienceMissing "audience_missing" "the assertion is not restricted to an audience"
    AudienceMismatch "audience_mismatch" "the assertion is for another audience"
    UnknownCondition "unknown_condition" "the assertion has a condition that is not understood"
    AuthnStatementMissing "authn_statement_missing" "the assertion does not say that anybody signed in"
    AuthnInFuture "authn_in_future" "the sign-in happened in the future: compare the clocks"
    AuthnTooOld "authn_too_old" "a fresh sign-in was asked for and an old one is reported"
    SessionExpired "session_expired" "the session at the identity provider has ended"
    AuthnContextMismatch "authn_context_mismatch" "the sign-in was not of a requested kind"
    // other messages
    MessageKind "message_kind" "the message is of another kind than belongs here"
    NameIdMissing "name_id_missing" "a logout request names nobody"
    // metadata
    MetadataRoot "metadata_root" "the metadata is no EntityDescriptor or EntitiesDescriptor"
    EntityNotFound "entity_not_found" "the metadata does not describe that entity"
    EntityAmbiguous "entity_ambiguous" "the metadata describes several entities, or one of them twice: say which"
    NotAnIdp "not_an_idp" "the entity is no SAML 2.0 identity provider"
    NoSignOnEndpoint "no_sign_on_endpoint" "the identity provider has no single sign-on address for redirect or POST"
    EndpointAddress "endpoint_address" "an address in the metadata is not http or https"
    TooManyCertificates "too_many_certificates" "the metadata lists more than 16 signing certificates that can be used"
    MalformedCertificate "malformed_certificate" "a certificate can't be read"
    MetadataExpired "metadata_expired" "the metadata is no longer valid"
    MalformedDuration "malformed_duration" "cacheDuration is no duration"
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// Why a message was refused: which rule, and for the administrator what was expected and what came. Holds nothing secret:
/// no key, no decrypted text of a message that was not verified, no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub rule: Rule,
    pub expected: Option<String>,
    pub received: Option<String>,
}

impl Refusal {
    pub const fn code(&self) -> &'static str {
        self.rule.code()
    }

    pub(crate) fn expected(mut self, value: impl Into<String>) -> Self {
        self.expected = Some(clipped(value.into()));
        self
    }

    pub(crate) fn received(mut self, value: impl Into<String>) -> Self {
        self.received = Some(clipped(value.into()));
        self
    }

    /// What came, if anything did.
    pub(crate) fn received_any(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.received(value),
            None => self,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code(), self.rule.says())?;
        if let Some(expected) = &self.expected {
            write!(formatter, "; expected {expected:?}")?;
        }
        if let Some(received) = &self.received {
            write!(formatter, "; received {received:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

fn clipped(mut value: String) -> String {
    if let Some((end, _)) = value.char_indices().nth(FACT_CHARACTERS_MAX) {
        value.truncate(end);
        value.push('…');
    }
    value
}

impl Rule {
    /// The refusal by this rule, where reading can't go on.
    pub(crate) fn refusal(self) -> Refusal {
        Refusal { rule: self.or_switched_off(), expected: None, received: None }
    }

    #[cfg(not(feature = "mutation"))]
    #[inline]
    const fn or_switched_off(self) -> Self {
        self
    }

    #[cfg(not(feature = "mutation"))]
    #[inline]
    const fn is_on(self) -> bool {
        true
    }

    #[cfg(feature = "mutation")]
    fn or_switched_off(self) -> Self {
        if self.is_on() { self } else { Self::SwitchedOff }
    }

    /// The one rule that the environment switches off, asked once.
    #[cfg(feature = "mutation")]
    fn is_on(self) -> bool {
        static OFF: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
        OFF.get_or_init(|| std::env::var("ROSTERD_SAML_RULE_OFF").ok()).as_deref() != Some(self.code())
    }
}

#[cfg(all(feature = "mutation", not(debug_assertions)))]
compile_error!("the feature `mutation` switches rules off; it is for tests and never for a release");

/// Refuses by the rule unless `holds`.
#[inline]
pub(crate) fn require(rule: Rule, holds: bool) -> Result<(), Refusal> {
    if holds || !rule.is_on() { Ok(()) } else { Err(rule.refusal()) }
}

/// Refuses by the rule unless `holds`, with what is worth knowing about it.
#[inline]
pub(crate) fn require_with(rule: Rule, holds: bool, facts: impl FnOnce(Refusal) -> Refusal) -> Result<(), Refusal> {
    if holds || !rule.is_on() { Ok(()) } else { Err(facts(rule.refusal())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        assert_eq!(codes.len(), Rule::ALL.len());
    }

    #[test]
    fn a_received_value_is_kept_short() {
        let refusal = Rule::ReferenceUri.refusal().received("ü".repeat(5_000));
        assert_eq!(refusal.received.map(|value| value.chars().count()), Some(FACT_CHARACTERS_MAX + 1));
    }
}
