//! Messages made to cost more than they are worth: size, depth, count, compression. `refuses` measures each.

use std::time::Duration;

use crate::mint::*;
use rosterd_saml::limits::Limits;
use rosterd_saml::redirect::Received;
use rosterd_saml::rule::Rule;
use rosterd_saml::scan::scan;

fn with_status(inside: &str) -> String {
    Login::default().signed_assertion(rsa()).replacen("<samlp:Status>", &format!("{inside}<samlp:Status>"), 1)
}

#[test]
fn a_message_of_more_than_the_limit_is_refused_before_it_is_decoded() {
    Gateway::default().refuses_field(&"A".repeat(512 * 1024 + 1), Rule::MessageTooLarge);
    Gateway::default().refuses_field(&"A".repeat(16 * 1024 * 1024), Rule::MessageTooLarge);
    let large = field(&with_status(&" ".repeat(384 * 1024)));
    Gateway::default().refuses_field(&large[..512 * 1024], Rule::Truncated);
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [33, 1_000, 30_000] {
        refuses(&with_status(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))), Rule::TooDeep);
    }
    accepts(&with_status(&format!("{}{}", "<a>".repeat(31), "</a>".repeat(31))));
}

#[test]
fn many_elements_are_refused() {
    refuses(&with_status(&"<a/>".repeat(4_000)), Rule::TooManyElements);
    refuses(&with_status(&"<a/>".repeat(60_000)), Rule::TooManyElements);
    accepts(&with_status(&"<a/>".repeat(3_900)));
}

#[test]
fn many_attributes_are_refused() {
    let attributes = |count: usize| (0..count).map(|number| format!(" a{number}=\"\"")).collect::<String>();
    refuses(&with_status(&format!("<a{}/>", attributes(65))), Rule::TooManyAttributes);
    refuses(&with_status(&format!("<a{}/>", attributes(25_000))), Rule::TooManyAttributes);
    accepts(&with_status(&format!("<a{}/>", attributes(64))));
}

#[test]
fn many_namespaces_are_refused() {
    let declarations = |count: usize| (0..count).map(|number| format!(" xmlns:n{number}=\"urn:{number}\"")).collect::<String>();
    refuses(&with_status(&format!("<a{}/>", declarations(33))), Rule::TooManyNamespaces);
    refuses(&with_status(&format!("<a{}/>", declarations(12_000))), Rule::TooManyNamespaces);
    accepts(&with_status(&format!("<a{}/>", declarations(32))));
}

/// A login whose signature asks for these prefixes, where it is canonicalised and where what it covers is.
fn with_prefixes(list: &str) -> [String; 2] {
    let prefixes = format!("<InclusiveNamespaces xmlns=\"{EXC_C14N}\" PrefixList=\"{list}\"></InclusiveNamespaces>");
    let inner = How { transforms: format!("{}{}", transform(ENVELOPED, ""), transform(EXC_C14N, &prefixes)), ..How::default() };
    let canonicalization = format!("<ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\">{prefixes}</ds:CanonicalizationMethod>");
    let outer = How { canonicalization, ..How::default() };
    let login = Login::default();
    [inner, outer].map(|how| login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), &how)))
}

#[test]
fn a_long_list_of_prefixes_is_refused() {
    let many = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>().join(" ");
    for list in [&*many(33), &many(20_000), &"n".repeat(257), "a a", "#default #default", "a:b", "#other", "&#xe4;", "*"] {
        let [covered, canonicalised] = with_prefixes(list);
        refuses(&covered, Rule::Transforms);
        refuses(&canonicalised, Rule::Canonicalization);
    }
    for list in [&*many(32), "xs", "#default xs xsi", ""] {
        for xml in with_prefixes(list) {
            accepts(&xml);
        }
    }
}

#[test]
fn a_long_namespace_is_refused_before_canonicalisation_repeats_it() {
    let name = |length: usize| format!("urn:{}", "x".repeat(length - 4));
    refuses(&with_status(&format!("<a xmlns:x=\"{}\"/>", name(513))), Rule::NamespaceName);
    refuses(&with_status(&format!("<a xmlns:x=\"{}\">{}</a>", name(200_000), "<x:a/>".repeat(3_900))), Rule::NamespaceName);
    accepts(&with_status(&format!("<a xmlns:x=\"{}\"/>", name(512))));
}

#[test]
fn the_longest_namespaces_at_the_most_attributes_cost_little() {
    let declared = |from: usize| -> String {
        (from..from + 32).map(|number| format!(" xmlns:n{number}=\"urn:{number:02}{}\"", "x".repeat(506))).collect()
    };
    let attributes: String = (0..64).map(|number| format!(" n{number}:x=\"\"")).collect();
    let inside = format!("<a{}><b{}>{}</b></a>", declared(0), declared(32), format!("<c{attributes}/>").repeat(580));
    let login = Login::default();
    let xml = sign(&login.signed_assertion(rsa()), &login.response_id, rsa(), &How::default());
    let xml = xml.replacen("<samlp:Status>", &format!("{inside}<samlp:Status>"), 1);
    assert!(xml.len() > 350 * 1024 && xml.len() < 384 * 1024, "{}", xml.len());
    // What it would come to, some 18 MiB, is known before anything is written.
    refuses(&xml, Rule::MessageTooLarge);
}

#[test]
fn what_a_signature_covers_is_bounded_in_its_canonical_form() {
    let login = Login::default();
    let with = |count: usize| {
        let element = format!("<x:a xmlns:x=\"urn:{}\"></x:a>", "x".repeat(500));
        // Declared once outside; in canonical form at each.
        let canonical = format!("<samlp:Extensions>{}</samlp:Extensions><samlp:Status>", element.repeat(count));
        let compact = format!(
            "<samlp:Extensions xmlns:x=\"urn:{}\">{}</samlp:Extensions><samlp:Status>",
            "x".repeat(500),
            "<x:a></x:a>".repeat(count)
        );
        let whole = login.response(&login.assertion()).replacen("<samlp:Status>", &canonical, 1);
        sign(&whole, &login.response_id, rsa(), &How::default()).replacen(&canonical, &compact, 1)
    };
    accepts(&with(1_000));
    refuses(&with(3_900), Rule::MessageTooLarge);
}

#[test]
fn within_all_limits_a_message_costs_little() {
    // The most prefixes in scope, the most attributes that have to be looked up in them, of all of it the most that fits.
    let scopes: String = (0..25)
        .map(|depth| {
            let declared: String = (0..32).map(|number| format!(" xmlns:n{depth}x{number}=\"urn:{depth}:{number}\"")).collect();
            format!("<a{declared}>")
        })
        .collect();
    let attributes: String = (0..64).map(|number| format!(" n0x0:b{number}=\"\"")).collect();
    let inside = format!("<n0x0:c{attributes}/>").repeat(420);
    let xml = with_status(&format!("{scopes}{inside}{}", "</a>".repeat(25)));
    assert!(xml.len() > 300 * 1024 && xml.len() < 384 * 1024, "{}", xml.len());
    let (_, took) = timed(|| accepts(&xml));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_compression_bomb_is_not_inflated() {
    let bomb = miniz_oxide::deflate::compress_to_vec(&vec![b' '; 16 * 1024 * 1024], 9);
    let encoded = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(bomb)
    };
    let query = format!("SAMLRequest={}", encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    let (refused, took) = timed(|| Received::from_query(&query));
    assert_eq!(refused.unwrap_err().rule, Rule::MessageTooLarge);
    assert!(took < Duration::from_secs(1), "{took:?}");
    // What comes by POST is never inflated, whatever it is.
    Gateway::default().refuses_field(&encoded[..1024], Rule::NotUtf8);
}

#[test]
fn blanks_between_many_elements_cost_little() {
    let inside = format!("<a>{}{}</a>", " ".repeat(300 * 1024), "<b/> ".repeat(3_900));
    let xml = with_status(&inside);
    let (_, took) = timed(|| accepts(&xml));
    assert!(took < Duration::from_secs(1), "{took:?}");
    // In metadata comments part them too, and there is more room.
    let text = format!("<a>{}{}</a>", " ".repeat(1024 * 1024), "<!----> ".repeat(100_000));
    let (scanned, took) = timed(|| scan(&text, Limits::METADATA).map(|document| document.element_count()));
    assert_eq!(scanned, Ok(1));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_long_line_of_references_costs_little() {
    let inside = "&#x41;".repeat(60_000);
    accepts(&with_status(&format!("<a>{inside}</a>")));
}
