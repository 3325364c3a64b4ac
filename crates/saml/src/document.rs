//! A well-formed document as an arena: elements in document order, names resolved to namespaces, text and attribute values
//! as XML says they are. Made by [`crate::scan`] alone. Borrowed from the message it was read from.

use std::borrow::Cow;

use crate::rule::{Refusal, Rule, require};

pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

#[derive(Debug)]
pub struct Document<'t> {
    pub(crate) text: &'t str,
    pub(crate) elements: Vec<Element<'t>>,
    pub(crate) attributes: Vec<Attribute<'t>>,
}

#[derive(Debug)]
pub(crate) struct Element<'t> {
    pub namespace: &'t str,
    pub local: &'t str,
    /// Direct character data, put together; blanks alone count once.
    pub text: Cow<'t, str>,
    pub attributes: std::ops::Range<u32>,
    pub parent: Option<u32>,
    /// One past the last element inside: `self + 1 .. inside_end` are the descendants.
    pub inside_end: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Attribute<'t> {
    pub prefix: &'t str,
    /// Empty without a prefix.
    pub namespace: &'t str,
    pub local: &'t str,
    pub value: Cow<'t, str>,
}

/// One element of a document.
#[derive(Clone, Copy)]
pub struct Node<'d, 't> {
    document: &'d Document<'t>,
    index: u32,
}

impl<'t> Document<'t> {
    pub fn root(&self) -> Node<'_, 't> {
        Node { document: self, index: 0 }
    }

    pub(crate) fn node(&self, index: u32) -> Node<'_, 't> {
        Node { document: self, index }
    }

    /// Every element, in document order.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'_, 't>> {
        (0..self.elements.len()).map(|index| self.node(index as u32))
    }

    pub fn element_count(&self) -> usize {
        self.elements.len()
    }
}

impl PartialEq for Node<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.index == other.index
    }
}

impl<'d, 't> Node<'d, 't> {
    /// The document it is part of.
    pub(crate) fn document(&self) -> &'d Document<'t> {
        self.document
    }

    fn element(&self) -> &'d Element<'t> {
        &self.document.elements[self.index as usize]
    }

    pub fn local(&self) -> &'t str {
        self.element().local
    }

    pub fn namespace(&self) -> &'t str {
        self.element().namespace
    }

    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        let element = self.element();
        element.local == local && element.namespace == namespace
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        self.element().parent.map(|index| self.document.node(index))
    }

    pub fn children(&self) -> impl Iterator<Item = Self> + use<'d, 't> {
        let document = self.document;
        let (mut next, end) = (self.index + 1, self.element().inside_end);
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let node = document.node(next);
            next = node.element().inside_end;
            Some(node)
        })
    }

    pub(crate) fn descendants(&self) -> impl Iterator<Item = Self> + use<'d, 't> {
        let document = self.document;
        (self.index + 1..self.element().inside_end).map(move |index| document.node(index))
    }

    pub(crate) fn has_children(&self) -> bool {
        self.element().inside_end > self.index + 1
    }

    pub(crate) fn named(&self, namespace: &'static str, local: &'static str) -> impl Iterator<Item = Self> + use<'d, 't> {
        self.children().filter(move |child| child.is(namespace, local))
    }

    /// The child of that name, which may be there once.
    pub(crate) fn only(&self, namespace: &'static str, local: &'static str) -> Result<Option<Self>, Refusal> {
        let mut found = self.named(namespace, local);
        let first = found.next();
        require_once(local, found.next().is_none())?;
        Ok(first)
    }

    /// The attribute without a prefix.
    pub fn attribute(&self, local: &str) -> Option<&'d str> {
        self.attribute_of("", local)
    }

    /// Local names of its attributes, in their order; declarations of namespaces are none.
    pub fn attribute_names(&self) -> impl Iterator<Item = &'t str> + use<'d, 't> {
        self.attributes().iter().map(|attribute| attribute.local)
    }

    pub(crate) fn attribute_of(&self, namespace: &str, local: &str) -> Option<&'d str> {
        let found = self.attributes().iter().find(|attribute| attribute.local == local && attribute.namespace == namespace);
        found.map(|attribute| &*attribute.value)
    }

    pub(crate) fn attributes(&self) -> &'d [Attribute<'t>] {
        let range = &self.element().attributes;
        &self.document.attributes[range.start as usize..range.end as usize]
    }

    /// Character data of an element that has nothing else, without blanks around it.
    pub(crate) fn text(&self) -> Result<&'d str, Refusal> {
        if self.has_children() {
            require(Rule::NestedMarkup, false).map_err(|refusal| refusal.received(self.local()))?;
        }
        Ok(self.own_text())
    }

    /// Its character data, whatever stands beside it.
    pub(crate) fn own_text(&self) -> &'d str {
        trimmed(&self.element().text)
    }

    /// Whether there is character data that is not blank.
    pub(crate) fn has_text(&self) -> bool {
        !self.own_text().is_empty()
    }
}

fn require_once(local: &str, holds: bool) -> Result<(), Refusal> {
    require(Rule::RepeatedElement, holds).map_err(|refusal| refusal.received(local))
}

/// Without XML's blanks around it; other space is part of a value.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}
