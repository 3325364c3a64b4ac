//! A directory that says what a test wants it to, for what OpenLDAP does not do: ranges of Active Directory, answers that
//! end too early, bytes that are no LDAP. One thread, plain TCP on loopback, RFC 4511 as far as needed.

use bytes::BytesMut;
use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag, write};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A search as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub base: String,
    /// 0: the base alone, 2: all below it.
    pub scope: u8,
    pub attributes: Vec<String>,
    /// The place in the list it wants to go on from; `None`: it asked for no page.
    pub cookie: Option<Vec<u8>>,
    /// As it came, encoded.
    filter: Vec<u8>,
    /// Names and values.
    controls: Vec<(String, Vec<u8>)>,
}

impl Asked {
    /// The filter as it came, encoded.
    pub fn filter(&self) -> &[u8] {
        &self.filter
    }

    /// The value of the control of this name.
    pub fn control(&self, name: &str) -> Option<&[u8]> {
        self.controls.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// What it answers with, in this order.
#[derive(Clone, Debug)]
pub enum Say {
    /// An entry: its name, and attributes with values.
    Entry(String, Vec<(String, Vec<String>)>),
    /// A reference to another server.
    Reference(String),
    /// What RFC 4533 says between entries.
    SyncInfo(Vec<u8>),
    /// An entry or an end, with controls: names and values.
    With(Box<Say>, Vec<(&'static str, Vec<u8>)>),
    /// The end of an answer: code, and the place of the next page.
    Done(u32, Option<&'static [u8]>),
    /// The answer to a sign-in: code, words, and the value of the control of a password policy.
    Signed(u32, String, Option<Vec<u8>>),
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Nothing for a while.
    Wait(Duration),
}

pub fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> Say {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Say::Entry(dn.to_owned(), attributes.iter().map(|(name, list)| ((*name).to_owned(), values(list))).collect())
}

/// Listens on the port it returns; signs everybody in and answers searches by `script`. Ends with the test program.
pub fn listen(script: impl Fn(&Asked) -> Vec<Say> + Send + 'static) -> u16 {
    listening(0, script)
}

/// Refuses every sign-in with this code.
pub fn refusing(code: u32) -> u16 {
    listening(code, |_| vec![Say::Close])
}

fn listening(bind: u32, script: impl Fn(&Asked) -> Vec<Say> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that went away is the client's matter.
            let _gone = stream.and_then(|stream| serve(stream, &|_| vec![Say::Signed(bind, String::new(), None)], &script));
        }
    });
    port
}

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    pub dn: String,
    pub password: String,
}

/// [`listen`] for several connections at a time, which answers sign-ins by `signing`.
pub fn listen_to_sign_ins(
    signing: impl Fn(&Signing) -> Vec<Say> + Send + Sync + 'static,
    script: impl Fn(&Asked) -> Vec<Say> + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let both = Arc::new((signing, script));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let both = Arc::clone(&both);
            std::thread::spawn(move || stream.and_then(|stream| serve(stream, &both.0, &both.1)));
        }
    });
    port
}

fn serve(
    mut stream: TcpStream,
    signing: &impl Fn(&Signing) -> Vec<Say>,
    script: &impl Fn(&Asked) -> Vec<Say>,
) -> std::io::Result<()> {
    let mut waiting: Vec<u8> = Vec::new();
    loop {
        let mut bytes = [0; 16 * 1024];
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        waiting.extend_from_slice(&bytes[..read]);
        while let Ok((rest, message)) = parse_tag(&waiting) {
            let rest = rest.to_vec();
            let mut parts = children(message).into_iter();
            let id = octets(parts.next().expect("a message has an id"));
            let operation = parts.next().expect("a message has an operation");
            let controls = parts.next().map(children).unwrap_or_default();
            let said = match operation.id {
                0 => signing(&signed(operation)),
                2 => return Ok(()),
                3 => script(&asked(operation, controls)),
                // Abandon and the like want no answer.
                _ => Vec::new(),
            };
            for say in said {
                let (say, mut controls) = match say {
                    Say::With(say, controls) => (*say, controls),
                    other => (other, Vec::new()),
                };
                match say {
                    Say::Entry(dn, attributes) => reply(&mut stream, &id, found(&dn, &attributes), &controls)?,
                    Say::Reference(url) => {
                        reply(&mut stream, &id, application(19, PL::C(vec![text(url.as_bytes())])), &controls)?;
                    }
                    Say::SyncInfo(value) => reply(&mut stream, &id, sync_info(&value), &controls)?,
                    Say::Done(code, cookie) => {
                        controls.extend(cookie.map(|cookie| ("1.2.840.113556.1.4.319", page(cookie))));
                        reply(&mut stream, &id, result(5, code), &controls)?;
                    }
                    Say::Signed(code, words, policy) => {
                        controls.extend(policy.map(|value| ("1.3.6.1.4.1.42.2.27.8.5.1", value)));
                        reply(&mut stream, &id, told(1, code, &words), &controls)?;
                    }
                    Say::With(..) => panic!("controls are said once"),
                    Say::Bytes(bytes) => stream.write_all(&bytes)?,
                    Say::Close => return Ok(()),
                    Say::Wait(time) => std::thread::sleep(time),
                }
            }
            waiting = rest;
        }
    }
}

fn asked(search: StructureTag, controls: Vec<StructureTag>) -> Asked {
    let parts = children(search);
    let string = |tag: &StructureTag| String::from_utf8(octets(tag.clone())).expect("text");
    let controls: Vec<(String, Vec<u8>)> = controls
        .into_iter()
        .map(children)
        .map(|parts| (string(&parts[0]), parts.last().filter(|last| last.id == 4).cloned().map(octets).unwrap_or_default()))
        .collect();
    let page = controls.iter().find(|(name, _)| name == "1.2.840.113556.1.4.319");
    let cookie = page.map(|(_, value)| {
        let (_, tag) = parse_tag(value).expect("a page");
        octets(children(tag).pop().expect("a cookie"))
    });
    Asked {
        base: string(&parts[0]),
        scope: octets(parts[1].clone())[0],
        attributes: children(parts[7].clone()).iter().map(string).collect(),
        cookie,
        filter: encoded(parts[6].clone()),
        controls,
    }
}

fn signed(bind: StructureTag) -> Signing {
    let parts = children(bind);
    let string = |tag: &StructureTag| String::from_utf8(octets(tag.clone())).expect("text");
    Signing { dn: string(&parts[1]), password: string(&parts[2]) }
}

fn reply(stream: &mut TcpStream, id: &[u8], operation: StructureTag, controls: &[(&str, Vec<u8>)]) -> std::io::Result<()> {
    let mut parts = vec![universal(2, PL::P(id.to_vec())), operation];
    if !controls.is_empty() {
        let control = |(name, value): &(&str, Vec<u8>)| universal(16, PL::C(vec![text(name.as_bytes()), text(value)]));
        let controls = controls.iter().map(control).collect();
        parts.push(StructureTag { class: TagClass::Context, id: 0, payload: PL::C(controls) });
    }
    stream.write_all(&encoded(universal(16, PL::C(parts))))
}

/// The value of a control with the place of the next page.
fn page(cookie: &[u8]) -> Vec<u8> {
    encoded(universal(16, PL::C(vec![universal(2, PL::P(vec![0])), text(cookie)])))
}

fn sync_info(value: &[u8]) -> StructureTag {
    let part = |id, bytes: &[u8]| StructureTag { class: TagClass::Context, id, payload: PL::P(bytes.to_vec()) };
    application(25, PL::C(vec![part(0, b"1.3.6.1.4.1.4203.1.9.1.4"), part(1, value)]))
}

/// `LDAPResult` under one of the answers' tags.
fn result(tag: u64, code: u32) -> StructureTag {
    told(tag, code, "")
}

fn told(tag: u64, code: u32, words: &str) -> StructureTag {
    let bytes = code.to_be_bytes();
    // As short as it goes, without becoming negative.
    let start = (0..3).find(|at| bytes[*at] != 0 || bytes[at + 1] > 0x7f).unwrap_or(3);
    let code = universal(10, PL::P(bytes[start..].to_vec()));
    application(tag, PL::C(vec![code, text(b""), text(words.as_bytes())]))
}

fn found(dn: &str, attributes: &[(String, Vec<String>)]) -> StructureTag {
    let attribute = |(name, values): &(String, Vec<String>)| {
        let values = values.iter().map(|value| text(value.as_bytes())).collect();
        universal(16, PL::C(vec![text(name.as_bytes()), universal(17, PL::C(values))]))
    };
    application(4, PL::C(vec![text(dn.as_bytes()), universal(16, PL::C(attributes.iter().map(attribute).collect()))]))
}

fn universal(id: u64, payload: PL) -> StructureTag {
    StructureTag { class: TagClass::Universal, id, payload }
}

fn application(id: u64, payload: PL) -> StructureTag {
    StructureTag { class: TagClass::Application, id, payload }
}

fn text(bytes: &[u8]) -> StructureTag {
    universal(4, PL::P(bytes.to_vec()))
}

fn encoded(tag: StructureTag) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    write::encode_into(&mut bytes, tag).expect("encoded");
    bytes.to_vec()
}

fn children(tag: StructureTag) -> Vec<StructureTag> {
    tag.expect_constructed().expect("parts")
}

fn octets(tag: StructureTag) -> Vec<u8> {
    tag.expect_primitive().expect("bytes")
}
