//! What a helper function gives: declarations, `if (…) return …`, `return …`. One that does more is not followed.

use super::Scope;
use crate::import::javascript::tree::{Function, Statement, StatementKind};
use crate::import::javascript::value::{Made, Val, why};

/// Helper functions inside one another.
const CALLS_MAX: usize = 12;

impl Scope<'_> {
    /// A helper function with these arguments: declarations, `if (…) return …`, `return …`.
    pub fn apply(&mut self, function: &Function, arguments: &[Val]) -> Made<Val> {
        if self.calls >= CALLS_MAX {
            return why("functions that call one another without end");
        }
        self.calls += 1;
        let before = self.names.clone();
        for (at, name) in function.parameters.iter().enumerate() {
            self.names.insert(name.clone(), arguments.get(at).cloned().unwrap_or(Val::Nothing));
        }
        let result = self.body(&function.body);
        self.names = before;
        self.calls -= 1;
        result
    }

    fn body(&mut self, statements: &[Statement]) -> Made<Val> {
        let Some((first, rest)) = statements.split_first() else { return Ok(Val::Nothing) };
        match &first.kind {
            StatementKind::Return(None) => Ok(Val::Nothing),
            StatementKind::Return(Some(node)) => self.value(node),
            StatementKind::Block(inner) if rest.is_empty() => self.body(inner),
            StatementKind::Empty => self.body(rest),
            StatementKind::Declare(declared) => {
                for (name, node) in declared {
                    let value = node.as_ref().map_or(Ok(Val::Nothing), |node| self.value(node))?;
                    self.names.insert(name.clone(), value);
                }
                self.body(rest)
            }
            StatementKind::If(condition, then, other) => {
                if !returns(then) || !(other.is_empty() || returns(other)) {
                    return why("a function that does more than choose what it returns");
                }
                let condition = self.condition(condition)?;
                let then = self.body(then)?;
                let other = if other.is_empty() { self.body(rest)? } else { self.body(other)? };
                self.choose(&condition, then, other)
            }
            StatementKind::Throw(_) => why("a function that may throw"),
            StatementKind::Expr(_) | StatementKind::Function(..) | StatementKind::Block(_) | StatementKind::Other(..) => {
                why("a function that does more than choose what it returns")
            }
        }
    }
}

fn returns(statements: &[Statement]) -> bool {
    statements.last().is_some_and(|last| match &last.kind {
        StatementKind::Return(_) => true,
        StatementKind::Block(inner) => returns(inner),
        StatementKind::If(_, then, other) => returns(then) && returns(other),
        _ => false,
    })
}
