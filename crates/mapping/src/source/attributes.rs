//! Attributes as a directory client or a login hands them over: names with values of bytes.

use super::{Builder, Entry, Names, ReadError};
use crate::limits::ATTRIBUTES_MAX;
use crate::value::Value;
use bumpalo::Bump;

/// Reads an entry of names and values. Pseudo-attributes come under their `$` names (`$dn`, `$name_id`). Text is text
/// if it is UTF-8 and the attribute is not declared as bytes. `nested` holds the transitive values the reader worked
/// out for attributes of which the mapping asks them.
///
/// # Errors
/// A name twice, more than [`ATTRIBUTES_MAX`] of them.
pub fn read<'a>(
    arena: &'a Bump,
    names: &Names,
    attributes: impl IntoIterator<Item = (&'a str, &'a [&'a [u8]])>,
    nested: impl IntoIterator<Item = (&'a str, &'a [&'a [u8]])>,
) -> Result<Entry<'a>, ReadError> {
    let mut builder = Builder::new(arena, names);
    for (count, (name, values)) in attributes.into_iter().enumerate() {
        if count >= ATTRIBUTES_MAX {
            return Err(ReadError::TooManyAttributes);
        }
        if builder.wants(name) {
            let values = values_of(arena, &builder, name, values);
            builder.put(name, values)?;
        }
    }
    for (name, values) in nested {
        let values = values_of(arena, &builder, name, values);
        builder.put_nested(name, values);
    }
    Ok(builder.finish())
}

fn values_of<'a>(arena: &'a Bump, builder: &Builder<'a, '_>, name: &str, values: &'a [&'a [u8]]) -> &'a [Value<'a>] {
    arena.alloc_slice_fill_iter(values.iter().map(|bytes| builder.value(name, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Slot;
    use crate::source::tests::plan_reading;
    use crate::target::Kind;
    use crate::types::Type;

    #[test]
    fn text_is_text_unless_declared_as_bytes() {
        let mut plan = plan_reading(Kind::Ldap, &["$dn", "cn", "objectGUID", "jpegPhoto", "userCertificate"]);
        plan.slots[2].ty = Type::Guid.or_absent();
        let arena = Bump::new();
        let attributes: [(&str, &[&[u8]]); 6] = [
            ("$dn", &[b"cn=x"]),
            ("CN", &[b"Ann", b""]),
            ("objectGUID", &[b"0123456789abcdef"]),
            ("jpegPhoto", &[&[0xff, 0xd8]]),
            ("dn", &[b"cn=forged"]),
            ("userCertificate;binary", &[&[0x30, 0x80]]),
        ];
        let entry = read(&arena, &Names::new(&plan), attributes, []).unwrap();
        let one = Slot::One;
        assert_eq!(
            entry.slots,
            [
                one(Value::String("cn=x")),
                one(Value::String("Ann")),
                one(Value::Binary(b"0123456789abcdef")),
                one(Value::Binary(&[0xff, 0xd8])),
                one(Value::Binary(&[0x30, 0x80])),
            ]
        );
    }

    #[test]
    fn an_attribute_twice_is_refused() {
        let plan = plan_reading(Kind::Ldap, &["cn"]);
        let arena = Bump::new();
        let attributes: [(&str, &[&[u8]]); 2] = [("cn", &[b"a"]), ("CN", &[b"b"])];
        assert!(matches!(read(&arena, &Names::new(&plan), attributes, []), Err(ReadError::Twice(name)) if name == "CN"));
    }
}
