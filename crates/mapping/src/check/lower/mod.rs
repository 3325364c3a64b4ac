//! From expressions to nodes: typing and lowering in one pass. Owns the arena while it grows, the slots, and what one
//! expression was found to depend on. [`expression`] infers, [`coerce`] converts to what a place wants, the others
//! hold one kind of expression each.

mod access;
mod call;
mod coerce;
mod expression;
mod operators;
mod patterns;
mod slots;

pub use coerce::Want;
pub use expression::not_constant;
pub use slots::Slots;

use super::Sources;
use super::include::Loaded;
use super::rules::Effective;
use super::schema::Schema;
use super::scope::Scope;
use super::sink::Sink;
use super::tables::TableFacts;
use crate::ast::Expr;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::CONSTANT_BYTES_MAX;
use crate::plan::{ByText, Constant, Node, NodeId, SlotId, Table};
use crate::span::{FileId, Span};
use crate::target::Kind;
use crate::types::Type;
use crate::value::Regex;
use std::collections::{BTreeSet, HashMap};

/// A lowered expression.
#[derive(Clone, Debug)]
pub struct Low {
    pub node: NodeId,
    pub ty: Type,
    pub may_be_absent: bool,
    pub span: Span,
}

impl Low {
    pub const fn is_unknown(&self) -> bool {
        matches!(self.ty, Type::Unknown)
    }
}

/// What an expression needs besides the entry; a `let` hands it on to whoever reads it.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Rules read by `new.x`.
    pub rules: BTreeSet<u16>,
    pub slots: BTreeSet<SlotId>,
    /// A call that only stands under `create`.
    pub create_only: Option<&'static str>,
    /// A template wrote a sensitive attribute's value.
    pub sensitive_text: Option<Span>,
}

impl Needs {
    pub fn add(&mut self, other: &Self) {
        self.rules.extend(&other.rules);
        self.slots.extend(&other.slots);
        self.create_only = self.create_only.or(other.create_only);
        self.sensitive_text = self.sensitive_text.or(other.sensitive_text);
    }
}

/// A `let` on its way.
#[derive(Clone, Debug)]
pub enum LetState {
    Untouched,
    Open,
    Done { plan: u16, low: Low, needs: Needs },
}

/// What is visible where the expression stands.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Loop variables, innermost last.
    pub variables: Vec<(Box<str>, u16, Type)>,
    /// The record a filter condition looks into: its local, its type, and whether a bare name used it.
    pub records: Vec<(u16, Type, bool)>,
    pub it: Option<Type>,
    /// Comprehensions around.
    pub nesting: usize,
}

pub struct Checker<'a> {
    pub sources: &'a dyn Sources,
    pub files: &'a [Loaded],
    pub scope: Scope<'a>,
    pub schema: Schema,
    pub to: Kind,
    pub sink: Sink,
    pub slots: Slots,
    pub nodes: Vec<Node>,
    pub spans: Vec<Span>,
    pub let_states: Vec<LetState>,
    /// What becomes of [`crate::plan::Plan::lets`].
    pub lets: Vec<(Box<str>, NodeId)>,
    pub tables: Vec<Table>,
    pub table_facts: Vec<Option<TableFacts>>,
    pub regexes: Vec<Regex>,
    regex_index: HashMap<(Box<str>, bool), Option<u16>>,
    pub sets: Vec<ByText<()>>,
    pub old: Vec<Box<[Box<str>]>>,
    pub locals: u16,
    pub rules: Vec<Effective<'a>>,
    /// Target to its place in the order of rules.
    pub rule_index: HashMap<String, u16>,
    /// Where the expression at hand stands.
    pub file: FileId,
    pub strict: bool,
    /// The rule `inherited` refers to: an index into `rules`.
    pub base: Option<usize>,
    pub frame: Frame,
    pub needs: Needs,
    pub depth: usize,
    constant_bytes: usize,
    /// Where the plan grew over its bounds.
    pub too_large: Option<Span>,
    /// Consts being written out, to see a circle.
    pub open_consts: Vec<Span>,
    /// The attributes whose first value was taken of several, to say L04 once each.
    pub first_of_many: HashMap<SlotId, Span>,
}

impl<'a> Checker<'a> {
    pub fn add(&mut self, node: Node, span: Span) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(node);
        self.spans.push(span);
        id
    }

    pub fn low(&mut self, node: Node, ty: Type, may_be_absent: bool, span: Span) -> Low {
        Low { node: self.add(node, span), ty, may_be_absent, span }
    }

    pub fn constant(&mut self, constant: Constant, ty: Type, span: Span) -> Low {
        let bytes = match &constant {
            Constant::String(text) => text.len(),
            Constant::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        self.constant_bytes = self.constant_bytes.saturating_add(bytes);
        if self.constant_bytes > CONSTANT_BYTES_MAX && bytes > 0 {
            let first = self.too_large.get_or_insert(span);
            let diagnostic = Diagnostic::new(Code::M015, *first, format!("more than {CONSTANT_BYTES_MAX} bytes of literal text"))
                .help("consts are written out wherever they are used: use let or a table");
            self.sink.push(diagnostic);
            return self.low(Node::Constant(Constant::Absent), Type::Unknown, true, span);
        }
        let may_be_absent = matches!(constant, Constant::Absent | Constant::Keep);
        self.low(Node::Constant(constant), ty, may_be_absent, span)
    }

    /// Stands where something was reported.
    pub fn unknown(&mut self, span: Span) -> Low {
        self.constant(Constant::Absent, Type::Unknown, span)
    }

    /// Reports and goes on with a value that fits everywhere.
    pub fn refuse(&mut self, diagnostic: Diagnostic, span: Span) -> Low {
        self.sink.push(diagnostic);
        self.unknown(span)
    }

    pub fn text_of(&self, span: Span) -> &'a str {
        self.files.get(usize::from(span.file.0)).and_then(|file| file.text.get(span.range())).unwrap_or_default()
    }

    pub fn known(&self, node: NodeId) -> Option<&Constant> {
        match self.nodes.get(node as usize) {
            Some(Node::Constant(constant)) => Some(constant),
            _ => None,
        }
    }

    pub fn known_bool(&self, node: NodeId) -> Option<bool> {
        match self.known(node) {
            Some(Constant::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn fresh_local(&mut self, span: Span) -> u16 {
        let local = self.locals;
        match self.locals.checked_add(1) {
            Some(next) => self.locals = next,
            None => {
                self.sink
                    .push(Diagnostic::new(Code::M015, span, "too many comprehensions and filters").help("split the mapping"));
            }
        }
        local
    }

    /// Compiles a regular expression once per text; `None` = reported.
    pub fn regex(&mut self, pattern: &str, ignore_case: bool, span: Span) -> Option<u16> {
        let key = (Box::from(pattern), ignore_case);
        if let Some(&known) = self.regex_index.get(&key) {
            return known;
        }
        let index = match Regex::compile(pattern, ignore_case) {
            Ok(regex) => {
                self.regexes.push(regex);
                u16::try_from(self.regexes.len() - 1).ok()
            }
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
                self.sink.push(
                    Diagnostic::new(Code::M013, span, format!("the regular expression does not compile: {reason}")).help(
                        match error {
                            regex::Error::CompiledTooBig(_) => {
                                "make it smaller: shorter repetitions, [0-9] for \\d, [a-z] for \\w"
                            }
                            _ => "the syntax is that of RE2: no look-around, no back-references",
                        },
                    ),
                );
                None
            }
        };
        self.regex_index.insert(key, index);
        index
    }

    /// Runs `work` where nothing of the surrounding expression is visible.
    pub fn apart<T>(&mut self, file: FileId, base: Option<usize>, work: impl FnOnce(&mut Self) -> T) -> T {
        let frame = std::mem::take(&mut self.frame);
        let strict = self.strict;
        let before = (self.file, self.base);
        (self.file, self.base) = (file, base);
        let result = work(self);
        (self.file, self.base) = before;
        self.strict = strict;
        self.frame = frame;
        result
    }

    /// Runs `work` and gives what it needed, apart from what was needed before.
    pub fn needing<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Needs) {
        let before = std::mem::take(&mut self.needs);
        let result = work(self);
        let needs = std::mem::replace(&mut self.needs, before);
        (result, needs)
    }

    /// Lowers every `let`, used or not: a mistake in one is a mistake.
    pub fn all_lets(&mut self) {
        for index in 0..self.scope.lets.len() {
            self.lower_let(index);
        }
    }

    /// Lowers a `let` unless that is done or under way; the state afterwards.
    pub fn lower_let(&mut self, index: usize) -> LetState {
        if !matches!(self.let_states[index], LetState::Untouched) {
            return self.let_states[index].clone();
        }
        self.let_states[index] = LetState::Open;
        let (name, value, file): (_, &'a Expr, _) = self.scope.lets[index];
        let strict = self.strict_default(file);
        let (low, needs) = self.needing(|checker| {
            checker.apart(file, None, |checker| {
                checker.strict = strict;
                checker.infer(value)
            })
        });
        self.lets.push((name.value.clone(), low.node));
        let state = LetState::Done { plan: u16::try_from(self.lets.len() - 1).unwrap_or(u16::MAX), low, needs };
        self.let_states[index] = state.clone();
        state
    }
}

impl<'a> Checker<'a> {
    pub fn new(sources: &'a dyn Sources, files: &'a [Loaded], scope: Scope<'a>, schema: Schema, to: Kind, sink: Sink) -> Self {
        let let_states = vec![LetState::Untouched; scope.lets.len()];
        let table_facts = scope.tables.iter().map(|_| None).collect();
        Self {
            sources,
            files,
            scope,
            schema,
            to,
            sink,
            slots: Slots::default(),
            nodes: Vec::new(),
            spans: Vec::new(),
            let_states,
            lets: Vec::new(),
            tables: Vec::new(),
            table_facts,
            regexes: Vec::new(),
            regex_index: HashMap::new(),
            sets: Vec::new(),
            old: Vec::new(),
            locals: 0,
            rules: Vec::new(),
            rule_index: HashMap::new(),
            file: FileId(0),
            strict: false,
            base: None,
            frame: Frame::default(),
            needs: Needs::default(),
            depth: 0,
            constant_bytes: 0,
            too_large: None,
            open_consts: Vec::new(),
            first_of_many: HashMap::new(),
        }
    }
}
