//! Where things stand in a message: one Response, one assertion directly in it, no second place where a reader could find
//! another one, and no attribute that could pass for an ID where none belongs. Says nothing about whether any of it is true.

use std::collections::HashSet;

use crate::document::{ASSERTION, DSIG, Document, METADATA, Node, PROTOCOL, XENC};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::is_name;

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// A Response that holds one assertion, in one of two forms.
pub struct Structured<'d, 't> {
    pub(crate) response: Node<'d, 't>,
    pub(crate) carried: Carried<'d, 't>,
}

#[derive(Clone, Copy)]
pub(crate) enum Carried<'d, 't> {
    Plain(Node<'d, 't>),
    Encrypted(Node<'d, 't>),
}

/// The parts of a Response.
pub fn response<'d, 't>(document: &'d Document<'t>) -> Result<Structured<'d, 't>, Refusal> {
    let root = document.root();
    require_with(Rule::RootNotResponse, root.is(PROTOCOL, "Response"), |refusal| {
        refusal.expected(format!("{{{PROTOCOL}}}Response")).received(format!("{{{}}}{}", root.namespace(), root.local()))
    })?;
    let version = root.attribute("Version");
    require_with(Rule::ResponseVersion, version == Some("2.0"), |refusal| refusal.expected("2.0").received_any(version))?;
    ids(document)?;
    has_id(root)?;
    // By local name alone, whatever the namespace: some reader goes by it.
    let mut carriers = document.nodes().filter(|node| matches!(node.local(), "Assertion" | "EncryptedAssertion"));
    let first = carriers.next();
    let more = carriers.count();
    // An answer that says why there is none has none.
    is_success(root)?;
    require_with(Rule::SeveralAssertions, more == 0, |refusal| refusal.expected("1").received((more + 1).to_string()))?;
    let Some(first) = first else { return Err(Rule::NoAssertion.refusal()) };
    let carrier = root.children().find(|child| child.namespace() == ASSERTION && *child == first);
    require_with(Rule::MisplacedAssertion, carrier.is_some(), |refusal| {
        refusal.received(first.parent().map_or("", |parent| parent.local()))
    })?;
    let carrier = carrier.unwrap_or(first);
    require(Rule::NestedResponse, !root.descendants().any(|node| node.local() == "Response"))?;
    let carried = if carrier.local() == "Assertion" {
        has_id(carrier)?;
        Carried::Plain(carrier)
    } else {
        Carried::Encrypted(carrier)
    };
    Ok(Structured { response: root, carried })
}

/// A document that is an assertion and holds no other: what came out of a decryption or a signature.
pub(crate) fn assertion<'d, 't>(document: &'d Document<'t>) -> Result<Node<'d, 't>, Refusal> {
    let root = document.root();
    require(Rule::MisplacedAssertion, root.is(ASSERTION, "Assertion"))?;
    ids(document)?;
    has_id(root)?;
    let has_more = root.descendants().any(|node| matches!(node.local(), "Assertion" | "EncryptedAssertion"));
    require(Rule::SeveralAssertions, !has_more)?;
    require(Rule::NestedResponse, !root.descendants().any(|node| node.local() == "Response"))?;
    Ok(root)
}

/// A request or an answer of another protocol: its root, with everything said of IDs.
pub(crate) fn protocol_message<'d, 't>(document: &'d Document<'t>, local: &str) -> Result<Node<'d, 't>, Refusal> {
    let root = document.root();
    require_with(Rule::MessageKind, root.is(PROTOCOL, local), |refusal| refusal.expected(local).received(root.local()))?;
    let version = root.attribute("Version");
    require_with(Rule::ResponseVersion, version == Some("2.0"), |refusal| refusal.expected("2.0").received_any(version))?;
    ids(document)?;
    has_id(root)?;
    Ok(root)
}

/// The status of a response, as its codes: outer, then inner. One without a value keeps its place, so that no inner one takes it.
pub(crate) fn status<'d>(response: Node<'d, '_>) -> Result<Vec<&'d str>, Refusal> {
    let mut codes = Vec::new();
    let mut next = response.only(PROTOCOL, "Status")?;
    while let Some(node) = next {
        next = node.only(PROTOCOL, "StatusCode")?;
        codes.extend(next.map(|code| code.attribute("Value").unwrap_or_default()));
    }
    Ok(codes)
}

pub(crate) fn is_success(response: Node<'_, '_>) -> Result<(), Refusal> {
    let codes = status(response)?;
    require_with(Rule::StatusNotSuccess, codes.first() == Some(&SUCCESS), |refusal| {
        let message = response.descendants().find(|node| node.is(PROTOCOL, "StatusMessage"));
        let message = message.and_then(|node| node.text().ok()).unwrap_or_default();
        refusal.expected(SUCCESS).received(format!("{} {message}", codes.join(" / ")).trim())
    })
}

fn has_id(node: Node<'_, '_>) -> Result<(), Refusal> {
    let id = node.attribute("ID");
    require_with(Rule::MissingId, id.is_some(), |refusal| refusal.received(node.local()))
}

/// Every ID once, and only where one belongs: `ID` on SAML's elements, `Id` on those of signatures and encryption.
fn ids(document: &Document<'_>) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for node in document.nodes() {
        for attribute in node.attributes().iter().filter(|attribute| attribute.local.eq_ignore_ascii_case("id")) {
            let belongs = attribute.prefix.is_empty()
                && match attribute.local {
                    "ID" => matches!(node.namespace(), PROTOCOL | ASSERTION | METADATA),
                    "Id" => matches!(node.namespace(), DSIG | XENC),
                    _ => false,
                };
            require_with(Rule::MisplacedId, belongs, |refusal| {
                refusal.received(format!("{} on {}", attribute.local, node.local()))
            })?;
            require_with(Rule::MalformedId, is_name(&attribute.value), |refusal| refusal.received(&*attribute.value))?;
            require_with(Rule::DuplicateId, seen.insert(&*attribute.value), |refusal| refusal.received(&*attribute.value))?;
        }
    }
    Ok(())
}
