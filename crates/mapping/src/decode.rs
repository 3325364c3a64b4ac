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

const NO_DIGIT: u8 = 0xff;

const SEXTETS: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NO_DIGIT; 256];
    let mut at = 0;
    while at < 64 {
        table[digits[at] as usize] = at.to_le_bytes()[0];
        at += 1;
    }
    table
};

/// Padding at the end, and which bits of the last digit stand for no byte; `None` = not in fours.
fn padding(text: &[u8]) -> Option<(usize, u8)> {
    match text {
        [.., b'=', b'='] if text.len().is_multiple_of(4) => Some((2, 0b1111)),
        [.., b'='] if text.len().is_multiple_of(4) => Some((1, 0b0011)),
        [_, ..] if text.len().is_multiple_of(4) => Some((0, 0)),
        _ => None,
    }
}

/// Whether text is base64 just as [`base64_text`] would write its bytes: then it needs no decoding to be written again.
pub fn is_as_written(text: &[u8]) -> bool {
    let Some((padding, unused)) = padding(text) else { return false };
    let digits = &text[..text.len() - padding];
    // Without a branch or a table, so that it is done 16 bytes at a time.
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'+') | (byte == b'/');
    digits.iter().fold(true, |all, byte| all & is_digit(*byte))
        && digits.last().is_some_and(|last| SEXTETS[usize::from(*last)] & unused == 0)
}

/// The bytes of a short padded base64 text, written as [`base64_text`] does; how many. `None` = it is none, or does not fit.
/// A table and a loop: for a GUID that is half the time of the general decoder.
#[inline]
pub fn base64_short(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (padding, unused) = padding(text)?;
    let (quads, _) = text.as_chunks::<4>();
    let (triples, _) = out.as_chunks_mut::<3>();
    let (last, whole) = quads.split_last()?;
    let mut last = *last;
    last[4 - padding..].fill(b'A');
    let left_over = SEXTETS[usize::from(last[3 - padding])] & unused;
    if left_over != 0 || triples.len() < quads.len() {
        return None;
    }
    let mut all = 0;
    for (quad, triple) in whole.iter().chain([&last]).zip(triples) {
        let sextets = quad.map(|digit| SEXTETS[usize::from(digit)]);
        all |= sextets[0] | sextets[1] | sextets[2] | sextets[3];
        let bits = sextets.iter().fold(0u32, |bits, sextet| bits << 6 | u32::from(*sextet));
        let [_, bytes @ ..] = bits.to_be_bytes();
        *triple = bytes;
    }
    (all < 0x80).then_some(quads.len() * 3 - padding)
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn short_base64_is_what_the_general_decoder_takes_and_the_encoder_writes(
            text in prop_oneof!["[A-D+/=]{0,12}", "[ -~é]{0,9}", "[A-Za-z0-9+/]{4}{0,4}[A-Za-z0-9+/]{2,3}={1,2}"],
        ) {
            let arena = Bump::new();
            let general = base64_bytes(&arena, &text).filter(|bytes| !bytes.is_empty() && base64_text(&arena, bytes) == text);
            let mut out = [0; 48];
            let short = base64_short(text.as_bytes(), &mut out).map(|length| &out[..length]);
            prop_assert_eq!(short, general);
            prop_assert_eq!(is_as_written(text.as_bytes()), general.is_some());
        }
    }
}
