//! JSON into slots: OIDC claims, SCIM resources, exported entries. One visitor for bytes and for a map already read.
//! `dn` is `$dn` (and so on) here: nothing else could be meant.
//! What the mapping does not read is skipped without being kept; text without escapes is borrowed from the input.
//!
//! A member given twice is refused where it is read: programs differ in which of the two they take.

use super::{Builder, Entry, Names, ReadError, Slot, bounded, names};
use crate::limits::VALUE_DEPTH_MAX;
use crate::value::Value;
use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads one JSON object.
///
/// # Errors
/// Malformed JSON, no object, a member twice, nested too deep, too large.
pub fn read<'a>(arena: &'a Bump, names: &Names, bytes: &'a [u8]) -> Result<Entry<'a>, ReadError> {
    bounded(bytes.len())?;
    // UTF-8 is checked once for the whole rather than once per text. The other way says where it is none.
    match std::str::from_utf8(bytes) {
        Ok(text) => read_all(arena, names, serde_json::Deserializer::from_str(text)),
        Err(_) => read_all(arena, names, serde_json::Deserializer::from_slice(bytes)),
    }
}

fn read_all<'a, R: serde_json::de::Read<'a>>(
    arena: &'a Bump,
    names: &Names,
    mut deserializer: serde_json::Deserializer<R>,
) -> Result<Entry<'a>, ReadError> {
    let entry = Attributes { arena, names }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(entry)
}

/// Reads an object that was parsed before.
///
/// # Errors
/// Two members that are one name to this kind of source (`mail`, `Mail`), nested too deep.
pub fn read_map<'a>(
    arena: &'a Bump,
    names: &Names,
    map: &'a serde_json::Map<String, serde_json::Value>,
) -> Result<Entry<'a>, ReadError> {
    Ok(Attributes { arena, names }.deserialize(map)?)
}

/// A parsed JSON value as one of the language; what is nested too deep is absent.
pub fn value_of<'a>(arena: &'a Bump, value: &'a serde_json::Value) -> Value<'a> {
    ValueSeed { arena, depth: 0 }.deserialize(value).unwrap_or(Value::Absent)
}

struct Attributes<'a, 'n> {
    arena: &'a Bump,
    names: &'n Names,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for Attributes<'a, '_> {
    type Value = Entry<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Attributes<'a, '_> {
    type Value = Entry<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { arena, names } = self;
        let mut builder = Builder::new(arena, names);
        if builder.all.is_some() {
            while let Some(name) = map.next_key_seed(TextSeed(arena))? {
                let value = map.next_value_seed(ValueSeed { arena, depth: 1 })?;
                if let Some(found) = names.find_any(name)
                    && !builder.set(found, Slot::from_value(arena, value))
                {
                    return Err(Error::custom(format_args!("`{name}` is given twice")));
                }
                builder.all.iter_mut().for_each(|all| all.push((name, value)));
            }
            if let Some(name) = builder.all.as_ref().and_then(|all| twice(arena, all)) {
                return Err(Error::custom(format_args!("`{name}` is given twice")));
            }
            return Ok(builder.finish());
        }
        while let Some(found) = map.next_key_seed(NameSeed(names))? {
            let Some(found) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let slot = map.next_value_seed(SlotSeed { arena })?;
            if !builder.set(found, slot) {
                return Err(Error::custom(format_args!("`{}` is given twice", names.text(found))));
            }
        }
        Ok(builder.finish())
    }
}

/// A key: its place among the names, if the mapping reads it.
struct NameSeed<'n>(&'n Names);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<names::Found>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<names::Found>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.find_any(name))
    }
}

/// Text of the input, or of the arena if it had escapes.
struct TextSeed<'a>(&'a Bump);

impl<'de: 'a, 'a> DeserializeSeed<'de> for TextSeed<'a> {
    type Value = &'a str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for TextSeed<'a> {
    type Value = &'a str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(text)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.alloc_str(text))
    }
}

/// An attribute of the object: a list is its values.
struct SlotSeed<'a> {
    arena: &'a Bump,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for SlotSeed<'a> {
    type Value = Slot<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let arena = self.arena;
        let value = ValueSeed { arena, depth: 1 }.deserialize(deserializer)?;
        Ok(Slot::from_value(arena, value))
    }
}

#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    arena: &'a Bump,
    depth: usize,
}

impl<'a> ValueSeed<'a> {
    fn below<E: Error>(self) -> Result<Self, E> {
        if self.depth >= VALUE_DEPTH_MAX {
            return Err(E::custom(format_args!("values nested more than {VALUE_DEPTH_MAX} deep")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for ValueSeed<'a> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for ValueSeed<'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::String(self.arena.alloc_str(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond i64 a number is its magnitude")]
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let below = self.below()?;
        let mut out = bumpalo::collections::Vec::with_capacity_in(8, self.arena);
        while let Some(item) = items.next_element_seed(below)? {
            out.push(item);
        }
        Ok(Value::List(out.into_bump_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let below = self.below()?;
        let mut out = bumpalo::collections::Vec::new_in(self.arena);
        while let Some(name) = members.next_key_seed(TextSeed(self.arena))? {
            out.push((name, members.next_value_seed(below)?));
        }
        match twice(self.arena, &out) {
            Some(name) => Err(Error::custom(format_args!("`{name}` is given twice"))),
            None => Ok(Value::Record(out.into_bump_slice())),
        }
    }
}

/// A name that occurs more than once.
fn twice<'a>(arena: &Bump, members: &[(&'a str, Value<'a>)]) -> Option<&'a str> {
    if members.len() <= 16 {
        let repeated = |(at, (name, _)): &(usize, &(&str, Value<'_>))| members[..*at].iter().any(|(other, _)| other == name);
        return members.iter().enumerate().find(repeated).map(|(_, (name, _))| *name);
    }
    let mut names = bumpalo::collections::Vec::with_capacity_in(members.len(), arena);
    names.extend(members.iter().map(|(name, _)| *name));
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::{named, plan_reading};
    use crate::target::Kind;

    fn slots(text: &str) -> Result<String, String> {
        let arena = Bump::new();
        let names = Names::new(&plan_reading(Kind::Json, &["a", "b"]));
        read(&arena, &names, text.as_bytes()).map(|entry| format!("{:?}", entry.slots)).map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_of_saying_nothing_is_told_apart() {
        assert_eq!(slots("{}").unwrap(), "[Missing, Missing]");
        assert_eq!(slots(r#"{"a":null,"b":""}"#).unwrap(), "[Null, Empty]");
        assert_eq!(slots(r#"{"a":[],"b":["",null]}"#).unwrap(), "[Empty, Empty]");
    }

    #[test]
    fn a_list_of_one_is_one_value_and_empty_texts_drop_out() {
        assert_eq!(slots(r#"{"a":["x"],"b":["x","",7]}"#).unwrap(), r#"[One(String("x")), Many([String("x"), Int(7)])]"#);
    }

    #[test]
    fn numbers_are_integers_where_they_fit() {
        assert_eq!(slots(r#"{"a":-1,"b":1.5}"#).unwrap(), "[One(Int(-1)), One(Float(1.5))]");
        assert_eq!(slots(r#"{"a":18446744073709551615}"#).unwrap(), "[One(Float(1.8446744073709552e19)), Missing]");
    }

    #[test]
    fn unread_members_are_skipped_whatever_they_hold() {
        assert_eq!(slots(r#"{"z":{"deep":[1,{"a":2}]},"a":"\u00e9"}"#).unwrap(), r#"[One(String("é")), Missing]"#);
    }

    #[test]
    fn a_member_given_twice_is_refused_at_every_depth() {
        assert!(slots(r#"{"a":1,"a":2}"#).unwrap_err().contains("`a` is given twice"));
        assert!(slots(r#"{"a":{"x":1,"x":2}}"#).unwrap_err().contains("`x` is given twice"));
        let many: Vec<String> = (0..20).chain([3]).map(|n| format!(r#""m{n}":0"#)).collect();
        assert!(slots(&format!(r#"{{"a":{{{}}}}}"#, many.join(","))).unwrap_err().contains("`m3` is given twice"));
    }

    #[test]
    fn depth_and_shape_are_bounded() {
        let nested = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(slots(&nested(VALUE_DEPTH_MAX - 1)).is_ok());
        assert!(slots(&nested(VALUE_DEPTH_MAX)).unwrap_err().contains("deep"));
        assert!(slots("[1]").unwrap_err().contains("an object of attributes"));
        assert!(slots(r#"{"a":1} x"#).is_err());
    }

    #[test]
    fn names_fold_case_for_directories_and_not_for_claims() {
        let map = serde_json::json!({"MAIL": "x"});
        for (kind, found) in [(Kind::Ldap, true), (Kind::Scim, true), (Kind::Saml, true), (Kind::Oidc, false)] {
            let arena = Bump::new();
            let names = Names::new(&plan_reading(kind, &["mail"]));
            let entry = read_map(&arena, &names, map.as_object().unwrap()).unwrap();
            assert_eq!(entry.slots[0] != Slot::Missing, found, "{kind:?}");
        }
    }

    #[test]
    fn the_whole_record_is_there_when_it_is_read() {
        let arena = Bump::new();
        let names = Names::new(&plan_reading(Kind::Json, &["$all", "b"]));
        let entry = read(&arena, &names, br#"{"a":"","b":[1]}"#).unwrap();
        let all = Value::Record(&[("a", Value::String("")), ("b", Value::List(&[Value::Int(1)]))]);
        assert_eq!(entry.slots, [Slot::One(all), Slot::One(Value::Int(1))]);
    }

    #[test]
    fn whoever_reads_the_whole_record_is_told_of_every_member_given_twice() {
        let arena = Bump::new();
        let names = Names::new(&plan_reading(Kind::Json, &["$all"]));
        let error = read(&arena, &names, br#"{"a":1,"b":2,"a":3}"#).unwrap_err();
        assert!(error.to_string().contains("`a` is given twice"), "{error}");
    }

    #[test]
    fn a_nested_read_has_the_direct_values_unless_the_reader_knows_better() {
        let mut plan = plan_reading(Kind::Ldap, &["memberOf", "memberOf"]);
        plan.slots[1].nested = true;
        let arena = Bump::new();
        let names = Names::new(&plan);
        let direct = read(&arena, &names, br#"{"memberOf":"a"}"#).unwrap();
        assert_eq!(direct.slots, [Slot::One(Value::String("a")); 2]);
        let mut builder = Builder::new(&arena, &names);
        builder.put_nested("memberof", &[Value::String("a"), Value::String("b")]);
        builder.put("MemberOf", &[Value::String("a")]).unwrap();
        assert_eq!(named(&builder.finish(), 1), "Many([String(\"a\"), String(\"b\")])");
    }
}
