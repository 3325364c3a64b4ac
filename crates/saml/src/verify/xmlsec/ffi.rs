//! The calls of libxml2 and libxmlsec1, with owners for what they allocate: the one place of the crate where the compiler takes
//! our word. A [`Document`] is freed when it goes, and its elements do not outlive it; nothing here lends a reference into a
//! struct of the library, which may write to it: fields are copied out. What a verification means is said in the module above.

#![expect(unsafe_code, reason = "two libraries in C; everything outside this file is safe")]

use std::ffi::{CStr, c_int, c_uchar};
use std::marker::PhantomData;
use std::ptr::{NonNull, addr_of_mut, null, null_mut};
use std::sync::OnceLock;

use foreign_types::ForeignType;
use openssl::pkey::{PKey, Public};

use self::bindings::*;

#[allow(warnings, clippy::all, reason = "generated from the headers, by build.rs")]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/xmlsec.rs"));
}

/// No network, no output; and no more than that: nothing is repaired (RECOVER), fetched (DTDLOAD, XINCLUDE), replaced (NOENT) or
/// let off a limit (HUGE), because these are not set.
const OPTIONS: u32 = xmlParserOption_XML_PARSE_NONET | xmlParserOption_XML_PARSE_NOERROR | xmlParserOption_XML_PARSE_NOWARNING;

/// Whether the library is there and set up; does so at the first call.
fn is_ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(set_up)
}

fn set_up() -> bool {
    // SAFETY: none of these takes a pointer of ours, and `is_ready` lets one thread do it, before anything else in this file.
    unsafe {
        // Anybody can send a wrong signature; nobody writes into the log of a gateway that way.
        xmlSecErrorsDefaultCallbackEnableOutput(0);
        // Somebody else in this process did it (samael, in tests): again would empty the lists that others are reading.
        if xmlSecPtrListGetSize(xmlSecTransformIdsGet()) > 0 {
            return true;
        }
        xmlInitParser();
        xmlSecCheckVersionExt(
            XMLSEC_VERSION_MAJOR as c_int,
            XMLSEC_VERSION_MINOR as c_int,
            XMLSEC_VERSION_SUBMINOR as c_int,
            xmlSecCheckVersionMode_xmlSecCheckVersionABICompatible,
        ) == 1
            && xmlSecInit() >= 0
            && xmlSecOpenSSLInit() >= 0
    }
}

/// A public key as libxmlsec1 wants it, and nothing beside it: a certificate in it would be parsed again at each use.
pub(in crate::verify) struct Key(NonNull<xmlSecKey>);

// SAFETY: once `of` has made it nothing writes to it. All that is done with it is `duplicate`, which reads it and raises the
// count of the EVP_PKEY inside, atomically (keys.c xmlSecKeyCopy, openssl/evp.c xmlSecOpenSSLEvpKeyDup: 1.2.37), and the drop
// by its last owner. An EVP_PKEY that nobody changes may be used by several threads at once, as rust-openssl's `PKey` is.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

impl Key {
    /// Shares the key with OpenSSL's own object: nothing is parsed.
    pub fn of(key: &PKey<Public>) -> Option<Self> {
        if !is_ready() {
            return None;
        }
        let counted = key.clone();
        // SAFETY: a valid EVP_PKEY with a count of its own. The call takes that over if it succeeds, so it is forgotten then.
        let value = NonNull::new(unsafe { xmlSecOpenSSLEvpKeyAdopt(counted.as_ptr().cast()) })?;
        std::mem::forget(counted);
        // SAFETY: no argument; null is looked for.
        let made = NonNull::new(unsafe { xmlSecKeyCreate() }).map(Self);
        // SAFETY: both are valid. The key owns the value if the call succeeds.
        let is_set = made.as_ref().is_some_and(|made| unsafe { xmlSecKeySetValue(made.0.as_ptr(), value.as_ptr()) } >= 0);
        if !is_set {
            // SAFETY: nobody took it over, and nobody uses it any more.
            unsafe { xmlSecKeyDataDestroy(value.as_ptr()) };
            return None;
        }
        made
    }

    fn duplicate(&self) -> Option<Self> {
        // SAFETY: valid while self is; see `Sync`.
        NonNull::new(unsafe { xmlSecKeyDuplicate(self.0.as_ptr()) }).map(Self)
    }

    /// For a struct of the library that frees it.
    fn into_raw(self) -> *mut xmlSecKey {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        raw
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used again.
        unsafe { xmlSecKeyDestroy(self.0.as_ptr()) };
    }
}

/// A parsed document. Stays with its thread, as a raw pointer does by itself.
pub(super) struct Document(NonNull<xmlDoc>);

impl Document {
    /// `None`: not well-formed, too large, or with a document type.
    pub fn parse(xml: &str) -> Option<Self> {
        if !is_ready() {
            return None;
        }
        let length = c_int::try_from(xml.len()).ok()?;
        // SAFETY: `length` bytes that outlive the call, which copies what it keeps; null for an address and an encoding is allowed.
        let read = unsafe { xmlReadMemory(xml.as_ptr().cast(), length, null(), null(), OPTIONS as c_int) };
        let document = Self(NonNull::new(read)?);
        // SAFETY: a valid document.
        unsafe { (*document.0.as_ptr()).intSubset.is_null() }.then_some(document)
    }

    pub fn root(&self) -> Option<Element<'_>> {
        // SAFETY: a valid document.
        let root = unsafe { xmlDocGetRootElement(self.0.as_ptr()) };
        Some(Element { node: NonNull::new(root)?, document: PhantomData })
    }

    /// Whether a reference to the value of this attribute leads to its element from now on. No, if there is another such ID.
    pub fn register(&self, id: Id<'_>) -> bool {
        // SAFETY: an attribute of this document (its lifetime), with its value; the call copies that. No parser is allowed.
        unsafe { !xmlAddID(null_mut(), self.0.as_ptr(), id.value.as_ptr().cast(), id.attribute.as_ptr()).is_null() }
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        // SAFETY: ours alone; elements and attributes borrow it, so none is left.
        unsafe { xmlFreeDoc(self.0.as_ptr()) };
    }
}

/// An element of a document that is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'d> {
    node: NonNull<xmlNode>,
    document: PhantomData<&'d Document>,
}

impl<'d> Element<'d> {
    pub fn is(self, namespace: &CStr, local: &CStr) -> bool {
        // SAFETY: a valid element: its name is a string, its namespace null or valid with null or a string for a name.
        unsafe {
            let name = (*self.node.as_ptr()).name;
            let of = (*self.node.as_ptr()).ns;
            CStr::from_ptr(name.cast()) == local
                && !of.is_null()
                && !(*of).href.is_null()
                && CStr::from_ptr((*of).href.cast()) == namespace
        }
    }

    pub fn parent(self) -> Option<Self> {
        // SAFETY: a valid element; a parent is the document, which is no element, or a valid node.
        let parent = NonNull::new(unsafe { (*self.node.as_ptr()).parent })?;
        is_element(parent).then_some(Self { node: parent, ..self })
    }

    pub fn children(self) -> impl Iterator<Item = Self> {
        // SAFETY: a valid element; children are valid nodes, each naming the next, null at the end.
        let first = NonNull::new(unsafe { (*self.node.as_ptr()).children });
        // SAFETY: as above.
        let nodes = std::iter::successors(first, |node| NonNull::new(unsafe { (*node.as_ptr()).next }));
        nodes.filter(|node| is_element(*node)).map(move |node| Self { node, ..self })
    }

    /// Its attributes that are called `ID`, in any namespace. `None` for one whose value is not plain text.
    pub fn ids(self) -> impl Iterator<Item = Option<Id<'d>>> {
        // SAFETY: a valid element; its properties are valid attributes, each naming the next, null at the end.
        let first = NonNull::new(unsafe { (*self.node.as_ptr()).properties });
        // SAFETY: as above.
        let attributes = std::iter::successors(first, |attribute| NonNull::new(unsafe { (*attribute.as_ptr()).next }));
        // SAFETY: as above; an attribute has a name.
        let named = attributes.filter(|attribute| unsafe { CStr::from_ptr((*attribute.as_ptr()).name.cast()) } == c"ID");
        named.map(Id::of)
    }

    /// Whether this ds:Signature is by that key, over one reference, with what is allowed. KeyInfo is not read.
    pub fn verify(self, key: &Key) -> Option<Reference> {
        let context = Context::new(key)?;
        // SAFETY: a valid context, which has a key, and a valid element of a document, which the call reads (and registers the
        // `Id`s inside of; it allocates nothing that it leaves there). A failure says so by the result or the status.
        let result = unsafe { xmlSecDSigCtxVerify(context.0.as_ptr(), self.node.as_ptr()) };
        if result < 0 { None } else { context.reference() }
    }
}

fn is_element(node: NonNull<xmlNode>) -> bool {
    // SAFETY: whoever has a pointer in this file has it from a valid document; every kind of node begins alike.
    unsafe { (*node.as_ptr()).type_ == xmlElementType_XML_ELEMENT_NODE }
}

/// An attribute called `ID` of a document that is still there.
#[derive(Clone, Copy)]
pub(super) struct Id<'d> {
    attribute: NonNull<xmlAttr>,
    /// The document's own text, which nothing changes.
    pub value: &'d CStr,
    pub is_prefixed: bool,
}

impl Id<'_> {
    fn of(attribute: NonNull<xmlAttr>) -> Option<Self> {
        // SAFETY: a valid attribute of a document that outlives `Self` (see `Element::ids`): its children are valid nodes, and
        // the content of a text is a string or null.
        unsafe {
            let text = NonNull::new((*attribute.as_ptr()).children)?.as_ptr();
            let is_plain = (*text).type_ == xmlElementType_XML_TEXT_NODE && (*text).next.is_null() && !(*text).content.is_null();
            let is_prefixed = !(*attribute.as_ptr()).ns.is_null();
            is_plain.then(|| Self { attribute, value: CStr::from_ptr((*text).content.cast()), is_prefixed })
        }
    }

    pub fn is_name(&self) -> bool {
        // SAFETY: a string.
        unsafe { xmlValidateNCName(self.value.as_ptr().cast(), 0) == 0 }
    }
}

/// What one signature covers, once it verified.
pub(super) struct Reference {
    pub uri: Vec<u8>,
    /// What was hashed.
    pub bytes: String,
}

struct Context(NonNull<xmlSecDSigCtx>);

impl Context {
    /// For one verification, by that key alone: without a manager of keys none is looked for in the message.
    fn new(key: &Key) -> Option<Self> {
        // SAFETY: no manager of keys is allowed; null is looked for.
        let context = Self(NonNull::new(unsafe { xmlSecDSigCtxCreate(null_mut()) })?);
        let raw = context.0.as_ptr();
        let key = key.duplicate()?.into_raw();
        // SAFETY: a valid context that nobody else has. It owns the key from here on. Transforms are named by addresses of
        // constants of the library, which the lists in the context keep.
        unsafe {
            (*raw).signKey = key;
            (*raw).flags |= XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES | XMLSEC_DSIG_FLAGS_IGNORE_MANIFESTS;
            (*raw).enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
            let of_signature = [
                xmlSecTransformExclC14NGetKlass(),
                xmlSecOpenSSLTransformRsaSha256GetKlass(),
                xmlSecOpenSSLTransformRsaSha384GetKlass(),
                xmlSecOpenSSLTransformRsaSha512GetKlass(),
                xmlSecOpenSSLTransformEcdsaSha256GetKlass(),
                xmlSecOpenSSLTransformEcdsaSha384GetKlass(),
                xmlSecOpenSSLTransformEcdsaSha512GetKlass(),
            ];
            let of_reference = [
                xmlSecTransformEnvelopedGetKlass(),
                xmlSecTransformExclC14NGetKlass(),
                xmlSecOpenSSLTransformSha256GetKlass(),
                xmlSecOpenSSLTransformSha384GetKlass(),
                xmlSecOpenSSLTransformSha512GetKlass(),
            ];
            let is_limited = of_signature.iter().all(|id| !id.is_null() && xmlSecDSigCtxEnableSignatureTransform(raw, *id) >= 0)
                && of_reference.iter().all(|id| !id.is_null() && xmlSecDSigCtxEnableReferenceTransform(raw, *id) >= 0);
            is_limited.then_some(context)
        }
    }

    /// The one reference of a signature that verified.
    fn reference(&self) -> Option<Reference> {
        let raw = self.0.as_ptr();
        // SAFETY: a valid context after a verification: the list holds valid contexts of references, whose strings, buffers and
        // addresses are theirs, null where there is nothing. All is copied.
        unsafe {
            let references = addr_of_mut!((*raw).signedInfoReferences);
            let is_verified = (*raw).status == xmlSecDSigStatus_xmlSecDSigStatusSucceeded;
            if !is_verified || xmlSecPtrListGetSize(references) != 1 {
                return None;
            }
            let one: *mut xmlSecDSigReferenceCtx = NonNull::new(xmlSecPtrListGetItem(references, 0))?.as_ptr().cast();
            if (*one).status != xmlSecDSigStatus_xmlSecDSigStatusSucceeded {
                return None;
            }
            let uri = CStr::from_ptr(NonNull::new((*one).uri)?.as_ptr().cast()).to_bytes().to_vec();
            let buffer = NonNull::new(xmlSecDSigReferenceCtxGetPreDigestBuffer(one))?.as_ptr();
            let data: NonNull<c_uchar> = NonNull::new(xmlSecBufferGetData(buffer))?;
            let length = usize::try_from(xmlSecBufferGetSize(buffer)).ok()?;
            let bytes = std::slice::from_raw_parts(data.as_ptr(), length);
            Some(Reference { uri, bytes: std::str::from_utf8(bytes).ok()?.to_owned() })
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used again; it frees its key and what the references hold.
        unsafe { xmlSecDSigCtxDestroy(self.0.as_ptr()) };
    }
}
