//! The 18 outputs and their JSON text, in the order of `rich.mapping`.

use super::binary::Short;

pub struct Profile<'e> {
    pub user_id: Option<Short<39>>,
    pub email: Option<&'e str>,
    pub email_verified: bool,
    pub name: Option<&'e str>,
    pub given_name: Option<&'e str>,
    pub family_name: Option<&'e str>,
    pub nickname: Option<&'e str>,
    pub phone_number: Option<&'e str>,
    /// Base64 as it came: decoding it to encode it again would change nothing.
    pub picture: Option<&'e str>,
    pub groups: &'e [&'e str],
    pub blocked: Option<bool>,
    pub locale: Option<&'static str>,
    pub cost_centre: Option<&'static str>,
    pub expires: Option<Short<20>>,
    pub aliases: &'e [&'e str],
    pub ous: &'e [&'e str],
    pub manager: Option<&'e str>,
    pub sid: Option<Short<192>>,
}

impl Profile<'_> {
    /// Appends the profile as one JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(b'{');
        if let Some(id) = &self.user_id {
            plain(out, b"\"user_id\":\"", id.as_bytes());
        }
        member(out, b"\"email\":\"", self.email);
        boolean(out, b"\"email_verified\":", self.email_verified);
        member(out, b"\"name\":\"", self.name);
        member(out, b"\"given_name\":\"", self.given_name);
        member(out, b"\"family_name\":\"", self.family_name);
        member(out, b"\"nickname\":\"", self.nickname);
        member(out, b"\"phone_number\":\"", self.phone_number);
        member(out, b"\"picture\":\"data:image/jpeg;base64,", self.picture);
        list(out, b"\"groups\":[", self.groups);
        if let Some(blocked) = self.blocked {
            boolean(out, b"\"blocked\":", blocked);
        }
        member(out, b"\"locale\":\"", self.locale);
        out.extend_from_slice(b"\"app_metadata\":{");
        let inner = out.len();
        member(out, b"\"cost_centre\":\"", self.cost_centre);
        if let Some(expires) = &self.expires {
            plain(out, b"\"expires\":\"", expires.as_bytes());
        }
        list(out, b"\"aliases\":[", self.aliases);
        list(out, b"\"ous\":[", self.ous);
        member(out, b"\"manager\":\"", self.manager);
        if let Some(sid) = &self.sid {
            plain(out, b"\"sid\":\"", sid.as_bytes());
        }
        if out.len() == inner {
            out.truncate(inner - b"\"app_metadata\":{".len());
        } else {
            out.pop();
            out.extend_from_slice(b"},");
        }
        // Every member ends in a comma; the last one's gives way.
        if out.len() > start + 1 {
            out.pop();
        }
        out.push(b'}');
    }
}

fn plain(out: &mut Vec<u8>, head: &[u8], text: &[u8]) {
    out.extend_from_slice(head);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\",");
}

fn member(out: &mut Vec<u8>, head: &[u8], text: Option<&str>) {
    if let Some(text) = text {
        out.extend_from_slice(head);
        escape(out, text);
        out.extend_from_slice(b"\",");
    }
}

fn boolean(out: &mut Vec<u8>, head: &[u8], truth: bool) {
    out.extend_from_slice(head);
    out.extend_from_slice(if truth { b"true," } else { b"false," });
}

fn list(out: &mut Vec<u8>, head: &[u8], texts: &[&str]) {
    if texts.is_empty() {
        return;
    }
    out.extend_from_slice(head);
    for text in texts {
        out.push(b'"');
        escape(out, text);
        out.extend_from_slice(b"\",");
    }
    out.pop();
    out.extend_from_slice(b"],");
}

fn escape(out: &mut Vec<u8>, text: &str) {
    // Without a branch per byte, so that it is done 16 bytes at a time. Nearly no text has one to escape.
    if !text.bytes().fold(false, |any, byte| any | needs_escape(byte)) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_json_wants_it() {
        let mut out = Vec::new();
        escape(&mut out, "a\"\\\n\u{1}é");
        assert_eq!(out, "a\\\"\\\\\\n\\u0001é".as_bytes());
    }
}
