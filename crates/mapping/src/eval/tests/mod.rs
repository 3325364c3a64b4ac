//! Plans built by hand: what each instruction does, whatever the checker makes of text.

mod absence;
mod any_plan;
mod bounds;
mod rich;
mod rules;

use super::*;
use crate::functions::{Accepts, Body, Function, Group, Parameter, Presence};
use crate::output::to_map;
use crate::plan::{Constant, Rule, RuleValue, SlotSpec};
use crate::source::tests::plan_reading;
use crate::source::{Names, json};
use crate::span::Span;
use crate::target::{Absent, Kind, Merge};
use crate::types::Type;
use serde_json::{Value as Json, json};

/// A plan under construction. Slots are `a`, `b` and `c`.
pub struct Build {
    pub plan: Plan,
}

pub const A: SlotId = 0;
pub const B: SlotId = 1;

impl Build {
    pub fn new() -> Self {
        Self { plan: plan_reading(Kind::Json, &["a", "b", "c"]) }
    }

    pub fn node(&mut self, node: Node) -> NodeId {
        self.plan.nodes.push(node);
        self.plan.spans.push(Span::default());
        u32::try_from(self.plan.nodes.len() - 1).unwrap()
    }

    pub fn one(&mut self, slot: SlotId) -> NodeId {
        self.node(Node::One { slot, strict: false })
    }

    pub fn text(&mut self, text: &str) -> NodeId {
        self.node(Node::Constant(Constant::String(text.into())))
    }

    pub fn constant(&mut self, constant: Constant) -> NodeId {
        self.node(Node::Constant(constant))
    }

    pub fn call(&mut self, function: &'static Function, arguments: &[NodeId]) -> NodeId {
        self.node(Node::Call { function, arguments: arguments.into(), optional: false })
    }

    pub fn bind(&mut self, name: &str, value: NodeId) -> NodeId {
        self.plan.lets.push((name.into(), value));
        self.node(Node::Let(u16::try_from(self.plan.lets.len() - 1).unwrap()))
    }

    pub fn rule(&mut self, target: &str, value: NodeId) -> &mut Rule {
        let index = u16::try_from(self.plan.rules.len()).unwrap();
        self.plan.order.push(index);
        self.plan.rules.push(Rule {
            target: target.into(),
            path: target.split('.').map(Into::into).collect(),
            span: Span::default(),
            line: u32::from(index) + 1,
            value: RuleValue::Expr(value),
            condition: None,
            ty: Type::Json.or_absent(),
            policy: None,
            absent: Absent::Clear,
            merge: Merge::Owned,
            required: false,
            sensitive: false,
            strict: false,
            max_bytes: None,
            checks: vec![],
            attributes: vec![],
        });
        self.plan.rules.last_mut().unwrap()
    }

    pub fn gate(&mut self, deny: bool, condition: NodeId, reason: NodeId) {
        self.plan.gates.push(Gate { deny, condition, reason, span: Span::default(), line: 1 });
    }

    /// Runs on a JSON entry; values by target, and `"!M101 …"` for a failure, `"-"` for absent, `"keep"`.
    pub fn run(&self, entry: &Json) -> Json {
        self.run_in(entry, &environment())
    }

    pub fn run_in(&self, entry: &Json, environment: &Environment<'_>) -> Json {
        let mut evaluator = Evaluator::new();
        let text = entry.to_string();
        let names = Names::new(&self.plan);
        let arena = evaluator.fresh();
        let entry = json::read(arena, &names, text.as_bytes()).unwrap();
        let evaluation = run(arena, &self.plan, &entry, environment, &mut NoTrace);
        if let Some(hit) = evaluation.gate {
            let mut shown = json!({ "gate": hit.gate, "reason": hit.reason, "failed": hit.failure.map(|f| f.code.as_str()) });
            if hit.bars {
                shown["bars"] = true.into();
            }
            return shown;
        }
        let mut out = to_map(&self.plan, &evaluation);
        for (rule, given) in self.plan.rules.iter().zip(evaluation.given) {
            let shown = match given {
                Given::Value(_) => continue,
                Given::Absent => json!("-"),
                Given::Keep => json!("keep"),
                Given::FirstFree(texts) => json!({ "free": texts }),
                Given::Failed { failure, .. } => json!(format!("!{} {}", failure.code, failure.message)),
            };
            out.insert(rule.target.to_string(), shown);
        }
        Json::Object(out)
    }

    /// Runs one expression as the only rule.
    pub fn value_of(mut self, node: NodeId, entry: Json) -> Json {
        self.rule("x", node);
        self.run(&entry)["x"].clone()
    }
}

pub fn environment<'a>() -> Environment<'a> {
    Environment::at(Timestamp::UNIX_EPOCH)
}

const TEXT: Parameter = Parameter { name: "s", accepts: Accepts::Text, presence: Presence::Required };

/// Lower-case text: one that can't fail.
pub static LOWER: Function = Function {
    name: "lower",
    group: Group::String,
    signature: "",
    parameters: &[TEXT],
    result: |_| Type::String,
    may_be_absent: false,
    fallible: false,
    create_only: false,
    summary: "",
    examples: &[],
    body: Body::Native(|call, arguments| match arguments {
        [Value::String(text)] => Ok(call.text(&text.to_lowercase())),
        _ => Err(call.fail(format_args!("no text"))),
    }),
};

/// Always fails, quoting its input.
pub static FAIL: Function = Function {
    name: "fail",
    fallible: true,
    body: Body::Native(|call, arguments| Err(call.fail(format_args!("fail: {:?}", arguments[0])))),
    ..copy_of_lower()
};

/// Doubles its text.
pub static DOUBLE: Function = Function {
    name: "double",
    body: Body::Native(|call, arguments| match arguments {
        [Value::String(text)] => Ok(call.text(&text.repeat(2))),
        _ => Ok(Value::Absent),
    }),
    ..copy_of_lower()
};

/// Eight random bytes in hexadecimal.
pub static RANDOM: Function = Function {
    name: "random",
    create_only: true,
    parameters: &[],
    body: Body::Native(|call, _| {
        let mut bytes = [0; 8];
        (call.random)(&mut bytes);
        Ok(call.text(&format!("{:016x}", u64::from_be_bytes(bytes))))
    }),
    ..copy_of_lower()
};

const fn copy_of_lower() -> Function {
    Function {
        name: "",
        group: Group::String,
        signature: "",
        parameters: &[TEXT],
        result: |_| Type::String,
        may_be_absent: false,
        fallible: false,
        create_only: false,
        summary: "",
        examples: &[],
        body: Body::Native(|_, _| Ok(Value::Absent)),
    }
}

/// An attribute declared `sensitive`.
pub fn sensitive(plan: &mut Plan, slot: SlotId) {
    let spec: &mut SlotSpec = &mut plan.slots[usize::from(slot)];
    spec.sensitive = true;
}
