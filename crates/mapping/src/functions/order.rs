//! One order over all values, for sorting and for finding equal ones in less than quadratic time. Within a kind it is
//! the natural order (text by code point); kinds follow each other as listed in `rank`.

use super::Call;
use crate::value::Value;
use bumpalo::collections::Vec as ArenaVec;
use std::cmp::Ordering;

pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Int(a), Value::Float(b)) => int_to_float(*a, *b),
        (Value::Float(a), Value::Int(b)) => int_to_float(*b, *a).reverse(),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => each(a.iter().zip(b.iter()).map(|(a, b)| compare(a, b)), a.len().cmp(&b.len())),
        (Value::Record(a), Value::Record(b)) => {
            let members = a.iter().zip(b.iter());
            each(members.map(|(a, b)| a.0.cmp(b.0).then_with(|| compare(&a.1, &b.1))), a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn each(mut items: impl Iterator<Item = Ordering>, otherwise: Ordering) -> Ordering {
    items.find(|order| order.is_ne()).unwrap_or(otherwise)
}

/// Never equal: a float that reads as an integer was made one by the reader, and equal values must be of one kind.
#[expect(clippy::cast_precision_loss, reason = "which of two neighbours comes first may be rounded, not whether they are equal")]
fn int_to_float(a: i64, b: f64) -> Ordering {
    (a as f64).total_cmp(&b).then(Ordering::Less)
}

const fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Absent | Value::Keep | Value::Null | Value::Regex(_) | Value::Table(_) => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::String(_) => 3,
        Value::DateTime(_) => 4,
        Value::Duration(_) => 5,
        Value::Binary(_) => 6,
        Value::List(_) => 7,
        Value::Record(_) => 8,
    }
}

/// For each item, whether it is the first of its value, or with `last` the last one.
pub(super) fn firsts<'a, T: Copy>(
    call: &Call<'a>,
    items: &[T],
    order: impl Fn(&T, &T) -> Ordering,
    last: bool,
) -> ArenaVec<'a, bool> {
    let mut keeps = ArenaVec::with_capacity_in(items.len(), call.arena);
    if items.len() <= 16 {
        keeps.extend(items.iter().enumerate().map(|(at, item)| {
            let others = if last { &items[at + 1..] } else { &items[..at] };
            !others.iter().any(|other| order(other, item).is_eq())
        }));
        return keeps;
    }
    keeps.resize(items.len(), false);
    let mut places = ArenaVec::from_iter_in(0..items.len(), call.arena);
    places.sort_unstable_by(|a, b| order(&items[*a], &items[*b]).then(if last { b.cmp(a) } else { a.cmp(b) }));
    let mut before: Option<usize> = None;
    for place in places {
        keeps[place] = before.is_none_or(|before| order(&items[before], &items[place]).is_ne());
        before = Some(place);
    }
    keeps
}
