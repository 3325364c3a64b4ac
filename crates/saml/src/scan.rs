//! Strict well-formedness, in one pass over the bytes, into an arena ([`crate::document`]).
//!
//! What is read is a small part of XML 1.0 with namespaces, on purpose: no document type, no instructions, no CDATA, no
//! comments (metadata may have them), no references but XML's five and legal numbers, names in ASCII, namespace names absolute. Whatever is let through
//! is read alike by every parser, so that none after this one sees another document. Refuses everything else, by a rule each,
//! and repairs nothing.
//!
//! Written by hand rather than with quick-xml, which would leave most of these to its user (blanks between attributes, `<` in
//! a value, `]]>` in text, names, characters) and a second pass to find them; quick-xml has to agree in the tests.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

use crate::document::{Attribute, Document, Element, XML};
use crate::limits::{Limits, NAMESPACE_BYTES_MAX};
use crate::rule::{Refusal, Rule, require};

/// The document of a text, if it is one.
pub fn scan(text: &str, limits: Limits) -> Result<Document<'_>, Refusal> {
    require(Rule::IllegalCharacter, has_only_legal_characters(text))?;
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        limits,
        document: Document { text, elements: Vec::new(), attributes: Vec::new() },
        open: Vec::new(),
        scopes: Vec::new(),
    };
    scanner.declaration()?;
    scanner.run()?;
    Ok(scanner.document)
}

/// Without U+FFFE, U+FFFF and the controls that XML 1.0 has no way to write. Surrogates are no text in Rust.
fn has_only_legal_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    let controls = bytes.iter().fold(false, |found, &byte| found | (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')));
    !controls && memmem::find(bytes, b"\xef\xbf\xbe").is_none() && memmem::find(bytes, b"\xef\xbf\xbf").is_none()
}

fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

const fn is_space(byte: u8) -> bool {
    crate::transport::is_blank(byte)
}

const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

const fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// An XML name without a colon, in ASCII.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(begins_name) && text.bytes().all(continues_name)
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    limits: Limits,
    document: Document<'t>,
    open: Vec<Open<'t>>,
    /// Declared namespaces, the innermost last.
    scopes: Vec<(&'t str, &'t str)>,
}

struct Open<'t> {
    element: u32,
    /// Prefix and colon included: the end tag has to repeat it.
    name: &'t str,
    scopes_before: usize,
    /// Whether its text so far is blanks alone: remembered, since asking the text again for each piece costs its square.
    held_is_blank: bool,
}

/// An attribute before its prefix is resolved.
struct Raw<'t> {
    prefix: &'t str,
    local: &'t str,
    value: Cow<'t, str>,
}

impl<'t> Scanner<'t> {
    /// `<?xml version="1.0" encoding="UTF-8" standalone="…"?>`, at the very beginning or not at all.
    fn declaration(&mut self) -> Result<(), Refusal> {
        let Some(rest) = self.text.strip_prefix("<?xml").filter(|rest| rest.bytes().next().is_some_and(is_space)) else {
            return Ok(());
        };
        let Some(end) = rest.find("?>") else { return Err(Rule::Truncated.refusal()) };
        self.at = "<?xml".len() + end + "?>".len();
        let parts = pseudo_attributes(&rest[..end]);
        let is_accepted = parts.is_some_and(|parts| {
            let mut names = parts.iter().map(|(name, _)| *name);
            let in_order = matches!(
                (names.next(), names.next(), names.next(), names.next()),
                (Some("version"), None | Some("encoding" | "standalone"), None, None)
                    | (Some("version"), Some("encoding"), Some("standalone"), None)
            );
            in_order
                && parts.iter().all(|(name, value)| match *name {
                    "version" => *value == "1.0",
                    "encoding" => value.eq_ignore_ascii_case("utf-8"),
                    _ => matches!(*value, "yes" | "no"),
                })
        });
        require(Rule::XmlDeclaration, is_accepted).map_err(|refusal| refusal.received(&rest[..end]))
    }

    fn run(&mut self) -> Result<(), Refusal> {
        loop {
            let Some(next) = memchr(b'<', &self.bytes[self.at..]).map(|offset| self.at + offset) else {
                let rest = &self.text[self.at..];
                require(Rule::Truncated, self.open.is_empty() && !self.document.elements.is_empty())?;
                return self.characters(rest);
            };
            let characters = &self.text[self.at..next];
            self.characters(characters)?;
            self.at = next + 1;
            match self.bytes.get(self.at) {
                Some(b'/') => self.end_tag()?,
                Some(b'!') => self.exclamation()?,
                Some(b'?') => {
                    let end = self.after("?>")?;
                    require(Rule::ProcessingInstruction, false)?;
                    self.at = end;
                }
                Some(_) => self.start_tag()?,
                None => return Err(Rule::Truncated.refusal()),
            }
        }
    }

    /// Where what follows the next `mark` begins.
    fn after(&self, mark: &str) -> Result<usize, Refusal> {
        let found = memmem::find(&self.bytes[self.at..], mark.as_bytes());
        found.map(|offset| self.at + offset + mark.len()).ok_or_else(|| Rule::Truncated.refusal())
    }

    /// Comment, CDATA section, document type: none is accepted; the rule says which it was.
    fn exclamation(&mut self) -> Result<(), Refusal> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(b"!--") {
            require(Rule::Comment, self.limits.has_comments)?;
            self.at += "!--".len();
            self.at = self.after("-->")?;
        } else if rest.starts_with(b"![CDATA[") {
            require(Rule::Cdata, false)?;
            let (begin, end) = (self.at + "![CDATA[".len(), self.after("]]>")?);
            let section = &self.text[begin..end - "]]>".len()];
            self.append(Cow::Borrowed(section))?;
            self.at = end;
        } else if rest.starts_with(b"!DOCTYPE") {
            require(Rule::Doctype, false)?;
            self.at = self.after(if rest.contains(&b'[') { "]>" } else { ">" })?;
        } else {
            return Err(Rule::MalformedMarkup.refusal());
        }
        Ok(())
    }

    fn characters(&mut self, text: &'t str) -> Result<(), Refusal> {
        if text.is_empty() {
            return Ok(());
        }
        require(Rule::MalformedMarkup, memmem::find(text.as_bytes(), b"]]>").is_none())?;
        // Outside not even a reference to a blank may stand.
        require(Rule::TextOutsideRoot, !self.open.is_empty() || text.bytes().all(is_space))?;
        let text = self.resolved(text, |byte| byte == b'\r')?;
        self.append(text)
    }

    fn append(&mut self, text: Cow<'t, str>) -> Result<(), Refusal> {
        let is_blank = text.bytes().all(is_space);
        let Some(open) = self.open.last_mut() else { return require(Rule::TextOutsideRoot, is_blank) };
        let held = &mut self.document.elements[open.element as usize].text;
        if held.is_empty() {
            *held = text;
        } else if !(is_blank && open.held_is_blank) {
            held.to_mut().push_str(&text);
        }
        open.held_is_blank &= is_blank;
        Ok(())
    }

    /// References replaced, line ends as XML wants them; in attributes blanks become spaces (`changes` says which bytes matter).
    fn resolved(&self, raw: &'t str, changes: impl Fn(u8) -> bool) -> Result<Cow<'t, str>, Refusal> {
        if !raw.bytes().any(|byte| byte == b'&' || changes(byte)) {
            return Ok(Cow::Borrowed(raw));
        }
        let in_attribute = changes(b'\t');
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.bytes().position(|byte| byte == b'&' || changes(byte)) {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with('&') {
                let Some(end) = memchr(b';', rest.as_bytes()) else { return Err(Rule::EntityReference.refusal()) };
                reference(&rest[1..end], &mut text)?;
                rest = &rest[end + 1..];
            } else {
                text.push(if in_attribute { ' ' } else { '\n' });
                let is_pair = rest.starts_with("\r\n");
                rest = &rest[if is_pair { 2 } else { 1 }..];
            }
        }
        text.push_str(rest);
        Ok(Cow::Owned(text))
    }

    fn end_tag(&mut self) -> Result<(), Refusal> {
        let Some(offset) = memchr(b'>', &self.bytes[self.at..]) else { return Err(Rule::Truncated.refusal()) };
        let end = self.at + offset;
        let name = self.text[self.at + 1..end].trim_end_matches([' ', '\t', '\r', '\n']);
        self.at = end + 1;
        let Some(open) = self.open.last() else { return Err(Rule::MismatchedTag.refusal().received(name)) };
        require(Rule::MismatchedTag, open.name == name).map_err(|refusal| refusal.expected(open.name).received(name))?;
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.scopes.truncate(open.scopes_before);
            let inside_end = self.document.elements.len() as u32;
            let element = &mut self.document.elements[open.element as usize];
            element.inside_end = inside_end;
        }
    }

    fn start_tag(&mut self) -> Result<(), Refusal> {
        let (prefix, local, name) = self.name()?;
        if self.open.is_empty() {
            require(Rule::SecondRoot, self.document.elements.is_empty())?;
        }
        require(Rule::TooDeep, self.open.len() < self.limits.depth_max)?;
        require(Rule::TooManyElements, self.document.elements.len() < self.limits.elements_max)?;

        let scopes_before = self.scopes.len();
        let (raw, is_empty) = self.inside_of_tag()?;
        self.declare_undeclared(prefix)?;
        let namespace = self.namespace_of(prefix)?;
        let first = self.document.attributes.len();
        for attribute in raw {
            let namespace = if attribute.prefix.is_empty() { "" } else { self.namespace_of(attribute.prefix)? };
            let earlier = &self.document.attributes[first..];
            let is_new = !earlier.iter().any(|other| other.local == attribute.local && other.namespace == namespace);
            require(Rule::DuplicateAttribute, is_new).map_err(|refusal| refusal.received(attribute.local))?;
            let Raw { prefix, local, value } = attribute;
            self.document.attributes.push(Attribute { prefix, namespace, local, value });
        }

        let element = self.document.elements.len() as u32;
        self.document.elements.push(Element {
            namespace,
            local,
            text: Cow::Borrowed(""),
            attributes: first as u32..self.document.attributes.len() as u32,
            parent: self.open.last().map(|open| open.element),
            inside_end: element + 1,
        });
        self.open.push(Open { element, name, scopes_before, held_is_blank: true });
        if is_empty {
            self.close();
        }
        Ok(())
    }

    /// `prefix:local`, its parts and the whole.
    fn name(&mut self) -> Result<(&'t str, &'t str, &'t str), Refusal> {
        let begin = self.at;
        let mut colon = None;
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b':' && colon.is_none() {
                colon = Some(self.at);
            } else if !continues_name(byte) {
                break;
            }
            self.at += 1;
        }
        if self.at >= self.bytes.len() {
            return Err(Rule::Truncated.refusal());
        }
        let (prefix, local) = match colon {
            Some(colon) => (&self.text[begin..colon], &self.text[colon + 1..self.at]),
            None => ("", &self.text[begin..self.at]),
        };
        let is_well_formed = is_name(local) && (colon.is_none() || is_name(prefix));
        // Without a name there is nothing to go on with.
        if !is_well_formed {
            return Err(Rule::MalformedMarkup.refusal());
        }
        Ok((prefix, local, &self.text[begin..self.at]))
    }

    /// Attributes up to `>` or `/>`; declarations of namespaces go to the scope instead. Whether the element ends here.
    fn inside_of_tag(&mut self) -> Result<(Vec<Raw<'t>>, bool), Refusal> {
        let mut attributes = Vec::new();
        let scopes_before = self.scopes.len();
        loop {
            let had_space = self.skip_space();
            match self.bytes.get(self.at) {
                None => return Err(Rule::Truncated.refusal()),
                Some(b'>') => {
                    self.at += 1;
                    return Ok((attributes, false));
                }
                Some(b'/') if self.bytes.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    return Ok((attributes, true));
                }
                Some(_) => require(Rule::MalformedMarkup, had_space)?,
            }
            let (prefix, local, name) = self.name()?;
            let raw = self.quoted()?;
            let declared = match (prefix, name) {
                ("xmlns", _) => Some(local),
                (_, "xmlns") => Some(""),
                _ => None,
            };
            if let Some(declared) = declared {
                require(Rule::TooManyNamespaces, self.scopes.len() - scopes_before < self.limits.namespaces_max)?;
                let is_new = !self.scopes[scopes_before..].iter().any(|(other, _)| *other == declared);
                require(Rule::DuplicateAttribute, is_new).map_err(|refusal| refusal.received(name))?;
                require(Rule::NamespaceName, may_be_declared(declared, raw)).map_err(|refusal| refusal.received(raw))?;
                self.scopes.push((declared, raw));
            } else {
                require(Rule::TooManyAttributes, attributes.len() < self.limits.attributes_max)?;
                let value = self.resolved(raw, is_space)?;
                attributes.push(Raw { prefix, local, value });
            }
        }
    }

    fn skip_space(&mut self) -> bool {
        let begin = self.at;
        while self.bytes.get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > begin
    }

    /// ` = "value"`, the value as it stands.
    fn quoted(&mut self) -> Result<&'t str, Refusal> {
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b'=') {
            return Err(Rule::MalformedMarkup.refusal());
        }
        self.at += 1;
        self.skip_space();
        let quote = match self.bytes.get(self.at) {
            Some(&quote @ (b'"' | b'\'')) => quote,
            Some(_) => return Err(Rule::MalformedMarkup.refusal()),
            None => return Err(Rule::Truncated.refusal()),
        };
        let begin = self.at + 1;
        let end = memchr2(quote, b'<', &self.bytes[begin..]).map(|offset| begin + offset);
        let Some(end) = end else { return Err(Rule::Truncated.refusal()) };
        if self.bytes[end] == b'<' {
            return Err(Rule::MalformedMarkup.refusal());
        }
        self.at = end + 1;
        Ok(&self.text[begin..end])
    }

    fn declare_undeclared(&mut self, prefix: &'t str) -> Result<(), Refusal> {
        // Only where the rule is switched off is there anything after it.
        if self.find_namespace(prefix).is_none() {
            require(Rule::UndeclaredPrefix, false).map_err(|refusal| refusal.received(prefix))?;
            self.scopes.push((prefix, ""));
        }
        Ok(())
    }

    fn namespace_of(&self, prefix: &'t str) -> Result<&'t str, Refusal> {
        match self.find_namespace(prefix) {
            Some(namespace) => Ok(namespace),
            None => Err(Rule::UndeclaredPrefix.refusal().received(prefix)),
        }
    }

    fn find_namespace(&self, prefix: &str) -> Option<&'t str> {
        if prefix == "xml" {
            return Some(XML);
        }
        let found = self.scopes.iter().rev().find(|(declared, _)| *declared == prefix);
        found.map(|(_, namespace)| *namespace).or_else(|| prefix.is_empty().then_some(""))
    }
}

/// What stands between `&` and `;`.
fn reference(name: &str, into: &mut String) -> Result<(), Refusal> {
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let Some(number) = name.strip_prefix('#') else {
                return require(Rule::EntityReference, false).map_err(|refusal| refusal.received(name));
            };
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
            let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| char::from(byte).is_digit(radix));
            let value = is_number.then(|| u32::from_str_radix(digits, radix).ok()).flatten();
            match value.and_then(char::from_u32).filter(|character| is_legal(*character)) {
                Some(character) => character,
                None => return require(Rule::CharacterReference, false).map_err(|refusal| refusal.received(name)),
            }
        }
    };
    into.push(character);
    Ok(())
}

/// Absolute, short, plain, and none of XML's own: a relative name makes libxml2 give up canonicalisation, and so does one that it
/// can't read as a URI.
fn may_be_declared(prefix: &str, name: &str) -> bool {
    if name.is_empty() {
        return prefix.is_empty();
    }
    if name.len() > NAMESPACE_BYTES_MAX {
        return false;
    }
    let Some((scheme, rest)) = name.split_once(':') else { return false };
    let is_plain = name.bytes().all(|byte| matches!(byte, b'!'..=b'~') && !b"\"<>\\^`{|}&[]".contains(&byte));
    let is_escaped = name.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    let has_one_fragment = name.bytes().filter(|byte| *byte == b'#').count() <= 1;
    let is_scheme = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_uri = is_plain && is_scheme && is_escaped && has_one_fragment && rest.strip_prefix("//").is_none_or(begins_with_host);
    is_uri && !matches!(prefix, "xml" | "xmlns") && name != XML && name != "http://www.w3.org/2000/xmlns/"
}

/// A host and at most a port; nobody names a user in a namespace.
fn begins_with_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty() && !host.contains('@') && port.is_none_or(is_port)
}

/// ` name="value"` repeated, with blanks before each.
fn pseudo_attributes(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if trimmed.is_empty() {
            return Some(parts);
        }
        if trimmed.len() == rest.len() {
            return None;
        }
        let (name, after) = trimmed.split_once('=')?;
        let after = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        parts.push((name.trim_end_matches([' ', '\t', '\r', '\n']), value));
        rest = after;
    }
}
