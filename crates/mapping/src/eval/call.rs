//! Calls of native functions: arguments on the stack, absence before the body runs, bounds on what comes back.

use super::Trace;
use super::machine::{Fault, Machine, Outcome};
use crate::diagnostic::codes::Code;
use crate::functions::{Body, Function, NativeBody, Presence, TestBody, TextBody};
use crate::plan::{Node, NodeId};
use crate::value::{Failure, Value};

impl<'a, T: Trace> Machine<'a, '_, T> {
    #[inline(never)]
    pub fn call(&mut self, id: NodeId, function: &'static Function, given: &'a [NodeId], optional: bool) -> Outcome<'a> {
        match (function.body, given) {
            (Body::Native(body), _) => self.native(id, (function, body), given, optional),
            (Body::Text(body), [text]) => match self.argument(*text, optional)? {
                Value::Absent => Ok(Value::Absent),
                text => self.call_text(id, body, text, None, optional),
            },
            (Body::Text(body), [text, other]) => {
                let text = self.argument(*text, optional)?;
                if matches!(text, Value::Absent) {
                    return Ok(Value::Absent);
                }
                match self.argument(*other, optional)? {
                    Value::Absent if function.parameters.get(1).is_some_and(|other| other.presence == Presence::Required) => {
                        Ok(Value::Absent)
                    }
                    Value::Absent => self.call_text(id, body, text, None, optional),
                    other => self.call_text(id, body, text, Some(other), optional),
                }
            }
            (Body::Test(body), [text, other]) => {
                let (text, other) = (self.argument(*text, optional)?, self.argument(*other, optional)?);
                match (text, other) {
                    (Value::String(text), Value::String(other)) => self.test(id, body, text, other).map(Value::Bool),
                    (Value::Absent, _) | (_, Value::Absent) => Ok(Value::Absent),
                    (Value::String(_), other) => self.wrong_kind(id, other, optional),
                    (other, _) => self.wrong_kind(id, other, optional),
                }
            }
            _ => Err(self.fault(id, Code::M101, format_args!("`{}` can't be called like this", function.name))),
        }
    }

    /// One argument; what is not there is absent. Its conversion is part of the call: the twin with `?` forgives it.
    #[inline(always)]
    fn argument(&mut self, node: NodeId, optional: bool) -> Outcome<'a> {
        match self.value(node) {
            Ok(Value::Null | Value::Keep) => Ok(Value::Absent),
            Err(fault) if optional && fault.node == node && self.is_conversion(node) => Ok(Value::Absent),
            outcome => outcome,
        }
    }

    fn call_text(
        &mut self,
        id: NodeId,
        body: TextBody,
        text: Value<'a>,
        other: Option<Value<'a>>,
        optional: bool,
    ) -> Outcome<'a> {
        match (text, other) {
            (Value::String(text), None) => self.text(id, body, text, None, optional),
            (Value::String(text), Some(Value::String(other))) => self.text(id, body, text, Some(other), optional),
            (Value::String(_), Some(other)) => self.wrong_kind(id, other, optional),
            (text, _) => self.wrong_kind(id, text, optional),
        }
    }

    fn wrong_kind(&self, id: NodeId, found: Value<'a>, optional: bool) -> Outcome<'a> {
        if optional { Ok(Value::Absent) } else { Err(self.not_text(id, found)) }
    }

    #[cold]
    pub fn not_text(&self, id: NodeId, found: Value<'a>) -> &'a Fault<'a> {
        let failure = self.call.wrong_kind("text", Some(&found));
        self.arena.alloc(Fault { failure, node: id })
    }

    /// Calls with texts that are there.
    #[inline]
    pub fn text(&mut self, id: NodeId, body: TextBody, text: &'a str, other: Option<&'a str>, optional: bool) -> Outcome<'a> {
        self.burn_bytes(id, text.len() + other.map_or(0, str::len))?;
        let result = body(&self.call, text, other);
        self.returned(id, result, optional)
    }

    #[inline]
    pub fn test(&mut self, id: NodeId, body: TestBody, text: &'a str, other: &'a str) -> Outcome<'a, bool> {
        self.burn_bytes(id, text.len() + other.len())?;
        Ok(body(&self.call, text, other))
    }

    #[inline]
    fn returned(&mut self, id: NodeId, result: Result<Value<'a>, Failure<'a>>, optional: bool) -> Outcome<'a> {
        match result {
            Ok(value) => {
                match value {
                    Value::String(text) => self.bound_text(id, text.len())?,
                    Value::List(items) => self.bound_list(id, items.len())?,
                    _ => {}
                }
                Ok(value)
            }
            Err(failure) if optional && failure.code != Code::M190 => Ok(Value::Absent),
            Err(failure) => Err(self.arena.alloc(Fault { failure, node: id })),
        }
    }

    fn native(
        &mut self,
        id: NodeId,
        (function, body): (&'static Function, NativeBody),
        given: &'a [NodeId],
        optional: bool,
    ) -> Outcome<'a> {
        const INLINE: usize = 4;
        let parameters = function.parameters;
        let repeats = parameters.last().is_some_and(|parameter| parameter.presence == Presence::Repeated);
        let count = given.len().max(parameters.len() - usize::from(repeats));
        let mut inline = [Value::Absent; INLINE];
        let arguments: &mut [Value<'a>] =
            if count <= INLINE { &mut inline[..count] } else { self.arena.alloc_slice_fill_copy(count, Value::Absent) };
        let mut bytes = 0;
        for (index, (argument, node)) in arguments.iter_mut().zip(given).enumerate() {
            let value = match self.value(*node) {
                // The conversion of an argument is part of the call: the twin with `?` forgives it as well.
                Err(fault) if optional && fault.node == *node && self.is_conversion(*node) => return Ok(Value::Absent),
                outcome => outcome?,
            };
            match value {
                Value::Absent | Value::Null | Value::Keep => {
                    if parameters.get(index).is_some_and(|parameter| parameter.presence == Presence::Required) {
                        return Ok(Value::Absent);
                    }
                    continue;
                }
                Value::String(text) => bytes += text.len(),
                Value::Binary(data) => bytes += data.len(),
                Value::List(items) => bytes += items.len() * 16,
                _ => {}
            }
            *argument = value;
        }
        self.burn_bytes(id, bytes)?;
        let result = body(&self.call, arguments);
        self.returned(id, result, optional)
    }

    fn is_conversion(&self, node: NodeId) -> bool {
        matches!(self.plan.nodes[node as usize], Node::Convert { .. } | Node::ConvertEach { .. })
    }
}
