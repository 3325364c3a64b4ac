//! Where a connection's metadata comes from, and reading it there.

use super::instant;
use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::outbound::{self, Answer, Ask, Outbound, Validators};
use rosterd_saml::limits::METADATA_BYTES_MAX;
use rosterd_saml::metadata::IdpMetadata;
use rosterd_saml::rule::{Refusal, Rule};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

const ACCEPT: &str = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1";

/// Where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    Url(&'a str),
    File(&'a str),
    /// From whoever pastes it.
    Paste,
}

impl<'a> Place<'a> {
    pub fn of(connection: &'a Connection) -> Self {
        let options = &connection.options.saml;
        match (&options.metadata_url, &options.metadata_file) {
            (Some(url), _) => Self::Url(url),
            (None, Some(path)) => Self::File(path),
            (None, None) => Self::Paste,
        }
    }

    /// The word for it, also where it is stored.
    pub fn origin(self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::File(_) => "file",
            Self::Paste => "paste",
        }
    }
}

/// What a connection asks for, as one text: another one is what an administrator set.
pub fn asked(connection: &Connection) -> String {
    let place = match Place::of(connection) {
        Place::Url(url) => format!("url {url}"),
        Place::File(path) => format!("file {path}"),
        Place::Paste => String::from("paste"),
    };
    match &connection.options.saml.idp_entity_id {
        Some(id) => format!("{place}\nentity {id}"),
        None => place,
    }
}

/// A document as it was read.
#[derive(Clone, Debug)]
pub struct Document {
    pub text: String,
    pub validators: Validators,
    /// It came as a web page.
    pub is_page: bool,
}

pub enum Found {
    Document(Document),
    /// What the validators stood for.
    NotModified,
}

/// Why there is no document, or none that is of use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Outbound(#[from] outbound::Error),
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("nothing was pasted, and neither metadata_url nor metadata_file is set")]
    Nowhere,
    #[error("it is larger than {METADATA_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is not UTF-8")]
    NotText,
    #[error("{0}")]
    Refused(Refusal),
    #[error("it is a web page and no metadata")]
    Page,
    #[error("it has no signing certificate that can be used{}", listed(.0))]
    NoCertificate(Vec<Refusal>),
}

fn listed(unusable: &[Refusal]) -> String {
    unusable.iter().map(|refusal| format!("; {refusal}")).collect()
}

impl Failure {
    /// What to change.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.advice(),
            Self::File { .. } => "The file has to be there for the user that the gateway runs as, on each of its machines.",
            Self::Nowhere => "Set metadata_url or metadata_file, or paste it: `rosterd connection metadata NAME --set FILE`.",
            Self::TooLarge => "Use the metadata of this one identity provider instead of a whole federation's.",
            Self::NotText => "Save it as UTF-8.",
            Self::Page => {
                "The address leads to a page for people, a sign-in perhaps: use the one that serves the XML itself to anybody."
            }
            Self::NoCertificate(_) => {
                "The identity provider has to publish a certificate for signing: RSA of 2048 bits or more, or EC P-256, P-384 or P-521."
            }
            Self::Refused(refusal) => match refusal.rule {
                Rule::EntityAmbiguous | Rule::EntityNotFound => {
                    "Set idp_entity_id to the one that is meant, exactly as the metadata has it."
                }
                Rule::MetadataExpired => "Its validUntil has passed: whoever publishes it has to renew it.",
                Rule::TooManyCertificates => {
                    "Nobody signs with so many keys: look whether it is the right document, and ask its publisher to list those in use."
                }
                Rule::NotAnIdp => "That is the metadata of an application: use the identity provider's.",
                Rule::NoSignOnEndpoint => "The identity provider has to offer single sign-on by HTTP-Redirect or HTTP-POST.",
                _ => "It has to be SAML 2.0 metadata as the identity provider publishes it, unchanged.",
            },
        }
    }
}

/// Reads it where it is.
pub async fn read(place: Place<'_>, connection: &Connection, known: Validators, outbound: &Outbound) -> Result<Found, Failure> {
    match place {
        Place::Paste => Err(Failure::Nowhere),
        Place::File(path) => {
            let path = path.to_owned();
            let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
            let (bytes, stamp) = read
                .unwrap_or_else(|_| Err(Failure::File { path: String::new(), why: String::from("reading it was broken off") }))?;
            let validators = Validators { etag: None, last_modified: Some(stamp) };
            Ok(Found::Document(Document { text: text(bytes)?, validators, is_page: false }))
        }
        Place::Url(url) => {
            let allow_plaintext = connection.options.saml.allow_plaintext;
            let answer =
                outbound.get(&Ask { url: url.to_owned(), allow_plaintext, accept: ACCEPT, known, ..Ask::default() }).await?;
            let Answer::Found { body, validators, media_type, .. } = answer else { return Ok(Found::NotModified) };
            let is_page = media_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
            Ok(Found::Document(Document { text: text(body)?, validators, is_page }))
        }
    }
}

/// What was given by hand, as a document.
pub fn given(bytes: Vec<u8>) -> Result<Document, Failure> {
    Ok(Document { text: text(bytes)?, validators: Validators::default(), is_page: false })
}

/// By which a document is named to somebody who looks at it: SHA-256, in hexadecimal.
pub fn digest(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.len() > METADATA_BYTES_MAX {
        return Err(Failure::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::NotText)?;
    // No database keeps it, and no XML has it.
    if text.contains('\0') { Err(Failure::NotText) } else { Ok(text) }
}

/// What the document says of the entity that `connection` means.
pub fn understood(document: &Document, connection: &Connection, now: Micros) -> Result<IdpMetadata, Failure> {
    let wanted = connection.options.saml.idp_entity_id.as_deref();
    IdpMetadata::read(&document.text, wanted, instant(now)).map_err(|refusal| match refusal.rule {
        Rule::Doctype | Rule::MetadataRoot | Rule::MalformedMarkup | Rule::MismatchedTag if is_page(document) => Failure::Page,
        _ => Failure::Refused(refusal),
    })
}

fn is_page(document: &Document) -> bool {
    let begins = document.text.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    document.is_page || begins.starts_with("<!doctype html") || begins.starts_with("<html")
}

/// By which a file is known not to have changed; `None`: it can't be looked at.
pub fn stamp(path: &str) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    Some(stamp_of(&found))
}

fn stamp_of(found: &std::fs::Metadata) -> String {
    let changed = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{}-{}", changed.as_micros(), found.len())
}

fn read_file(path: &str) -> Result<(Vec<u8>, String), Failure> {
    let failed = |why: String| Failure::File { path: path.to_owned(), why };
    let found = std::fs::metadata(Path::new(path)).map_err(|error| failed(error.to_string()))?;
    // A pipe would be waited for without end.
    if !found.is_file() {
        return Err(failed(String::from("that is no file")));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(METADATA_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok((bytes, stamp_of(&found)))
}
