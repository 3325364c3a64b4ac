//! Options of a connection by SAML.

use super::{Form, NEXT, OptionSpec, line, lines, number, optional, some_text, web_address};
use crate::model::connection::{ConnectionKind, Options};
use crate::model::saml::{CLOCK_SKEW_SECONDS_MAX, RequestBinding, SignRequests, UserIdFormat};

const SAML: &[ConnectionKind] = &[ConnectionKind::Samlp];

pub(super) fn saml() -> Vec<OptionSpec> {
    let mut table = trusting();
    table.extend(asking());
    table
}

/// Whom it believes, and about whom.
fn trusting() -> Vec<OptionSpec> {
    vec![
        option!("metadata_url" SAML, Text, "an https:// address, or nothing",
            "Where the identity provider publishes its metadata. It is fetched again by itself: a new certificate is taken in time.",
            (|o, t| optional(t, web_address).map(|url| o.saml.metadata_url = url), |o| o.saml.metadata_url.clone())),
        option!("metadata_file" SAML, Text, "the path of a file, or nothing",
            "The identity provider's metadata as a file on the gateway's machine, read again when it changes.",
            (|o, t| line(t).map(|path| o.saml.metadata_file = path), |o| o.saml.metadata_file.clone())),
        option!("idp_entity_id" SAML, Text, "an entity id, or nothing",
            "Which identity provider of the metadata is meant, where it describes several.",
            (|o, t| line(t).map(|id| o.saml.idp_entity_id = id), |o| o.saml.idp_entity_id.clone())),
        option!("allow_plaintext" SAML, Boolean, "true or false",
            "Whether metadata_url may be http://. Only for a server on this machine (loopback).",
            words!(saml.allow_plaintext: "true" => true, "false" => false)),
        option!("certificate_grace_days" SAML, Integer, "a whole number from 0 to 90",
            "How many days a certificate still counts that the metadata no longer lists; 0: it is out at once.",
            (|o, t| number(t, 0, 90).map(|value| o.saml.certificate_grace_days = value),
                |o| Some(o.saml.certificate_grace_days.to_string()))),
        option!("user_id_attribute" SAML, Text, "the name of an attribute, or nothing",
            "The attribute that names a person for good. Unset: the NameID, which then must not be a transient one.",
            (|o, t| line(t).map(|name| o.saml.user_id_attribute = name), |o| o.saml.user_id_attribute.clone())),
        option!("user_id_format" SAML, Text, "as_sent or guid",
            "How that id is written. guid: as text in lower case, also where it comes in base64 of its bytes, as AD FS sends objectGUID; \
             so a directory's connection has it. Anything else than a GUID is refused then.",
            words!(saml.user_id_format: "as_sent" => UserIdFormat::AsSent, "guid" => UserIdFormat::Guid)),
        option!("decryption_key_file" SAML, Text, "the path of a PEM file, or nothing",
            "A key of your own that encrypted assertions are opened with, beside the connection's keys. It stays in its file.",
            (|o, t| line(t).map(|path| o.saml.decryption_key_file = path), |o| o.saml.decryption_key_file.clone())),
        option!("decryption_cert_file" SAML, Text, "the path of a PEM file, or nothing",
            "The certificate of decryption_key_file, which our metadata then publishes for encryption.",
            (|o, t| line(t).map(|path| o.saml.decryption_cert_file = path), |o| o.saml.decryption_cert_file.clone())),
        option!("encrypt_assertions" SAML, Boolean, "true or false",
            "Whether our metadata asks for encrypted assertions. What is encrypted to a key of ours is opened either way.",
            words!(saml.encrypt_assertions: "true" => true, "false" => false)),
        option!("allow_cbc" SAML, Boolean, "true or false",
            "Whether assertions encrypted with AES-CBC are opened, which AD FS and Entra ID send unless told otherwise.",
            words!(saml.allow_cbc: "true" => true, "false" => false)),
        option!("clock_skew_seconds" SAML, Integer, "a whole number from 0 to 300",
            "How far the identity provider's clock may be off ours.",
            (|o, t| number(t, 0, CLOCK_SKEW_SECONDS_MAX).map(|value| o.saml.clock_skew_seconds = value),
                |o| Some(o.saml.clock_skew_seconds.to_string()))),
    ]
}

/// How logins begin and end.
fn asking() -> Vec<OptionSpec> {
    vec![
        option!("idp_initiated" SAML, Boolean, "true or false",
            "Whether a login may begin at the identity provider. Whoever has an account there can then sign others in as themselves.",
            words!(saml.idp_initiated: "true" => true, "false" => false)),
        option!("idp_initiated_target" SAML, Text, "a path like /app, an address that login.return_to allows, or nothing",
            "Where the browser goes after such a login. Unset: /session.",
            (|o, t| line(t).map(|path| o.saml.idp_initiated_target = path), |o| o.saml.idp_initiated_target.clone())),
        option!("sign_requests" SAML, Text, "auto, true or false",
            "Whether our requests are signed; auto: where the identity provider's metadata wants it.",
            words!(saml.sign_requests: "auto" => SignRequests::Auto, "true" => SignRequests::Always, "false" => SignRequests::Never)),
        option!("request_binding" SAML, Text, "auto, redirect or post",
            "How our requests reach the identity provider; auto: by redirect where it takes that.",
            words!(saml.request_binding: "auto" => RequestBinding::Auto, "redirect" => RequestBinding::Redirect,
                "post" => RequestBinding::Post)),
        option!("force_authn" SAML, Boolean, "true or false",
            "Whether people have to show who they are each time, however lately they did; the answer is held to it.",
            words!(saml.force_authn: "true" => true, "false" => false)),
        option!("name_id_format" SAML, Text, "a format URI, or nothing",
            "The NameID format our requests ask for. Unset: the identity provider's choice.",
            (|o, t| line(t).map(|format| o.saml.name_id_format = format), |o| o.saml.name_id_format.clone())),
        option!("authn_contexts" SAML, Texts, "an authentication context class URI, up to 16",
            "How people have to sign in at the identity provider; any of these. The answer is held to it.",
            (|o, t| lines(t).map(|classes| o.saml.authn_contexts = classes),
                |o| some_text(o.saml.authn_contexts.join(&NEXT.to_string())))),
        option!("sp_entity_id" SAML, Text, "an entity id, or nothing",
            "Our name towards the identity provider. Unset: the address of our metadata.",
            (|o, t| line(t).map(|id| o.saml.sp_entity_id = id), |o| o.saml.sp_entity_id.clone())),
        option!("single_logout" SAML, Boolean, "true or false",
            "Whether signing out here signs out at the identity provider too, and the other way round, where it takes part.",
            words!(saml.single_logout: "true" => true, "false" => false)),
    ]
}
