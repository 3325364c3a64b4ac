//! The shape of signatures, before any of them is computed: where they stand, that they refer to nothing but the element they
//! stand in, and that nothing has to be run or fetched to check them. KeyInfo is never read: the keys are the connection's.

use crate::document::{DSIG, Node};
use crate::limits::{CANONICAL_BYTES_MAX, PREFIX_LIST_BYTES_MAX, PREFIXES_MAX};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::is_name;
use crate::structure::{Carried, Structured};

const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];
const METHODS: [(&str, Family); 6] = [
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Family::Rsa),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", Family::Rsa),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", Family::Rsa),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", Family::Ec),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", Family::Ec),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", Family::Ec),
];

/// The kind of key a signature was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    Rsa,
    Ec,
}

/// The family of an accepted signature algorithm.
pub(crate) fn family_of(method: &str) -> Option<Family> {
    METHODS.iter().find(|(known, _)| *known == method).map(|(_, family)| *family)
}

/// A Response whose signatures have the one accepted shape.
pub struct Shaped<'d, 't> {
    pub(crate) structured: Structured<'d, 't>,
    /// The outermost signed element, if anything is signed in the open.
    pub(crate) signed: Option<SignedElement<'d>>,
}

/// What a signature claims to cover.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedElement<'d> {
    pub local: &'static str,
    pub id: &'d str,
    pub family: Family,
}

/// The signatures of a Response: its own, the assertion's, or both. One that is encrypted may have its signature inside.
pub fn shape<'d, 't>(structured: Structured<'d, 't>) -> Result<Shaped<'d, 't>, Refusal> {
    let response = structured.response;
    let assertion = match structured.carried {
        Carried::Plain(node) => Some(node),
        Carried::Encrypted(_) => None,
    };
    // By local name alone, as with assertions.
    let all: Vec<Node<'_, '_>> = response.descendants().filter(|node| node.local() == "Signature").collect();
    for signature in &all {
        let parent = signature.parent();
        let is_placed =
            signature.is(DSIG, "Signature") && (parent == Some(response) || (parent.is_some() && parent == assertion));
        require_with(Rule::MisplacedSignature, is_placed, |refusal| {
            refusal.received(parent.map_or("", |parent| parent.local()))
        })?;
    }
    let of_response = own(response, "Response")?;
    let of_assertion = assertion.map(|node| own(node, "Assertion")).transpose()?.flatten();
    let known = usize::from(of_response.is_some()) + usize::from(of_assertion.is_some());
    require_with(Rule::TooManySignatures, all.len() <= known, |refusal| refusal.received(all.len().to_string()))?;
    let signed = of_response.or(of_assertion);
    require(Rule::Unsigned, signed.is_some() || assertion.is_none())?;
    Ok(Shaped { structured, signed })
}

/// The signature of an assertion that is a document by itself.
pub(crate) fn of_lone_assertion<'d>(assertion: Node<'d, '_>) -> Result<Option<SignedElement<'d>>, Refusal> {
    let count = assertion.descendants().filter(|node| node.local() == "Signature").count();
    let signed = own(assertion, "Assertion")?;
    require(Rule::MisplacedSignature, count <= usize::from(signed.is_some()))?;
    Ok(signed)
}

/// The signature that is a direct child, if there is one.
pub(crate) fn own<'d>(parent: Node<'d, '_>, local: &'static str) -> Result<Option<SignedElement<'d>>, Refusal> {
    let mut found = parent.named(DSIG, "Signature");
    let Some(signature) = found.next() else { return Ok(None) };
    require(Rule::TooManySignatures, found.next().is_none())?;
    let Some(id) = parent.attribute("ID") else { return Err(Rule::MissingId.refusal()) };
    let repeated = names_repeated(parent);
    require_with(Rule::MessageTooLarge, repeated <= CANONICAL_BYTES_MAX, |refusal| {
        refusal.received(format!("{repeated} bytes"))
    })?;
    let family = one_signature(signature, id)?;
    Ok(Some(SignedElement { local, id, family }))
}

/// What names of namespaces may come to in canonical form, where siblings say theirs again: a short message can make much of it.
fn names_repeated(parent: Node<'_, '_>) -> usize {
    let of = |node: Node<'_, '_>| {
        let attributes = node.attributes().iter().map(|attribute| attribute.namespace.len());
        node.namespace().len() + attributes.sum::<usize>()
    };
    of(parent) + parent.descendants().map(of).sum::<usize>()
}

fn one_signature(signature: Node<'_, '_>, id: &str) -> Result<Family, Refusal> {
    // xmlsec asks for attributes by local name and takes the first, whatever its namespace: `x:URI` would be another reference.
    let mut attributes = std::iter::once(signature).chain(signature.descendants()).flat_map(|node| node.attributes());
    let prefixed = attributes.find(|attribute| !attribute.prefix.is_empty());
    require_with(Rule::SignatureShape, prefixed.is_none(), |refusal| {
        refusal.received(prefixed.map_or(String::new(), |attribute| format!("{}:{}", attribute.prefix, attribute.local)))
    })?;
    require(Rule::SignatureObject, !signature.children().any(|child| child.local() == "Object"))?;
    let parts: Vec<Node<'_, '_>> = signature.children().collect();
    let (signed_info, value) = match parts.as_slice() {
        [info, value] if is_part(info, "SignedInfo") && is_part(value, "SignatureValue") => (info, value),
        [info, value, key] if is_part(info, "SignedInfo") && is_part(value, "SignatureValue") && is_part(key, "KeyInfo") => {
            (info, value)
        }
        _ => return Err(Rule::SignatureShape.refusal().received(names(&parts))),
    };
    require(Rule::SignatureShape, !signature.has_text())?;
    let family = signed_info_of(*signed_info, id)?;
    base64_alone(*value)?;
    Ok(family)
}

fn signed_info_of(signed_info: Node<'_, '_>, id: &str) -> Result<Family, Refusal> {
    let references = signed_info.children().filter(|child| child.local() == "Reference").count();
    require_with(Rule::ReferenceCount, references == 1, |refusal| refusal.expected("1").received(references.to_string()))?;
    let parts: Vec<Node<'_, '_>> = signed_info.children().collect();
    let [canonicalization, method, reference, ..] = parts.as_slice() else {
        return Err(Rule::SignatureShape.refusal().received(names(&parts)));
    };
    let is_shaped = is_part(canonicalization, "CanonicalizationMethod")
        && is_part(method, "SignatureMethod")
        && is_part(reference, "Reference");
    let is_alone = parts.iter().skip(3).all(|part| is_part(part, "Reference")) && !signed_info.has_text();
    require_with(Rule::SignatureShape, is_shaped && is_alone, |refusal| refusal.received(names(&parts)))?;

    let algorithm = canonicalization.attribute("Algorithm");
    require_with(Rule::Canonicalization, algorithm == Some(EXCLUSIVE_C14N) && has_only_prefixes(*canonicalization), |refusal| {
        refusal.expected(EXCLUSIVE_C14N).received_any(algorithm)
    })?;

    let algorithm = method.attribute("Algorithm");
    let family = algorithm.and_then(family_of);
    require_with(Rule::SignatureAlgorithm, family.is_some(), |refusal| refusal.received_any(algorithm))?;
    // HMACOutputLength and the like.
    require_with(Rule::SignatureShape, !method.has_children(), |refusal| refusal.received("parameters of SignatureMethod"))?;
    one_reference(*reference, id)?;
    Ok(family.unwrap_or(Family::Rsa))
}

fn one_reference(reference: Node<'_, '_>, id: &str) -> Result<(), Refusal> {
    let uri = reference.attribute("URI");
    let is_own = uri.and_then(|uri| uri.strip_prefix('#')) == Some(id);
    require_with(Rule::ReferenceUri, is_own, |refusal| refusal.expected(format!("#{id}")).received_any(uri))?;

    let parts: Vec<Node<'_, '_>> = reference.children().collect();
    let (transforms, digest, value) = match parts.as_slice() {
        [transforms, digest, value]
            if is_part(transforms, "Transforms") && is_part(digest, "DigestMethod") && is_part(value, "DigestValue") =>
        {
            (transforms, digest, value)
        }
        [first, ..] if !is_part(first, "Transforms") => return Err(Rule::Transforms.refusal().received("none")),
        _ => return Err(Rule::SignatureShape.refusal().received(names(&parts))),
    };
    require(Rule::SignatureShape, !reference.has_text() && !transforms.has_text() && !digest.has_children())?;

    let steps: Vec<Node<'_, '_>> = transforms.children().collect();
    let algorithms: Vec<&str> = steps.iter().map(|step| step.attribute("Algorithm").unwrap_or_default()).collect();
    let is_accepted = algorithms == [ENVELOPED, EXCLUSIVE_C14N]
        && steps.iter().all(|step| is_part(step, "Transform"))
        && steps.first().is_some_and(|step| !step.has_children() && !step.has_text())
        && steps.last().is_some_and(|step| has_only_prefixes(*step));
    require_with(Rule::Transforms, is_accepted, |refusal| {
        refusal.expected(format!("{ENVELOPED}, {EXCLUSIVE_C14N}")).received(algorithms.join(", "))
    })?;

    let algorithm = digest.attribute("Algorithm");
    let is_accepted = algorithm.is_some_and(|algorithm| DIGESTS.contains(&algorithm));
    require_with(Rule::DigestAlgorithm, is_accepted, |refusal| refusal.received_any(algorithm))?;
    base64_alone(*value)
}

fn is_part(node: &Node<'_, '_>, local: &str) -> bool {
    node.is(DSIG, local)
}

fn names(parts: &[Node<'_, '_>]) -> String {
    let names: Vec<&str> = parts.iter().map(Node::local).collect();
    names.join(", ")
}

/// Exclusive canonicalisation takes one parameter: prefixes to treat as the inclusive form does.
fn has_only_prefixes(node: Node<'_, '_>) -> bool {
    let mut children = node.children();
    let first = children.next();
    let is_prefixes = first.is_none_or(|child| {
        child.is(EXCLUSIVE_C14N, "InclusiveNamespaces")
            && !child.has_children()
            && !child.has_text()
            && child.attributes().iter().all(|attribute| {
                attribute.local == "PrefixList" && attribute.prefix.is_empty() && is_short_list(&attribute.value)
            })
    });
    is_prefixes && children.next().is_none() && !node.has_text()
}

/// Few prefixes, each once: every one of them is looked up at every element that is canonicalised.
fn is_short_list(list: &str) -> bool {
    if list.len() > PREFIX_LIST_BYTES_MAX {
        return false;
    }
    let prefixes: Vec<&str> = list.split_ascii_whitespace().collect();
    prefixes.len() <= PREFIXES_MAX
        && prefixes
            .iter()
            .enumerate()
            .all(|(index, prefix)| (*prefix == "#default" || is_name(prefix)) && !prefixes[..index].contains(prefix))
}

fn base64_alone(node: Node<'_, '_>) -> Result<(), Refusal> {
    let is_plain =
        !node.has_children() && node.text().is_ok_and(|text| !text.is_empty() && crate::transport::decode_base64(text).is_ok());
    require_with(Rule::SignatureValue, is_plain, |refusal| refusal.received(node.local()))
}
