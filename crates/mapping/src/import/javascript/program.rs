//! Statements of a script, in their order: what every name holds, and what the exported function returns. A branch is
//! followed on both sides and its two outcomes become one value. One that leaves early is followed to the end of the
//! script: with an error it is a gate, with another profile the two profiles become one. A statement that is not understood
//! is listed, and all it may have assigned is unknown from there on.

use super::expression::Scope;
use super::tree::{Function, Kind, Node, Statement, StatementKind, visit};
use super::value::{Code, Level, Made, Member, Part, Val, why, why_but};
use crate::import::{Place, write};
use std::collections::HashMap;

/// Branches that leave early, each followed to the end: where both of its ways go on, what is left is followed twice.
const FORKS_MAX: usize = 100;

type Names = HashMap<Box<str>, Val>;

pub struct Program<'s, 'd> {
    pub scope: &'s mut Scope<'d>,
    /// The name of `callback(err, profile)`.
    callback: Option<Box<str>>,
    /// Under which conditions the statement at hand is reached, as far as they decide how the script ends.
    path: Vec<Code>,
    forks: usize,
    /// Inside a function that is called per name: there `return` ends one round and hands over nothing.
    in_loop: bool,
}

/// How it ends.
pub enum End {
    /// Behind the last statement: nothing was handed over.
    Runs,
    /// With what was handed over.
    Profile(Val),
    /// With an error: the entry is refused.
    Refused,
}

/// Statements still to come, and those behind the block they stand in.
#[derive(Clone, Copy)]
struct Rest<'r> {
    statements: &'r [Statement],
    then: Option<&'r Self>,
}

impl<'s, 'd> Program<'s, 'd> {
    /// Runs the text outside of functions; the exported function, if there is one.
    pub fn module(scope: &'s mut Scope<'d>, script: &[Statement]) -> (Self, Option<Function>) {
        let mut program = Self { scope, callback: None, path: Vec::new(), forks: 0, in_loop: false };
        for statement in script {
            if let StatementKind::Function(name, function) = &statement.kind {
                program.scope.names.insert(name.clone(), Val::Function(function.clone()));
            }
        }
        let mut exported = None;
        for statement in script {
            match &statement.kind {
                StatementKind::Expr(Node { kind: Kind::Assign(_, target, value), .. }) if is_export(target) => {
                    match program.scope.value(value) {
                        Ok(Val::Function(function)) => exported = Some(function),
                        Ok(_) => program.leave(statement, why("what is exported is no function")),
                        Err(refused) => program.leave(statement, Err(refused)),
                    }
                }
                _ => {
                    program.run(statement);
                }
            }
        }
        (program, exported)
    }

    /// How the function ends.
    pub fn call(&mut self, function: &Function) -> End {
        if let Some(raw) = function.parameters.first() {
            self.scope.names.insert(raw.clone(), Val::Raw);
        }
        self.callback = function.parameters.get(1).cloned();
        self.all(Rest { statements: &function.body, then: None })
    }

    fn leave(&mut self, statement: &Statement, refused: Made<()>) {
        if let Err(refused) = refused {
            self.scope.leave(statement.line, &statement.text, refused);
        }
    }

    /// Until the script ends.
    fn all(&mut self, mut rest: Rest<'_>) -> End {
        loop {
            let Some((first, after)) = rest.statements.split_first() else {
                match rest.then {
                    Some(then) => rest = *then,
                    None => return End::Runs,
                }
                continue;
            };
            let behind = Rest { statements: after, then: rest.then };
            let end = match &first.kind {
                StatementKind::Block(inner) => return self.all(Rest { statements: inner, then: Some(&behind) }),
                StatementKind::If(condition, then, other) if self.leaves(then) || self.leaves(other) => {
                    match self.fork(first, condition, [then, other], &behind) {
                        Ok(end) => return end,
                        Err(refused) => {
                            self.forget(first);
                            self.leave(first, Err(refused));
                            End::Runs
                        }
                    }
                }
                _ => self.run(first),
            };
            if !matches!(end, End::Runs) {
                return end;
            }
            rest = behind;
        }
    }

    fn run(&mut self, statement: &Statement) -> End {
        let outcome = match &statement.kind {
            StatementKind::Empty => Ok(()),
            StatementKind::Block(inner) => return self.all(Rest { statements: inner, then: None }),
            StatementKind::Function(name, function) => {
                self.scope.names.insert(name.clone(), Val::Function(function.clone()));
                Ok(())
            }
            StatementKind::Declare(declared) => {
                for (name, node) in declared {
                    let value = node.as_ref().map_or(Val::Nothing, |node| self.declared(node));
                    self.scope.names.insert(name.clone(), value);
                }
                Ok(())
            }
            StatementKind::Return(_) if self.in_loop => return End::Profile(Val::Nothing),
            StatementKind::Return(None) => return self.refuse(statement, None),
            StatementKind::Throw(node) => return self.refuse(statement, Some(node)),
            StatementKind::Return(Some(node)) => {
                return match self.handed_over(statement, node) {
                    Some(end) => end,
                    None => match self.scope.kept(node) {
                        Val::Nothing => self.refuse(statement, None),
                        profile => End::Profile(profile),
                    },
                };
            }
            StatementKind::Expr(node) => match self.handed_over(statement, node) {
                Some(end) => return end,
                None => self.effect(node),
            },
            StatementKind::If(condition, then, other) => self.branch(condition, then, other),
            StatementKind::Other(what, inner) if self.leaves(inner) => why_but(
                format!("{what}, in which the script may end"),
                "which entries are not taken: skip when … because \"…\", or deny when … because \"…\"",
            ),
            StatementKind::Other(what, _) => why(*what),
        };
        if outcome.is_err() {
            self.forget(statement);
        }
        self.leave(statement, outcome);
        End::Runs
    }

    /// Whether the script may end inside.
    fn leaves(&self, statements: &[Statement]) -> bool {
        statements.iter().any(|statement| match &statement.kind {
            StatementKind::Return(_) | StatementKind::Throw(_) => true,
            StatementKind::Block(inner) | StatementKind::Other(_, inner) => self.leaves(inner),
            StatementKind::If(_, then, other) => self.leaves(then) || self.leaves(other),
            StatementKind::Expr(node) => self.answer(node).is_some(),
            StatementKind::Declare(_) | StatementKind::Function(..) | StatementKind::Empty => false,
        })
    }

    /// A branch that leaves early on one side at least: each side with all that comes behind it.
    fn fork(&mut self, statement: &Statement, condition: &Node, sides: [&[Statement]; 2], behind: &Rest<'_>) -> Made<End> {
        self.forks += 1;
        if self.forks > FORKS_MAX {
            return why_but("too many ways through the script", "say which entries are not taken: skip when … because \"…\"");
        }
        let condition = self.scope.condition(condition)?;
        let before = self.scope.names.clone();
        let then = self.under(condition.clone(), sides[0], behind);
        let after_then = std::mem::replace(&mut self.scope.names, before);
        let other = match then {
            // Whoever gets so far was not stopped by the gates.
            End::Refused => self.all(Rest { statements: sides[1], then: Some(behind) }),
            _ => self.under(condition.not(), sides[1], behind),
        };
        let otherwise = condition.not();
        Ok(match (then, other) {
            (End::Refused, end) => end,
            (end, End::Refused) => {
                self.scope.names = after_then;
                end
            }
            (End::Runs | End::Profile(_), End::Runs | End::Profile(_)) if self.in_loop => {
                self.merge(&condition, after_then)?;
                End::Runs
            }
            (End::Runs, End::Runs) => End::Runs,
            (End::Runs, end) => self.without_profile(statement, condition, end),
            (end, End::Runs) => self.without_profile(statement, otherwise, end),
            (End::Profile(then), End::Profile(other)) => match self.either(&condition, then, other) {
                Ok(profile) => End::Profile(profile),
                Err(refused) => {
                    self.leave(statement, Err(refused));
                    End::Profile(Val::Unknown(statement.line))
                }
            },
        })
    }

    fn under(&mut self, condition: Code, statements: &[Statement], behind: &Rest<'_>) -> End {
        self.path.push(condition);
        let end = self.all(Rest { statements, then: Some(behind) });
        self.path.pop();
        end
    }

    /// On one side the script ends without a profile, on the other with one.
    fn without_profile(&mut self, statement: &Statement, condition: Code, end: End) -> End {
        self.path.push(condition);
        self.gate(statement, None);
        self.path.pop();
        end
    }

    /// Here the entry is refused: by an error, or because there is no profile.
    fn refuse(&mut self, statement: &Statement, error: Option<&Node>) -> End {
        let reason = error.and_then(|error| self.reason(error));
        self.gate(statement, reason);
        End::Refused
    }

    fn gate(&mut self, statement: &Statement, reason: Option<String>) {
        let Some((first, rest)) = self.path.split_first() else { return };
        let condition = rest.iter().fold(first.clone(), |all, one| all.and(one));
        let draft = &mut self.scope.draft;
        draft.differs("an entry that ends in an error, or without a profile, is refused in the original; here it is skipped");
        let reason = reason.unwrap_or_else(|| write::string(&format!("refused in line {} of the script", statement.line)));
        draft.gate(condition.text, reason, Place::Line(statement.line), &statement.text);
    }

    /// The text of `new Error("…")`, or of a text itself, as written here.
    fn reason(&mut self, error: &Node) -> Option<String> {
        let said = match &error.kind {
            Kind::New(_, arguments) => arguments.first()?,
            Kind::Call(callee, arguments) if callee.is_name("Error") => arguments.first()?,
            _ => error,
        };
        match self.scope.value(said).ok()? {
            Val::Text(text) => Some(write::string(&text)),
            Val::Template(parts) => {
                // In a reason what is missing is left out.
                let optional = parts.into_iter().map(|part| match part {
                    Part::Hole { code, .. } if code.level == Level::Post => Some(Part::Hole { code, optional: true }),
                    Part::Hole { .. } => None,
                    text @ Part::Text(_) => Some(text),
                });
                let template = Val::Template(optional.collect::<Option<_>>()?);
                self.scope.text(&template).ok().map(|code| code.text)
            }
            _ => None,
        }
    }

    fn declared(&mut self, node: &Node) -> Val {
        match self.scope.value(node) {
            Ok(value) => value,
            // Listed where it is used, if it is.
            Err(refused) => {
                self.scope.leave(node.line, &node.text, refused);
                Val::Unknown(node.line)
            }
        }
    }

    /// The arguments of `callback(…)`.
    fn answer<'n>(&self, node: &'n Node) -> Option<&'n [Node]> {
        match (&node.kind, &self.callback) {
            (Kind::Call(callee, arguments), Some(callback)) if callee.is_name(callback) => Some(arguments),
            _ => None,
        }
    }

    /// `callback(null, profile)`, `callback(new Error("…"))`
    fn handed_over(&mut self, statement: &Statement, node: &Node) -> Option<End> {
        let arguments = self.answer(node).filter(|_| !self.in_loop)?;
        let is_nothing = |node: &Node| matches!(node.kind, Kind::Null | Kind::Undefined);
        Some(match arguments {
            [error, profile, ..] if is_nothing(error) => match self.scope.kept(profile) {
                Val::Nothing => self.refuse(statement, None),
                profile => End::Profile(profile),
            },
            [error, ..] if !is_nothing(error) => self.refuse(statement, Some(error)),
            _ => self.refuse(statement, None),
        })
    }

    /// An expression for what it does.
    fn effect(&mut self, node: &Node) -> Made<()> {
        match &node.kind {
            // 'use strict'
            Kind::Text(_) => Ok(()),
            Kind::Assign(operator, target, value) => self.assign(operator, target, value),
            Kind::Unary(operator, target) if &**operator == "delete" => self.put(target, Val::Nothing),
            Kind::Binary(operator, condition, then) if &**operator == "&&" => {
                self.branch_of(condition, &mut |program| program.effect(then))
            }
            Kind::Call(callee, arguments) => match (&callee.kind, arguments.as_slice()) {
                (Kind::Member(base, _), _) if base.is_name("console") => Ok(()),
                (Kind::Member(base, name), [Node { kind: Kind::Function(function), .. }]) if &**name == "forEach" => {
                    self.each(base, function)
                }
                (Kind::Member(base, name), [source]) if &**name == "push" => self.push(base, source),
                _ => why("a call for what it does, not for what it gives"),
            },
            Kind::Other(what, _) => why(*what),
            _ => why("an expression without effect"),
        }
    }

    /// `['a', 'b'].forEach(function (name) { … })`, once per name.
    fn each(&mut self, list: &Node, function: &Function) -> Made<()> {
        let (Val::Array(items), Some(name)) = (self.scope.value(list)?, function.parameters.first()) else {
            return why_but("a loop over something that is no list of literals", "[ f(x) for x in $list[*] ]");
        };
        if items.len() > 200 || !items.iter().all(|item| matches!(item, Val::Text(_))) {
            return why("a loop over more than 200 names, or over something else than names");
        }
        let before = self.scope.names.get(name).cloned();
        let outer = std::mem::replace(&mut self.in_loop, true);
        let mut fails = false;
        for item in items {
            self.scope.names.insert(name.clone(), item);
            fails |= matches!(self.all(Rest { statements: &function.body, then: None }), End::Refused);
        }
        self.in_loop = outer;
        match before {
            Some(before) => self.scope.names.insert(name.clone(), before),
            None => self.scope.names.remove(name),
        };
        if fails { why("a loop that ends in an error") } else { Ok(()) }
    }

    /// `list.push(x)` on a list that is made of literals so far.
    fn push(&mut self, list: &Node, item: &Node) -> Made<()> {
        let Val::Array(mut items) = self.scope.value(list)? else { return why("adding to a list that is worked out") };
        items.push(self.scope.value(item)?);
        self.put(list, Val::Array(items))
    }

    fn branch(&mut self, condition: &Node, then: &[Statement], other: &[Statement]) -> Made<()> {
        let condition = self.scope.condition(condition)?;
        let before = self.scope.names.clone();
        self.all(Rest { statements: then, then: None });
        let after_then = std::mem::replace(&mut self.scope.names, before);
        self.all(Rest { statements: other, then: None });
        self.merge(&condition, after_then)
    }

    fn branch_of(&mut self, condition: &Node, run: &mut dyn FnMut(&mut Self) -> Made<()>) -> Made<()> {
        let condition = self.scope.condition(condition)?;
        let before = self.scope.names.clone();
        run(self)?;
        let after = std::mem::replace(&mut self.scope.names, before);
        self.merge(&condition, after)
    }

    /// The names as they are after either side; now they are those of the other side.
    fn merge(&mut self, condition: &Code, then: Names) -> Made<()> {
        let only_other = self.scope.names.keys().filter(|name| !then.contains_key(*name)).cloned().collect::<Vec<_>>();
        let missing = only_other.into_iter().map(|name| (name, Val::Nothing));
        for (name, then) in then.into_iter().chain(missing) {
            let other = self.scope.names.get(&name).cloned().unwrap_or(Val::Nothing);
            if then != other {
                let value = self.either(condition, then, other)?;
                self.scope.names.insert(name, value);
            }
        }
        Ok(())
    }

    fn either(&mut self, condition: &Code, then: Val, other: Val) -> Made<Val> {
        let (then, other) = match (then, other) {
            (Val::Object(then), Val::Object(other)) => (then, other),
            (Val::Unknown(line), _) | (_, Val::Unknown(line)) => return Ok(Val::Unknown(line)),
            (then, other) => return self.scope.choose(condition, then, other),
        };
        // What only the other side has is nothing on this one.
        let missing: Vec<Member> = other
            .iter()
            .filter(|member| !then.iter().any(|known| known.name == member.name))
            .map(|member| Member { value: Val::Nothing, ..member.clone() })
            .collect();
        let mut out = other;
        for member in then.into_iter().chain(missing) {
            let at = out.iter().position(|known| known.name == member.name);
            let before = at.map_or(Val::Nothing, |at| out[at].value.clone());
            if before == member.value {
                continue;
            }
            let value = match self.either(condition, member.value, before) {
                Ok(value) => value,
                Err(refused) => {
                    self.scope.leave(member.line, &member.text, refused);
                    Val::Unknown(member.line)
                }
            };
            let merged = Member { value, ..member };
            match at {
                Some(at) => out[at] = merged,
                None => out.push(merged),
            }
        }
        Ok(Val::Object(out))
    }

    fn assign(&mut self, operator: &str, target: &Node, value: &Node) -> Made<()> {
        // `var x = module.exports = …` and the like stay out.
        let value = match operator {
            "=" => self.scope.value(value)?,
            "||=" | "??=" => {
                let (before, value) = (self.scope.value(target)?, self.scope.value(value)?);
                self.scope.either(before, value)?
            }
            _ => return why(format!("`{operator}`")),
        };
        self.put(target, value)
    }

    /// Writes to a name or to a member of what a name holds.
    fn put(&mut self, target: &Node, value: Val) -> Made<()> {
        let (root, path) = self.path(target)?;
        if path.is_empty() {
            self.scope.names.insert(root, value);
            return Ok(());
        }
        let Some(held) = self.scope.names.get_mut(&root) else { return why(format!("`{root}` is not known here")) };
        let mut at = held;
        for (depth, name) in path.iter().enumerate() {
            if *at == Val::Nothing && depth > 0 {
                *at = Val::Object(Vec::new());
            }
            let Val::Object(members) = at else {
                return why_but(format!("`{root}` is no object that is put together here"), "the entry itself does not change");
            };
            let index = members.iter().position(|member| member.name == *name).unwrap_or_else(|| {
                members.push(Member { name: name.clone(), value: Val::Nothing, line: target.line, text: target.text.clone() });
                members.len() - 1
            });
            members[index].line = target.line;
            at = &mut members[index].value;
        }
        *at = value;
        Ok(())
    }

    fn path(&mut self, target: &Node) -> Made<(Box<str>, Vec<String>)> {
        match &target.kind {
            Kind::Name(name) => Ok((name.clone(), Vec::new())),
            Kind::Member(base, name) => {
                let (root, mut path) = self.path(base)?;
                path.push(name.to_string());
                Ok((root, path))
            }
            Kind::Index(base, index) => {
                let Val::Text(name) = self.scope.value(index)? else { return why("a member whose name is worked out") };
                let (root, mut path) = self.path(base)?;
                path.push(name);
                Ok((root, path))
            }
            _ => why("writing to something that is no member"),
        }
    }

    /// Everything the statement may have assigned is unknown now, and so is an object it hands to a function.
    fn forget(&mut self, statement: &Statement) {
        let mut touched: Vec<&Node> = Vec::new();
        visit(std::slice::from_ref(statement), &mut |node| match &node.kind {
            Kind::Assign(_, target, _) => touched.push(target),
            Kind::Unary(operator, target) if &**operator == "delete" => touched.push(target),
            Kind::Call(callee, arguments) => {
                touched.extend(arguments.iter().filter(|argument| matches!(argument.kind, Kind::Name(_))));
                if let Kind::Member(base, name) = &callee.kind
                    && matches!(&**name, "push" | "unshift" | "splice" | "forEach")
                {
                    touched.push(base);
                }
            }
            Kind::Other(_, inner) => {
                touched.extend(inner.iter().filter(|node| matches!(node.kind, Kind::Member(..) | Kind::Name(_))));
            }
            _ => {}
        });
        for target in touched {
            let is_raw = matches!(&target.kind, Kind::Name(name) if self.scope.names.get(name) == Some(&Val::Raw));
            if is_raw
                || matches!(&target.kind, Kind::Name(name) if matches!(self.scope.names.get(name), Some(Val::Function(_)) | None))
            {
                continue;
            }
            // Which member it writes is only known when it runs: that it is listed has to do.
            if matches!(target.kind, Kind::Index(..)) && self.path(target).is_err() {
                continue;
            }
            if self.put(target, Val::Unknown(statement.line)).is_err() {
                self.forget_root(target, statement.line);
            }
        }
    }

    fn forget_root(&mut self, target: &Node, line: u32) {
        let mut at = target;
        while let Kind::Member(base, _) | Kind::Index(base, _) = &at.kind {
            at = base;
        }
        if let Kind::Name(name) = &at.kind
            && matches!(self.scope.names.get(name), Some(Val::Object(_) | Val::Array(_)))
        {
            self.scope.names.insert(name.clone(), Val::Unknown(line));
        }
    }
}

fn is_export(target: &Node) -> bool {
    match &target.kind {
        Kind::Member(base, name) => {
            (base.is_name("module") && &**name == "exports") || (base.is_name("exports") && &**name == "default")
        }
        _ => false,
    }
}
