//! Text of the mapping: lower case, the full name, a phone number that can be dialled.

use bumpalo::Bump;
use bumpalo::collections::{String as BumpString, Vec as BumpVec};

/// Lower case; borrowed when nothing changes.
pub fn lower<'e>(text: &'e str, arena: &'e Bump) -> &'e str {
    // Both in one pass without a branch, so that it is done 16 bytes at a time.
    let (mut any, mut upper) = (0u8, false);
    for byte in text.bytes() {
        any |= byte;
        upper |= byte.is_ascii_uppercase();
    }
    if any < 0x80 {
        if !upper {
            return text;
        }
        let copy = arena.alloc_str(text);
        copy.make_ascii_lowercase();
        copy
    } else {
        arena.alloc_str(&text.to_lowercase())
    }
}

/// Given name, blank, family name.
pub fn full_name<'e>(given: &str, family: &str, arena: &'e Bump) -> Option<&'e str> {
    let mut name = BumpString::with_capacity_in(given.len() + 1 + family.len(), arena);
    name.push_str(given);
    name.push(' ');
    name.push_str(family);
    Some(name.into_bump_str())
}

/// Digits and plus signs only, a leading 00 made a plus sign.
pub fn dialable<'e>(phone: &'e str, arena: &'e Bump) -> Option<&'e str> {
    let mut kept = BumpVec::with_capacity_in(phone.len(), arena);
    kept.extend(phone.bytes().filter(|byte| byte.is_ascii_digit() || *byte == b'+'));
    let kept = kept.into_bump_slice_mut();
    let kept = match kept {
        [b'0', b'0', ..] => {
            kept[1] = b'+';
            &kept[1..]
        }
        _ => &*kept,
    };
    str::from_utf8(kept).ok().filter(|kept| !kept.is_empty())
}

/// A number as LDAP writes it.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_follows_unicode() {
        let arena = Bump::new();
        assert_eq!(lower("ann@x", &arena), "ann@x");
        assert_eq!(lower("Ann@X", &arena), "ann@x");
        assert_eq!(lower("JÖRG", &arena), "jörg");
    }

    #[test]
    fn a_phone_number_keeps_what_can_be_dialled() {
        let arena = Bump::new();
        assert_eq!(dialable("0049 (89) 12/34", &arena), Some("+49891234"));
        assert_eq!(dialable("+1 555-0100", &arena), Some("+15550100"));
        assert_eq!(dialable("n/a", &arena), None);
    }
}
