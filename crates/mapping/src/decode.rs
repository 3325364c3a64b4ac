//! Base64, and the binary form of a security identifier from its text (MS-DTYP §2.4.2): what conversions need beside
//! the functions of the language.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::Bump;

/// Base64 text (standard alphabet, padded or not) to bytes.
pub fn base64_bytes<'a>(arena: &'a Bump, text: &str) -> Option<&'a [u8]> {
    let text = text.trim_end_matches('=');
    let out = arena.alloc_slice_fill_copy(text.len() / 4 * 3 + 3, 0u8);
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let length = engine.decode_slice(text, out).ok()?;
    Some(&out[..length])
}

pub fn base64_text<'a>(arena: &'a Bump, bytes: &[u8]) -> &'a str {
    let out = arena.alloc_slice_fill_copy(bytes.len().div_ceil(3) * 4, 0u8);
    match STANDARD.encode_slice(bytes, out) {
        Ok(length) => std::str::from_utf8(&out[..length]).unwrap_or_default(),
        Err(_) => "",
    }
}

/// `S-1-…` as bytes.
pub fn sid_bytes<'a>(arena: &'a Bump, text: &str) -> Option<&'a [u8]> {
    let mut parts = text.strip_prefix("S-1-").or_else(|| text.strip_prefix("s-1-"))?.split('-');
    let authority = parts.next()?;
    let authority: u64 = match authority.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => authority.parse().ok()?,
    };
    let mut out = bumpalo::vec![in arena; 1u8, 0];
    out.extend_from_slice(authority.to_be_bytes().strip_prefix(&[0, 0])?);
    for part in parts {
        out.extend_from_slice(&part.parse::<u32>().ok()?.to_le_bytes());
    }
    out[1] = u8::try_from((out.len() - 8) / 4).ok().filter(|count| *count <= 15)?;
    Some(out.into_bump_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_its_authority_and_little_endian_parts() {
        let arena = Bump::new();
        let expected = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        assert_eq!(sid_bytes(&arena, "S-1-5-32-544"), Some(&expected[..]));
        assert_eq!(sid_bytes(&arena, "S-1-x"), None);
        assert_eq!(sid_bytes(&arena, &format!("S-1-5{}", "-1".repeat(16))), None, "one part too many");
    }

    #[test]
    fn base64_takes_missing_padding() {
        let arena = Bump::new();
        assert_eq!(base64_bytes(&arena, "AQI="), Some(&[1, 2][..]));
        assert_eq!(base64_bytes(&arena, "AQI"), Some(&[1, 2][..]));
        assert_eq!(base64_bytes(&arena, "A*"), None);
        assert_eq!(base64_text(&arena, &[1, 2]), "AQI=");
    }
}
