//! libxmlsec1, for the verification alone: what is asked of it, and in which words ([`ffi`] has the calls). It gets a key that
//! we trust, one signature at a time, and a list of what it may do; of its answer the bytes that were hashed are taken.
//!
//! Refuses, whatever was checked before: a document type, an ID that is no name or stands twice, a reference that leads anywhere
//! but to the element its signature stands in, every transform and algorithm that [`crate::signature`] refuses by name.

mod ffi;

use std::collections::HashSet;
use std::ffi::CStr;
use std::fmt;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};

pub(super) use self::ffi::Key;
use self::ffi::{Document, Element};
use super::{Certificates, NotVerified, Policy, SignedBytes, Verifier};

const DSIG: &CStr = c"http://www.w3.org/2000/09/xmldsig#";

/// The verifier in use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Xmlsec;

impl Verifier for Xmlsec {
    fn verify(&self, xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified> {
        let document = Document::parse(xml).ok_or(NotVerified)?;
        let signatures = Signatures::of(&document).ok_or(NotVerified)?;
        let mut of_kind = certificates.iter().filter(|certificate| certificate.family() == policy.family);
        let bytes = of_kind.find_map(|certificate| signatures.by(certificate.kept()?));
        if bytes.is_none() {
            // What OpenSSL noted of a stranger's message is not to be told by the next call of it that fails.
            drop(ErrorStack::get());
        }
        bytes.map(SignedBytes::new).ok_or(NotVerified)
    }
}

/// The signatures of a document, with the IDs that they may refer to registered.
struct Signatures<'d> {
    all: Vec<Signature<'d>>,
    /// In `all`.
    outermost: usize,
}

struct Signature<'d> {
    element: Element<'d>,
    /// The ID of the element it stands in.
    of: &'d CStr,
}

impl<'d> Signatures<'d> {
    fn of(document: &'d Document) -> Option<Self> {
        let root = document.root()?;
        let (mut ids, mut waiting, mut all, mut at_root) = (HashSet::new(), vec![root], Vec::new(), Vec::new());
        while let Some(element) = waiting.pop() {
            for id in element.ids() {
                let id = id?;
                if !id.is_name() || !ids.insert(id.value) {
                    return None;
                }
            }
            if element.is(DSIG, c"Signature") {
                let parent = element.parent()?;
                let id = parent.ids().flatten().find(|id| !id.is_prefixed)?;
                // Only here: a reference leads nowhere else. A second signature in the same place finds it taken.
                if !document.register(id) {
                    return None;
                }
                if parent == root {
                    at_root.push(all.len());
                }
                all.push(Signature { element, of: id.value });
            }
            waiting.extend(element.children());
        }
        let outermost = match (all.len(), at_root.as_slice()) {
            (1, _) => 0,
            (_, [one]) => *one,
            _ => return None,
        };
        Some(Self { all, outermost })
    }

    /// What the outermost covers, if every one of them is by that key.
    fn by(&self, key: &Key) -> Option<String> {
        let mut covered = Vec::with_capacity(self.all.len());
        for signature in &self.all {
            let reference = signature.element.verify(key)?;
            if reference.uri.strip_prefix(b"#") != Some(signature.of.to_bytes()) {
                return None;
            }
            covered.push(reference.bytes);
        }
        Some(covered.swap_remove(self.outermost))
    }
}

/// The key of a certificate as libxmlsec1 wants it: made at the first use, and kept.
#[derive(Default)]
pub(super) struct Kept(OnceLock<Option<Key>>);

impl Kept {
    pub fn of(&self, key: &PKey<Public>) -> Option<&Key> {
        self.0.get_or_init(|| Key::of(key)).as_ref()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kept")
    }
}
