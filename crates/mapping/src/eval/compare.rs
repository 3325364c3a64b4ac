//! Equality, order and arithmetic. Comparisons with something absent are false, `!=` too; values of two kinds are
//! unequal and have no order.

use super::Trace;
use super::machine::{Fault, Machine, Outcome, is_absent};
use crate::diagnostic::codes::Code;
use crate::plan::{Comparison, NodeId};
use crate::value::Value;
use std::cmp::Ordering;

/// Whether two values are one. Numbers compare by what they are, records by their members in any order.
#[inline]
pub fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left == right,
        (left, right) => equal_beyond_text(left, right),
    }
}

fn equal_beyond_text(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Int(left), Value::Float(right)) | (Value::Float(right), Value::Int(left)) => integral(right) == Some(left),
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(*left, *right))
        }
        // Members in any order, as in JSON.
        (Value::Record(left), Value::Record(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.iter().any(|(other, found)| name == other && equal(*value, *found)))
        }
        (left, right) => left == right,
    }
}

/// Steps a comparison with this value takes beyond the first: only lists and records take any.
#[inline]
pub fn weight(value: Value<'_>) -> usize {
    match value {
        Value::List(items) => items.iter().map(|item| 1 + weight(*item)).sum(),
        Value::Record(members) => {
            let below: usize = members.iter().map(|(_, value)| weight(*value)).sum();
            below + members.len() * members.len().div_ceil(16)
        }
        _ => 0,
    }
}

pub fn holds(operator: Comparison, left: Value<'_>, right: Value<'_>) -> bool {
    if is_absent(&left) || is_absent(&right) {
        return false;
    }
    match operator {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right).is_some_and(Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparison::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(&right),
        #[expect(clippy::cast_precision_loss, reason = "an order with a fraction is one of magnitudes")]
        (Value::Int(left), Value::Float(right)) => return (left as f64).partial_cmp(&right),
        #[expect(clippy::cast_precision_loss, reason = "an order with a fraction is one of magnitudes")]
        (Value::Float(left), Value::Int(right)) => return left.partial_cmp(&(right as f64)),
        (Value::Float(left), Value::Float(right)) => return left.partial_cmp(&right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(&right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(&right),
        (Value::Duration(left), Value::Duration(right)) => left.cmp(&right),
        (Value::Binary(left), Value::Binary(right)) => left.cmp(right),
        _ => return None,
    })
}

/// The integer a number is, if it is one.
pub fn integral(number: f64) -> Option<i64> {
    // 2^63 is the first that does not fit; both ends are exact.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
    fits.then_some(number as i64)
}

impl<'a, T: Trace> Machine<'a, '_, T> {
    pub fn added(&mut self, id: NodeId, left: NodeId, right: NodeId) -> Outcome<'a> {
        let left = self.value(left)?;
        let right = self.value(right)?;
        match (left, right) {
            (left, right) if is_absent(&left) || is_absent(&right) => Ok(Value::Absent),
            (Value::String(left), Value::String(right)) => {
                self.bound_text(id, left.len() + right.len())?;
                let mut out = bumpalo::collections::String::with_capacity_in(left.len() + right.len(), self.arena);
                out.push_str(left);
                out.push_str(right);
                Ok(Value::String(out.into_bump_str()))
            }
            (Value::List(left), Value::List(right)) => {
                self.bound_list(id, left.len() + right.len())?;
                self.burn_items(id, left.len() + right.len())?;
                let mut out = bumpalo::collections::Vec::with_capacity_in(left.len() + right.len(), self.arena);
                out.extend_from_slice(left);
                out.extend_from_slice(right);
                Ok(Value::List(out.into_bump_slice()))
            }
            (Value::Int(left), Value::Int(right)) => {
                left.checked_add(right).map(Value::Int).ok_or_else(|| self.out_of_range(id, "an integer"))
            }
            (Value::DateTime(at), Value::Duration(by)) | (Value::Duration(by), Value::DateTime(at)) => {
                at.checked_add(by).map(Value::DateTime).map_err(|_| self.out_of_range(id, "a datetime"))
            }
            (Value::Duration(left), Value::Duration(right)) => {
                left.checked_add(right).map(Value::Duration).ok_or_else(|| self.out_of_range(id, "a duration"))
            }
            (left, right) => Err(self.misfit(id, "added", left, right)),
        }
    }

    pub fn subtracted(&mut self, id: NodeId, left: NodeId, right: NodeId) -> Outcome<'a> {
        let left = self.value(left)?;
        let right = self.value(right)?;
        match (left, right) {
            (left, right) if is_absent(&left) || is_absent(&right) => Ok(Value::Absent),
            (Value::Int(left), Value::Int(right)) => {
                left.checked_sub(right).map(Value::Int).ok_or_else(|| self.out_of_range(id, "an integer"))
            }
            (Value::DateTime(left), Value::DateTime(right)) => Ok(Value::Duration(left.duration_since(right))),
            (Value::DateTime(at), Value::Duration(by)) => {
                at.checked_sub(by).map(Value::DateTime).map_err(|_| self.out_of_range(id, "a datetime"))
            }
            (Value::Duration(left), Value::Duration(right)) => {
                left.checked_sub(right).map(Value::Duration).ok_or_else(|| self.out_of_range(id, "a duration"))
            }
            (left, right) => Err(self.misfit(id, "subtracted", left, right)),
        }
    }

    pub fn negated(&mut self, id: NodeId, value: NodeId) -> Outcome<'a> {
        match self.value(value)? {
            Value::Absent | Value::Null | Value::Keep => Ok(Value::Absent),
            Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(|| self.out_of_range(id, "an integer")),
            Value::Float(number) => Ok(Value::Float(-number)),
            Value::Duration(by) => by.checked_neg().map(Value::Duration).ok_or_else(|| self.out_of_range(id, "a duration")),
            other => Err(self.mismatch(id, "a number or a duration", other)),
        }
    }

    fn out_of_range(&self, id: NodeId, kind: &str) -> &'a Fault<'a> {
        self.fault(id, Code::M101, format_args!("the result is out of the range of {kind}"))
    }

    fn misfit(&self, id: NodeId, what: &str, left: Value<'a>, right: Value<'a>) -> &'a Fault<'a> {
        self.fault(id, Code::M102, format_args!("{} and {} can't be {what}", left.kind(), right.kind()))
    }
}
