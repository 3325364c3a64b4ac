//! Before there is any XML: base64, UTF-8, byte order marks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mint::*;
use rosterd_saml::rule::Rule;

#[test]
fn what_is_no_base64_is_refused() {
    let good = field(&Login::default().signed_assertion(rsa()));
    let gateway = Gateway::default();
    for bad in [
        "%%%",
        "AAA",
        "AA=A",
        "A",
        &good.replacen('P', "-", 1),
        &good.replacen('P', "\u{a0}P", 1),
        &format!("{good}===="),
        &format!("{good}\0"),
    ] {
        gateway.refuses_field(bad, Rule::NotBase64);
    }
    // URL-safe letters and missing padding are another alphabet.
    gateway.refuses_field("PHg-", Rule::NotBase64);
    gateway.refuses_field("PGE", Rule::NotBase64);
}

#[test]
fn other_encodings_than_utf_8_are_refused() {
    let xml = Login::default().signed_assertion(rsa());
    let wide: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Gateway::default().refuses_field(&STANDARD.encode([b"\xff\xfe".as_slice(), &wide].concat()), Rule::NotUtf8);
    Gateway::default().refuses_field(
        &STANDARD.encode(xml.replace("alice", "\u{e9}").bytes().filter(|byte| *byte != 0xc3).collect::<Vec<u8>>()),
        Rule::NotUtf8,
    );
    // UTF-16 without a mark is UTF-8 full of NULs.
    Gateway::default().refuses_field(&STANDARD.encode(&wide), Rule::IllegalCharacter);
    // UTF-7 hides its brackets in letters: there is no element at all.
    refuses(&xml.replace('<', "+ADw-"), Rule::Truncated);
}

#[test]
fn a_byte_order_mark_is_refused() {
    refuses(&format!("\u{feff}{}", Login::default().signed_assertion(rsa())), Rule::ByteOrderMark);
}

#[test]
fn nothing_is_refused_as_cut_off() {
    Gateway::default().refuses_field("", Rule::Truncated);
}
