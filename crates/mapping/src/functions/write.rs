//! Short forms for writing a [`Function`] down: its defaults, parameters and result types.

use super::{Accepts, Body, Example, Function, Group, Intrinsic, Parameter, Presence};
use crate::types::Type;

/// What a function is unless it says otherwise. Name, group and body are always said.
pub(super) const PLAIN: Function = Function {
    name: "",
    group: Group::Presence,
    signature: "",
    parameters: &[],
    result: STRING,
    may_be_absent: false,
    fallible: false,
    create_only: false,
    summary: "",
    examples: &[],
    body: Body::Compiled(Intrinsic::Has),
};

pub(super) const fn required(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts, presence: Presence::Required }
}

pub(super) const fn optional(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts, presence: Presence::Optional }
}

pub(super) const fn sees_absent(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts, presence: Presence::SeesAbsent }
}

pub(super) const fn repeated(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts, presence: Presence::Repeated }
}

pub(super) const fn named(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts, presence: Presence::Named }
}

pub(super) const fn example(call: &'static str, gives: &'static str) -> Example {
    Example { call, gives }
}

type Result = fn(&[Type]) -> Type;

pub(super) const STRING: Result = |_| Type::String;
pub(super) const BOOL: Result = |_| Type::Bool;
pub(super) const INT: Result = |_| Type::Int;
pub(super) const DATETIME: Result = |_| Type::DateTime;
pub(super) const BINARY: Result = |_| Type::Binary;
pub(super) const JSON: Result = |_| Type::Json;
pub(super) const RECORD: Result = |_| Type::Record(None);
pub(super) const STRINGS: Result = |_| Type::String.list();
/// What the list in first place holds.
pub(super) const ITEM: Result = |types| match types.first() {
    Some(Type::List(item)) => (**item).clone(),
    Some(other @ (Type::Unknown | Type::Nothing)) => other.clone(),
    _ => Type::Json,
};
/// A list like the one in first place.
pub(super) const SAME_LIST: Result = |types| ITEM(types).list();
