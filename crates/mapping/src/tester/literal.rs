//! Literals of a test as values.

use crate::ast::{Expr, ExprKind};
use crate::span::Span;
use crate::value::Value;
use bumpalo::Bump;

/// The value of a literal; `absent` and `keep` are themselves.
///
/// # Errors
/// Where something else stands, and what is meant to stand there.
pub fn value<'a>(arena: &'a Bump, expr: &'a Expr) -> Result<Value<'a>, (Span, String)> {
    Ok(match &expr.kind {
        ExprKind::String(text) => Value::String(text),
        ExprKind::Int(number) => Value::Int(*number),
        ExprKind::Bool(value) => Value::Bool(*value),
        ExprKind::Bytes(bytes) => Value::Binary(bytes),
        ExprKind::DateTime(at) => Value::DateTime(*at),
        ExprKind::Duration(by) => Value::Duration(*by),
        ExprKind::Absent => Value::Absent,
        ExprKind::Keep => Value::Keep,
        ExprKind::Negative(inner) => match value(arena, inner)? {
            Value::Int(number) => Value::Int(number.saturating_neg()),
            _ => return Err((expr.span, "only an integer has a sign here".to_owned())),
        },
        ExprKind::List(items) => {
            let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), arena);
            for item in items {
                out.push(value(arena, item)?);
            }
            Value::List(out.into_bump_slice())
        }
        ExprKind::Record(members) => {
            let mut out = bumpalo::collections::Vec::with_capacity_in(members.len(), arena);
            for (name, member) in members {
                out.push((&*name.value, value(arena, member)?));
            }
            Value::Record(out.into_bump_slice())
        }
        _ => return Err((expr.span, "a test holds literals only".to_owned())),
    })
}
