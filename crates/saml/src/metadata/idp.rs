//! What an identity provider says of itself: keys, addresses, for how long. Signatures over metadata are not looked at here:
//! who may hand metadata to a connection decides that.

use jiff::{SignedDuration, Timestamp};

use super::{POST, REDIRECT};
use crate::document::{DSIG, Document, METADATA, Node, PROTOCOL};
use crate::limits::{CERTIFICATES_LISTED_MAX, Limits, METADATA_BYTES_MAX};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::scan;
use crate::time::{duration, instant};
use crate::verify::Certificate;

const SCOPE: &str = "urn:mace:shibboleth:metadata:1.0";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    pub entity_id: String,
    /// Keys it signs with; may be empty, and then there is nobody to believe yet.
    pub signing: Vec<Certificate>,
    /// Certificates that were passed over, and why.
    pub unusable: Vec<Refusal>,
    pub sign_on: Vec<Endpoint>,
    pub logout: Vec<Endpoint>,
    pub name_id_formats: Vec<String>,
    pub wants_signed_requests: bool,
    pub valid_until: Option<Timestamp>,
    pub cache_duration: Option<SignedDuration>,
    pub scopes: Vec<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    Redirect,
    Post,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub binding: Binding,
    pub location: String,
    /// Where answers go, if elsewhere.
    pub response_location: Option<String>,
}

/// A domain for which it may state scoped values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub value: String,
    pub is_pattern: bool,
}

impl IdpMetadata {
    /// The entity of that name, or the only identity provider of the document.
    pub fn read(text: &str, entity_id: Option<&str>, now: Timestamp) -> Result<Self, Refusal> {
        require(Rule::MessageTooLarge, text.len() <= METADATA_BYTES_MAX)?;
        // Files of Windows begin with one.
        let document = scan(text.strip_prefix('\u{feff}').unwrap_or(text), Limits::METADATA)?;
        let entity = find(&document, entity_id)?;
        let name = entity.attribute("entityID").unwrap_or_default();
        require_with(Rule::EntityNotFound, !name.is_empty(), |refusal| refusal.expected("an entityID"))?;
        let descriptor = entity.children().find(is_idp);
        let Some(descriptor) = descriptor else { return Err(Rule::NotAnIdp.refusal()) };
        let valid_until = earliest(descriptor, now)?;
        let (signing, unusable) = signing_keys(descriptor)?;
        let sign_on = endpoints(descriptor, "SingleSignOnService")?;
        require(Rule::NoSignOnEndpoint, !sign_on.is_empty())?;
        let formats = descriptor.named(METADATA, "NameIDFormat").map(|format| format.text().map(str::to_owned));
        Ok(Self {
            entity_id: name.to_owned(),
            signing,
            unusable,
            sign_on,
            logout: endpoints(descriptor, "SingleLogoutService")?,
            name_id_formats: formats.collect::<Result<_, _>>()?,
            wants_signed_requests: matches!(descriptor.attribute("WantAuthnRequestsSigned"), Some("true" | "1")),
            valid_until,
            cache_duration: shortest(descriptor)?,
            scopes: scopes(entity, descriptor)?,
        })
    }

    pub fn sign_on_by(&self, binding: Binding) -> Option<&Endpoint> {
        self.sign_on.iter().find(|endpoint| endpoint.binding == binding)
    }

    pub fn logout_by(&self, binding: Binding) -> Option<&Endpoint> {
        self.logout.iter().find(|endpoint| endpoint.binding == binding)
    }
}

fn is_idp(node: &Node<'_, '_>) -> bool {
    let protocols = node.attribute("protocolSupportEnumeration").unwrap_or_default();
    node.is(METADATA, "IDPSSODescriptor") && protocols.split_ascii_whitespace().any(|protocol| protocol == PROTOCOL)
}

fn find<'d, 't>(document: &'d Document<'t>, entity_id: Option<&str>) -> Result<Node<'d, 't>, Refusal> {
    let root = document.root();
    let is_one = root.is(METADATA, "EntityDescriptor");
    let is_metadata = is_one || root.is(METADATA, "EntitiesDescriptor");
    require_with(Rule::MetadataRoot, is_metadata, |refusal| refusal.received(root.local()))?;
    // One inside an extension, or inside another entity, is nobody's description.
    let is_listed = |node: &Node<'_, '_>| up(*node).skip(1).all(|around| around.is(METADATA, "EntitiesDescriptor"));
    let all = document.nodes().filter(|node| node.is(METADATA, "EntityDescriptor") && is_listed(node));
    let mut found = all.filter(|node| match entity_id {
        Some(wanted) => node.attribute("entityID") == Some(wanted),
        None => is_one || node.children().any(|child| is_idp(&child)),
    });
    let first = found.next();
    require(Rule::EntityAmbiguous, found.next().is_none())?;
    let names = || document.nodes().filter_map(|node| node.attribute("entityID")).collect::<Vec<_>>().join(" ");
    first.ok_or_else(|| Rule::EntityNotFound.refusal().expected(entity_id.unwrap_or("an identity provider")).received(names()))
}

fn up<'d, 't>(node: Node<'d, 't>) -> impl Iterator<Item = Node<'d, 't>> {
    std::iter::successors(Some(node), Node::parent)
}

/// Until when it may be believed: the earliest of what the descriptor, the entity and the lists around it say.
fn earliest(descriptor: Node<'_, '_>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let said = up(descriptor).filter_map(|node| node.attribute("validUntil")).map(instant);
    let until = said.collect::<Result<Vec<_>, _>>()?.into_iter().min();
    require_with(Rule::MetadataExpired, until.is_none_or(|until| now < until), |refusal| {
        refusal.received(until.map_or(String::new(), |until| until.to_string()))
    })?;
    Ok(until)
}

fn shortest(descriptor: Node<'_, '_>) -> Result<Option<SignedDuration>, Refusal> {
    let mut shortest = None;
    for said in up(descriptor).filter_map(|node| node.attribute("cacheDuration")) {
        let read = duration(said);
        require_with(Rule::MalformedDuration, read.is_some(), |refusal| refusal.received(said))?;
        shortest = [shortest, read].into_iter().flatten().min();
    }
    Ok(shortest)
}

/// A key without a `use` is for both; of a chain the first certificate alone is its key, the others are those who issued it. One
/// that can't be used leaves the others: a federation has a few of each.
fn signing_keys(descriptor: Node<'_, '_>) -> Result<(Vec<Certificate>, Vec<Refusal>), Refusal> {
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    for key in descriptor.named(METADATA, "KeyDescriptor") {
        if !matches!(key.attribute("use"), None | Some("signing")) {
            continue;
        }
        let data = key.named(DSIG, "KeyInfo").flat_map(|info| info.named(DSIG, "X509Data"));
        for text in data.filter_map(|data| data.named(DSIG, "X509Certificate").next()) {
            match Certificate::from_text(text.text()?) {
                Ok(certificate) if usable.contains(&certificate) => {}
                Ok(certificate) => {
                    require(Rule::TooManyCertificates, usable.len() < CERTIFICATES_LISTED_MAX)?;
                    usable.push(certificate);
                }
                // The first ones are told; how many there are says nothing more.
                Err(refusal) if unusable.len() < CERTIFICATES_LISTED_MAX => unusable.push(refusal),
                Err(_) => {}
            }
        }
    }
    Ok((usable, unusable))
}

fn endpoints(descriptor: Node<'_, '_>, local: &'static str) -> Result<Vec<Endpoint>, Refusal> {
    let mut endpoints = Vec::new();
    for node in descriptor.named(METADATA, local) {
        let binding = match node.attribute("Binding") {
            Some(REDIRECT) => Binding::Redirect,
            Some(POST) => Binding::Post,
            _ => continue,
        };
        let address = |name: &str| {
            let Some(given) = node.attribute(name) else { return Ok(None) };
            // Browsers are sent there: a script would run as us.
            let is_web = given.starts_with("https://") || given.starts_with("http://");
            let is_plain = given.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
            require_with(Rule::EndpointAddress, is_web && is_plain, |refusal| refusal.received(given))?;
            Ok(Some(given.to_owned()))
        };
        let Some(location) = address("Location")? else { return Err(Rule::EndpointAddress.refusal()) };
        endpoints.push(Endpoint { binding, location, response_location: address("ResponseLocation")? });
    }
    Ok(endpoints)
}

fn scopes(entity: Node<'_, '_>, descriptor: Node<'_, '_>) -> Result<Vec<Scope>, Refusal> {
    let extensions = [entity, descriptor].into_iter().flat_map(|node| node.named(METADATA, "Extensions"));
    let found = extensions.flat_map(|extensions| extensions.named(SCOPE, "Scope"));
    found
        .map(|scope| {
            let is_pattern = matches!(scope.attribute("regexp"), Some("true" | "1"));
            Ok(Scope { value: scope.text()?.to_owned(), is_pattern })
        })
        .collect()
}
