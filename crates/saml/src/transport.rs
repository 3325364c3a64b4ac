//! From what HTTP handed over to the text of a message: base64, size, UTF-8. Never inflates what came by POST.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{ENCODED_BYTES_MAX, EXPANDED_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::rule::{Refusal, Rule, require, require_with};

/// The text of a message nobody has looked at yet.
#[derive(Debug, Clone)]
pub struct Message(String);

impl Message {
    /// The value of the form field `SAMLResponse` or `SAMLRequest`, percent-decoding done.
    pub fn from_form(field: &str) -> Result<Self, Refusal> {
        require_with(Rule::MessageTooLarge, field.len() <= ENCODED_BYTES_MAX, |refusal| {
            refusal.expected(format!("at most {ENCODED_BYTES_MAX} bytes")).received(format!("{} bytes", field.len()))
        })?;
        Self::from_bytes(decode_base64(field)?, MESSAGE_BYTES_MAX)
    }

    /// The value of a redirect's parameter, percent-decoding done: base64, then raw deflate, up to a limit.
    pub fn from_redirect(parameter: &str) -> Result<Self, Refusal> {
        require(Rule::MessageTooLarge, parameter.len() <= ENCODED_BYTES_MAX)?;
        let deflated = decode_base64(parameter)?;
        let inflated = miniz_oxide::inflate::decompress_to_vec_with_limit(&deflated, EXPANDED_BYTES_MAX);
        let inflated = inflated.map_err(|problem| match problem.status {
            miniz_oxide::inflate::TINFLStatus::HasMoreOutput => Rule::MessageTooLarge.refusal(),
            _ => Rule::NotDeflated.refusal(),
        })?;
        Self::from_bytes(inflated, EXPANDED_BYTES_MAX)
    }

    /// Bytes that came out of a decryption or out of a signature's reference.
    pub(crate) fn from_bytes(bytes: Vec<u8>, bytes_max: usize) -> Result<Self, Refusal> {
        require(Rule::MessageTooLarge, bytes.len() <= bytes_max)?;
        let text = String::from_utf8(bytes).map_err(|_| Rule::NotUtf8.refusal())?;
        require(Rule::ByteOrderMark, !text.starts_with('\u{feff}'))?;
        Ok(Self(text))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Identity providers wrap lines at 76 characters, so blanks are dropped; the rest is the standard alphabet to the letter.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    let compact;
    let digits = if text.bytes().any(is_blank) {
        compact = text.bytes().filter(|byte| !is_blank(*byte)).collect::<Vec<u8>>();
        &compact
    } else {
        text.as_bytes()
    };
    STANDARD.decode(digits).map_err(|_| Rule::NotBase64.refusal())
}

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
