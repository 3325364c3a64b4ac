//! XML and HTML that we write. XML comes out in its exclusive canonical form: names sorted, no empty-element tags, every
//! prefix declared where it is first used. So what is signed is what is sent, and no canonicaliser is needed to sign.

/// Each character, or what stands for it.
fn escaped(value: &str, stands_for: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match stands_for(character) {
            Some(reference) => out.push_str(reference),
            None => out.push(character),
        }
    }
    out
}

/// Text between tags.
pub(crate) fn text(value: &str) -> String {
    escaped(value, |character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#xD;"),
        _ => None,
    })
}

/// A value between double quotes, in XML.
pub(crate) fn attribute(value: &str) -> String {
    escaped(value, |character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        '\r' => Some("&#xD;"),
        _ => None,
    })
}

/// Text between tags, or a value between quotes, in HTML.
pub fn html(value: &str) -> String {
    escaped(value, |character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// A value in a query: everything but letters, digits and `-._~` is percent-encoded.
pub(crate) fn query(value: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A start tag's attributes: those that are there, as ` name="value"` in the order given, which is the canonical one.
pub(crate) fn attributes(given: &[(&str, Option<&str>)]) -> String {
    let present = given.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    present.map(|(name, value)| format!(" {name}=\"{}\"", attribute(value))).collect()
}

/// The page that posts a message on its own, or by a button where scripts are off. `nonce` is the one of its policy.
pub fn post_form(destination: &str, field: &str, message: &str, relay_state: Option<&str>, nonce: &str) -> String {
    use base64::Engine;
    let message = base64::engine::general_purpose::STANDARD.encode(message);
    let relay_state = relay_state
        .map_or(String::new(), |value| format!("<input type=\"hidden\" name=\"RelayState\" value=\"{}\">", html(value)));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in</title></head><body>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"{}\" value=\"{}\">{relay_state}\
         <button type=\"submit\">Continue</button></form>\
         <script nonce=\"{}\">document.forms[0].submit()</script></body></html>",
        html(destination),
        html(field),
        html(&message),
        html(nonce),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place_in_the_form() {
        let hostile = "\"><script>alert('x')</script>&";
        let page = post_form(hostile, hostile, "<m/>", Some(hostile), hostile);
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;").count(), 4);
        assert!(page.contains("value=\"PG0vPg==\""));
    }

    #[test]
    fn a_query_value_is_encoded_to_the_last_character() {
        assert_eq!(query("a b+c/d=&ü~"), "a%20b%2Bc%2Fd%3D%26%C3%BC~");
    }
}
