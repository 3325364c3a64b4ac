//! A captured SAML 2.0 assertion into slots, for trying a mapping: attribute statement, NameID, issuer. The pseudo-attributes
//! are `name_id`, `name_id_format` and `issuer`, as in the record of a login; no attribute of the assertion passes for one.
//!
//! No signature, time or audience is looked at: what this reads proves nothing about anybody. A login never comes
//! this way. Refuses DTDs, encrypted assertions, and more than one assertion (which of them counted?).

use super::{Builder, Entry, Names, ReadError, bounded};
use crate::limits::{ATTRIBUTES_MAX, VALUE_DEPTH_MAX};
use crate::value::Value;
use bumpalo::Bump;
use quick_xml::NsReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;

const ASSERTION: &[u8] = b"urn:oasis:names:tc:SAML:2.0:assertion";
const INSTANCE: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";

/// Reads an `<Assertion>`, alone or in a `<Response>`. Values of XML become records of their elements' local names.
///
/// # Errors
/// Malformed XML, a DTD, no assertion or several, an encrypted one, too large or too deep.
pub fn read<'a>(arena: &'a Bump, names: &Names, xml: &str) -> Result<Entry<'a>, ReadError> {
    bounded(xml.len())?;
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document { arena, reader, pseudo: Vec::new(), found: Vec::new(), assertions: 0 };
    document.walk()?;
    let mut builder = Builder::new(arena, names);
    for (name, value) in document.pseudo {
        builder.put_written(name, value)?;
    }
    for (name, values) in document.found {
        if !is_pseudo(&name) {
            builder.put(&name, arena.alloc_slice_copy(&values))?;
        }
    }
    Ok(builder.finish())
}

const PSEUDO: [&str; 3] = ["name_id", "name_id_format", "issuer"];

/// Whether a mapping would take the attribute for one that says who somebody is and who says so.
fn is_pseudo(name: &str) -> bool {
    let name = name.strip_prefix('$').unwrap_or(name);
    PSEUDO.iter().any(|pseudo| pseudo.eq_ignore_ascii_case(name))
}

/// Without XML's blanks around it; other space is part of a value.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

struct Document<'a, 'x> {
    arena: &'a Bump,
    reader: NsReader<&'x [u8]>,
    pseudo: Vec<(&'static str, Value<'a>)>,
    found: Vec<(String, Vec<Value<'a>>)>,
    assertions: usize,
}

/// An element of an assertion, by what it means here.
#[derive(Clone, Copy, PartialEq)]
enum Element {
    Assertion,
    Encrypted,
    Issuer,
    Subject,
    NameId,
    Statement,
    Attribute,
    Value,
    Other,
}

fn refuse(message: impl Into<String>) -> ReadError {
    ReadError::Saml(message.into())
}

/// The parser's own words.
fn malformed(error: impl std::fmt::Display) -> ReadError {
    ReadError::Saml(error.to_string())
}

impl<'a, 'x> Document<'a, 'x> {
    fn walk(&mut self) -> Result<(), ReadError> {
        use Element::{Assertion, Attribute, Issuer, NameId, Statement, Subject};
        let mut path: Vec<Element> = Vec::new();
        let mut attribute = String::new();
        loop {
            let (element, event) = self.next()?;
            match event {
                Event::Start(start) => {
                    match element {
                        Element::Encrypted => return Err(refuse("it is encrypted; capture it after decryption")),
                        Assertion => self.assertions += 1,
                        Attribute if path.ends_with(&[Assertion, Statement]) => {
                            attribute = attribute_of(&start, b"Name")?.ok_or_else(|| refuse("an `Attribute` without `Name`"))?;
                            // Present even if no value follows.
                            self.add(&attribute, None)?;
                        }
                        _ => {}
                    }
                    let inside = |parents: &[Element]| path.ends_with(parents);
                    match element {
                        Element::Value if inside(&[Assertion, Statement, Attribute]) => {
                            let value = if self.is_nil(&start)? {
                                self.content(0)?;
                                Value::Null
                            } else {
                                self.content(0)?
                            };
                            self.add(&attribute, Some(value))?;
                        }
                        Issuer if inside(&[Assertion]) => {
                            let issuer = self.content(0)?;
                            self.pseudo.push(("issuer", issuer));
                        }
                        NameId if inside(&[Assertion, Subject]) => {
                            let format = attribute_of(&start, b"Format")?;
                            let name_id = self.content(0)?;
                            self.pseudo.push(("name_id", name_id));
                            if let Some(format) = format {
                                let format = Value::String(self.arena.alloc_str(trimmed(&format)));
                                self.pseudo.push(("name_id_format", format));
                            }
                        }
                        _ if path.len() >= VALUE_DEPTH_MAX => return Err(ReadError::TooDeep),
                        _ => path.push(element),
                    }
                }
                Event::End(_) => {
                    path.pop();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match self.assertions {
            1 => Ok(()),
            0 => Err(refuse("there is no `Assertion` of SAML 2.0 in it")),
            _ => Err(refuse("there are several assertions in it; keep the one to try")),
        }
    }

    /// The next event, and what its element means if it starts one.
    fn next(&mut self) -> Result<(Element, Event<'x>), ReadError> {
        let (namespace, event) = self.reader.read_resolved_event().map_err(malformed)?;
        let ours = matches!(namespace, ResolveResult::Bound(namespace) if namespace.as_ref() == ASSERTION);
        let element = match &event {
            Event::DocType(_) => return Err(refuse("a document type definition (DTD) is refused")),
            Event::Start(start) if ours => match start.local_name().as_ref() {
                b"Assertion" => Element::Assertion,
                b"EncryptedAssertion" | b"EncryptedID" | b"EncryptedAttribute" => Element::Encrypted,
                b"Issuer" => Element::Issuer,
                b"Subject" => Element::Subject,
                b"NameID" => Element::NameId,
                b"AttributeStatement" => Element::Statement,
                b"Attribute" => Element::Attribute,
                b"AttributeValue" => Element::Value,
                _ => Element::Other,
            },
            _ => Element::Other,
        };
        Ok((element, event))
    }

    /// What the element just started holds, up to its end: its text (whole, whatever comments stand in it), or a
    /// record of its elements.
    fn content(&mut self, depth: usize) -> Result<Value<'a>, ReadError> {
        if depth >= VALUE_DEPTH_MAX {
            return Err(ReadError::TooDeep);
        }
        let mut text = String::new();
        let mut members: Vec<(String, Vec<Value<'a>>)> = Vec::new();
        loop {
            match self.next()?.1 {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    let value = self.content(depth + 1)?;
                    match members.iter().position(|(known, _)| *known == name) {
                        Some(at) => members[at].1.push(value),
                        None if members.len() >= ATTRIBUTES_MAX => return Err(ReadError::TooManyAttributes),
                        None => members.push((name, vec![value])),
                    }
                }
                Event::End(_) => break,
                Event::Text(part) => text.push_str(&part.decode().map_err(malformed)?),
                Event::CData(part) => text.push_str(&part.decode().map_err(malformed)?),
                Event::GeneralRef(reference) => text.push(character(&reference)?),
                Event::Eof => return Err(refuse("it ends in the middle")),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        if members.is_empty() {
            return Ok(Value::String(self.arena.alloc_str(trimmed(&text))));
        }
        let arena = self.arena;
        let members = members.into_iter().map(|(name, values)| {
            let value = if let [one] = values.as_slice() { *one } else { Value::List(arena.alloc_slice_copy(&values)) };
            (&*arena.alloc_str(&name), value)
        });
        let members: Vec<_> = members.collect();
        Ok(Value::Record(arena.alloc_slice_copy(&members)))
    }

    /// One more value of an attribute; an attribute may come in several pieces.
    fn add(&mut self, name: &str, value: Option<Value<'a>>) -> Result<(), ReadError> {
        match self.found.iter().rposition(|(known, _)| known == name) {
            Some(at) => self.found[at].1.extend(value),
            None if self.found.len() >= ATTRIBUTES_MAX => return Err(ReadError::TooManyAttributes),
            None => self.found.push((name.to_owned(), value.into_iter().collect())),
        }
        Ok(())
    }

    fn is_nil(&self, start: &BytesStart<'_>) -> Result<bool, ReadError> {
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            let (namespace, name) = self.reader.resolver().resolve_attribute(attribute.key);
            let is_instance = matches!(namespace, ResolveResult::Bound(namespace) if namespace.as_ref() == INSTANCE);
            if is_instance && name.as_ref() == b"nil" {
                return Ok(matches!(&*attribute.value, b"true" | b"1"));
            }
        }
        Ok(false)
    }
}

/// An attribute of an element, unescaped.
fn attribute_of(start: &BytesStart<'_>, name: &[u8]) -> Result<Option<String>, ReadError> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(malformed)?;
        if attribute.key.as_ref() == name {
            return Ok(Some(attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(malformed)?.into_owned()));
        }
    }
    Ok(None)
}

/// `&amp;`, `&#228;`; others would need a DTD.
fn character(reference: &BytesRef<'_>) -> Result<char, ReadError> {
    if let Some(character) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(character);
    }
    match reference.decode().map_err(malformed)?.as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(refuse(format!("unknown entity `&{other};`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::plan_reading;
    use crate::target::Kind;

    fn slots(xml: &str) -> String {
        let arena = Bump::new();
        let names = Names::new(&plan_reading(Kind::Saml, &["$name_id", "$name_id_format", "$issuer", "mail", "urn:x", "eptid"]));
        match read(&arena, &names, xml) {
            Ok(entry) => format!("{:?}", entry.slots),
            Err(error) => error.to_string(),
        }
    }

    fn assertion(inside: &str) -> String {
        format!(
            r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"
               xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{inside}</a:Assertion></p:Response>"#
        )
    }

    #[test]
    fn names_values_and_who_says_it_are_read() {
        let xml = assertion(
            r#"<a:Issuer>https://idp.example</a:Issuer>
               <a:Subject><a:NameID Format="urn:f">ann<!-- x -->@x.example</a:NameID></a:Subject>
               <a:AttributeStatement>
                 <a:Attribute Name="Mail"><a:AttributeValue>a&amp;b</a:AttributeValue><a:AttributeValue/></a:Attribute>
                 <a:Attribute Name="urn:x"><a:AttributeValue xsi:nil="true"/></a:Attribute>
                 <a:Attribute Name="name_id"><a:AttributeValue>forged</a:AttributeValue></a:Attribute>
                 <a:Attribute Name="$Issuer"><a:AttributeValue>forged</a:AttributeValue></a:Attribute>
                 <a:Attribute Name="eptid"><a:AttributeValue><a:NameID NameQualifier="q">z</a:NameID></a:AttributeValue></a:Attribute>
               </a:AttributeStatement>"#,
        );
        assert_eq!(
            slots(&xml),
            r#"[One(String("ann@x.example")), One(String("urn:f")), One(String("https://idp.example")), One(String("a&b")), Empty, One(Record([("NameID", String("z"))]))]"#
        );
    }

    #[test]
    fn what_could_be_read_two_ways_is_refused() {
        for (xml, says) in [
            ("<!DOCTYPE x><x/>".to_owned(), "document type definition"),
            ("<x/>".to_owned(), "no `Assertion`"),
            (format!("<r>{0}{0}</r>", assertion("")), "several assertions"),
            (assertion("<a:EncryptedAttribute/>"), "encrypted"),
            (assertion("<a:Issuer>&x;</a:Issuer>"), "unknown entity `&x;`"),
            (assertion("<a:Issuer>"), "expected"),
            (assertion(&"<x>".repeat(40)), "deep"),
        ] {
            assert!(slots(&xml).contains(says), "{xml} {}", slots(&xml));
        }
    }
}
