//! Calls of native functions: arguments on the stack, absence before the body runs, bounds on what comes back.

use super::Trace;
use super::machine::{Fault, Machine, Outcome};
use crate::diagnostic::codes::Code;
use crate::functions::{Body, Function, Presence};
use crate::plan::{Node, NodeId};
use crate::value::Value;

impl<'a, T: Trace> Machine<'a, '_, T> {
    #[inline(never)]
    pub fn call(&mut self, id: NodeId, function: &'static Function, given: &'a [NodeId], optional: bool) -> Outcome<'a> {
        const INLINE: usize = 4;
        let Body::Native(body) = function.body else {
            return Err(self.fault(id, Code::M101, format_args!("`{}` is no function of its own", function.name)));
        };
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
        match body(&self.call, arguments) {
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

    fn is_conversion(&self, node: NodeId) -> bool {
        matches!(self.plan.nodes[node as usize], Node::Convert { .. } | Node::ConvertEach { .. })
    }
}
