//! The binary attributes that become text: objectGUID and objectSid, which the entry holds as base64.

/// Text of bounded length, made in place. ASCII only.
#[derive(Clone, Copy)]
pub struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    pub fn empty() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    /// Appends the number in decimal.
    pub fn push_decimal(&mut self, mut number: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }
}

/// `ad|` and the dashed form of the GUID; absent unless it is 16 bytes. The first three fields are little-endian.
pub fn user_id(base64: &str) -> Option<Short<39>> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    const PLACE: [usize; 16] = [3, 5, 7, 9, 12, 14, 17, 19, 22, 24, 27, 29, 31, 33, 35, 37];
    let mut guid = [0; 18];
    if base64.len() != 24 || unbase64(base64.as_bytes(), &mut guid)? != 16 {
        return None;
    }
    let mut bytes = *b"ad|xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (from, to) in ORDER.into_iter().zip(PLACE) {
        bytes[to..to + 2].copy_from_slice(&HEX[guid[from] as usize]);
    }
    Some(Short { bytes, len: 39 })
}

/// `S-1-…`; absent unless the length fits the count of sub-authorities.
pub fn sid(base64: &str) -> Option<Short<192>> {
    let mut bytes = [0; 72];
    if base64.len() > 96 {
        return None;
    }
    let len = unbase64(base64.as_bytes(), &mut bytes)?;
    let ([revision, count, authority @ ..], subs) = bytes[..len].split_first_chunk::<8>()?;
    if subs.len() != usize::from(*count) * 4 || *count > 15 {
        return None;
    }
    let mut text = Short::empty();
    text.push(b"S-");
    text.push_decimal(u64::from(*revision));
    text.push(b"-");
    text.push_decimal(authority.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    for sub in subs.as_chunks::<4>().0 {
        text.push(b"-");
        text.push_decimal(u64::from(u32::from_le_bytes(*sub)));
    }
    Some(text)
}

const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

const SEXTET: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [0xff; 256];
    let mut at = 0;
    while at < digits.len() {
        table[digits[at] as usize] = at as u8;
        at += 1;
    }
    table
};

/// Decodes padded base64; how many bytes. `out` has three bytes for every four characters.
fn unbase64(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (quads, rest) = text.as_chunks::<4>();
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let (last, whole) = quads.split_last()?;
    if !rest.is_empty() {
        return None;
    }
    let mut last = *last;
    last[4 - padding..].fill(b'A');
    let mut bad = 0;
    let (triples, _) = out.as_chunks_mut::<3>();
    for (quad, triple) in whole.iter().chain([&last]).zip(triples) {
        let sextets = quad.map(|character| SEXTET[character as usize]);
        bad |= sextets.iter().fold(0, |all, sextet| all | sextet) & 0x80;
        let bits = sextets.iter().fold(0u32, |bits, sextet| bits << 6 | u32::from(*sextet));
        let [_, triple_bytes @ ..] = bits.to_be_bytes();
        *triple = triple_bytes;
    }
    (bad == 0).then_some(quads.len() * 3 - padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_with_its_first_fields_swapped() {
        // given the bytes 33221100 5544 7766 88…ff
        let guid = user_id("MyIRAFVEd2aImaq7zN3u/w==").unwrap();
        assert_eq!(guid.as_bytes(), b"ad|00112233-4455-6677-8899-aabbccddeeff");
        assert!(user_id("MyIRAFVEd2aImaq7zN3u/yEh").is_none());
        assert!(user_id("MyIRAFVE!2aImaq7zN3u/w==").is_none());
    }

    #[test]
    fn a_sid_is_written_in_decimal() {
        assert_eq!(sid("AQIAAAAAAAUgAAAAIAIAAA==").unwrap().as_bytes(), b"S-1-5-32-544");
        assert!(sid("AQMAAAAAAAUgAAAAIAIAAA==").is_none());
    }
}
