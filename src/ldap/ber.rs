//! The basic encoding rules (X.690) as far as the values of controls need them: definite lengths, one level at a time. No
//! recursion and no allocation, so that no bytes of a server can make it do either without end.

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'b>(pub &'b [u8]);

impl<'b> Elements<'b> {
    /// The one element that all of `bytes` is.
    pub fn only(bytes: &'b [u8], tag: u8) -> Option<&'b [u8]> {
        let mut elements = Elements(bytes);
        let content = elements.take(tag)?;
        elements.0.is_empty().then_some(content)
    }

    /// The tag of the next one.
    pub fn next_tag(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next one, if it has this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'b [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // One with a length of its own, in up to four bytes.
            let bytes = usize::from(first & 0x7f);
            if !(1..=4).contains(&bytes) {
                return None;
            }
            let (length, rest) = rest.split_at_checked(bytes)?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// As [`Self::take`], of an element that may be left out.
    pub fn take_optional(&mut self, tag: u8) -> Option<Option<&'b [u8]>> {
        if self.next_tag() == Some(tag) { self.take(tag).map(Some) } else { Some(None) }
    }

    /// A BOOLEAN that may be left out.
    pub fn boolean_or(&mut self, default: bool) -> Option<bool> {
        match self.take_optional(BOOLEAN)? {
            None => Some(default),
            Some([byte]) => Some(*byte != 0),
            Some(_) => None,
        }
    }
}

/// A whole number of up to eight bytes.
pub fn integer(content: &[u8]) -> Option<i64> {
    let (&first, rest) = content.split_first()?;
    if content.len() > 8 {
        return None;
    }
    Some(rest.iter().fold(i64::from(first.cast_signed()), |number, byte| number << 8 | i64::from(*byte)))
}

/// One element.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x84);
            bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A whole number as an element.
pub fn number(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // Leading bytes that only repeat the sign are left out.
    let repeats = |at: usize| {
        let sign = if number < 0 { 0xff } else { 0 };
        bytes[at] == sign && (bytes[at + 1] & 0x80) == (sign & 0x80)
    };
    let start = (0..7).find(|at| !repeats(*at)).unwrap_or(7);
    element(INTEGER, &bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(wanted: i64, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let written = number(wanted);
            prop_assert_eq!(Elements::only(&written, INTEGER).and_then(integer), Some(wanted));
            let written = element(OCTETS, &bytes);
            prop_assert_eq!(Elements::only(&written, OCTETS), Some(bytes.as_slice()));
        }

        #[test]
        fn no_bytes_make_it_panic_or_read_past_the_end(bytes in prop::collection::vec(any::<u8>(), 0..40), tag: u8) {
            let mut elements = Elements(&bytes);
            while elements.take(tag).or_else(|| elements.next_tag().and_then(|tag| elements.take(tag))).is_some() {}
            let _ = integer(&bytes);
            let _ = Elements(&bytes).boolean_or(true);
        }
    }

    #[test]
    fn lengths_are_definite_and_short() {
        assert_eq!(Elements::only(&[4, 1, b'a'], OCTETS), Some(b"a".as_slice()));
        assert_eq!(Elements::only(&[4, 0x81, 1, b'a'], OCTETS), Some(b"a".as_slice()));
        for bad in [&[][..], &[4], &[4, 2, 0], &[4, 0x80, 0, 0], &[4, 0x85, 0, 0, 0, 0, 1, 0], &[4, 0, 0], &[2, 0]] {
            assert_eq!(Elements::only(bad, OCTETS), None, "{bad:?}");
        }
        assert_eq!(integer(&[0; 9]), None);
        assert_eq!(number(-1), [2, 1, 0xff]);
        assert_eq!(number(128), [2, 2, 0, 128]);
    }
}
