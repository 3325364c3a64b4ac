//! Compiling: from the text of a mapping to its plan, or to what is wrong with it. Everything a mapping can get wrong
//! without an entry is found here: names, types, shapes, targets, modifiers, circles, limits. Pure; included files and
//! tables come through [`Sources`].

mod cost;
mod csv;
mod given;
mod include;
mod lints;
mod lower;
mod modifiers;
mod named;
mod nearest;
mod rules;
mod schema;
mod scope;
mod sink;
mod tables;

use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, RuleValue};
use crate::span::FileId;
use crate::target::{Absent, Merge, WritePolicy};
use lower::Checker;
use sink::Sink;

/// Where the texts and tables of `use` and `table … from` come from: files beside the mapping, presets below `std/`.
/// Only plain relative paths are asked for: no `..`, not absolute.
pub trait Sources {
    /// The text of an included mapping, or why it can't be had.
    ///
    /// # Errors
    /// One line for the reader of the diagnostic.
    fn include(&self, path: &str) -> Result<String, String>;

    /// The bytes of a CSV file, or why they can't be had.
    ///
    /// # Errors
    /// One line for the reader of the diagnostic.
    fn table(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Has nothing: for a mapping that stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn include(&self, _: &str) -> Result<String, String> {
        Err("no files are at hand here".to_owned())
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("no files are at hand here".to_owned())
    }
}

/// What compiling gave.
#[derive(Debug)]
pub struct Compiled {
    /// There iff no diagnostic is an error.
    pub plan: Option<Plan>,
    /// In the order of the text; at most [`crate::limits::DIAGNOSTICS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were.
    pub more: usize,
    /// Name and text by [`FileId`], for rendering; also when there is no plan.
    pub files: Vec<(Box<str>, Box<str>)>,
    /// The test blocks of the mapping's own file.
    pub tests: Vec<ast::Test>,
    pub facts: Facts,
}

/// What is known of a mapping without an entry, for `explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Source attributes read, as the source names them.
    pub reads: Vec<Box<str>>,
    /// Targets written.
    pub writes: Vec<Box<str>>,
    /// Steps for an entry with lists of a usual length.
    pub cost: u64,
    pub rules: Vec<RuleFacts>,
}

/// The policy of one rule, every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFacts {
    pub target: Box<str>,
    /// Which text it stands in, and the line there.
    pub file: FileId,
    pub line: u32,
    /// `on_change, absent keep, merge owned, required`
    pub policy: String,
}

/// Parses one text. The only place that knows the parser.
fn parse(file: FileId, text: &str) -> (ast::File, Vec<Diagnostic>) {
    let parsed = crate::syntax::parse(text, file);
    (parsed.file, parsed.diagnostics)
}

/// Compiles the mapping `text`; `name` is what diagnostics call the file.
pub fn compile(name: &str, text: &str, sources: &dyn Sources) -> Compiled {
    let mut sink = Sink::default();
    let loaded = include::load(name, text, sources, &mut sink);
    let files: Vec<(Box<str>, Box<str>)> = loaded.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    let scope = scope::Scope::collect(&loaded, &mut sink);
    let Some((schema, to)) = rules::header(&loaded, &mut sink) else {
        let (diagnostics, more) = sink.finish();
        return Compiled { plan: None, diagnostics, more, files, tests: Vec::new(), facts: Facts::default() };
    };
    let mut checker = Checker::new(sources, &loaded, scope, schema, to, sink);
    checker.declare();
    checker.check_defaults();
    checker.all_tables();
    let order = checker.rules_in_force();
    let gates = checker.lower_gates();
    checker.all_lets();
    let lowered = checker.lower_rules(&order);
    let run_order = checker.order_of(&lowered);
    checker.lints(&order, &lowered);
    let tests = checker.tests();
    let errors = checker.sink.errors;
    let plan = Plan {
        name: loaded[0].ast.header.as_ref().map_or_else(|| name.into(), |header| header.name.value.clone()),
        from: schema.kind,
        to,
        slots: checker.slots.specs,
        nodes: checker.nodes,
        spans: checker.spans,
        lets: checker.lets,
        gates,
        rules: lowered.into_iter().map(|(rule, _)| rule).collect(),
        order: run_order,
        tables: checker.tables,
        regexes: checker.regexes,
        sets: checker.sets,
        old: checker.old,
        locals: checker.locals,
        files: files.clone(),
    };
    let facts = facts(&plan);
    let (diagnostics, more) = checker.sink.finish();
    Compiled { plan: (errors == 0).then_some(plan), diagnostics, more, files, tests, facts }
}

fn facts(plan: &Plan) -> Facts {
    let rules = plan.rules.iter().map(|rule| RuleFacts {
        target: rule.target.clone(),
        file: rule.span.file,
        line: rule.line,
        policy: policy(rule),
    });
    Facts {
        reads: plan.slots.iter().map(|slot| slot.name.clone()).collect(),
        writes: plan.rules.iter().map(|rule| rule.target.clone()).collect(),
        cost: cost::of(plan),
        rules: rules.collect(),
    }
}

/// Every word that holds for a rule, said or not.
fn policy(rule: &crate::plan::Rule) -> String {
    let absent = match rule.absent {
        Absent::Clear => "absent clear",
        Absent::Keep => "absent keep",
        Absent::Reject => "absent reject",
    };
    let mut words = vec![WritePolicy::word(rule.policy).to_owned(), absent.to_owned()];
    if rule.ty.ty.is_list() {
        words.push(
            match rule.merge {
                Merge::Owned => "merge owned",
                Merge::Replace => "merge replace",
                Merge::Union => "merge union",
            }
            .to_owned(),
        );
    }
    let flags = [
        (rule.required, "required"),
        (rule.sensitive, "sensitive"),
        (rule.strict, "strict"),
        (!rule.checks.is_empty(), "checked"),
        (matches!(rule.value, RuleValue::FirstFree(_)), "first free"),
    ];
    words.extend(flags.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word.to_owned()));
    words.extend(rule.max_bytes.map(|bytes| format!("max {bytes} bytes")));
    words.extend(rule.attributes.iter().map(|(word, value)| format!("{word} {value}")));
    words.join(", ")
}
