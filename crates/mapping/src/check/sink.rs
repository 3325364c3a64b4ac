//! Where diagnostics gather while compiling. Owns the bound on their number and the rule "one mistake, one error":
//! the same code at the same place is said once, and after a syntax error nothing is said that may only be its echo.

use crate::diagnostic::codes::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::limits::DIAGNOSTICS_MAX;
use crate::span::Span;
use std::collections::HashSet;

#[derive(Debug, Default)]
pub struct Sink {
    found: Vec<Diagnostic>,
    said: HashSet<(Code, Span)>,
    pub errors: usize,
    /// Beyond [`DIAGNOSTICS_MAX`].
    pub uncounted: usize,
    /// Whether some text could not be read as written: names it defines may be missing.
    torn: bool,
}

impl Sink {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.torn && echoes(diagnostic.code) {
            return;
        }
        if !self.said.insert((diagnostic.code, diagnostic.span)) {
            return;
        }
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(diagnostic);
        } else {
            self.uncounted += 1;
        }
    }

    /// Takes what the parser said of one file.
    pub fn syntax(&mut self, diagnostics: Vec<Diagnostic>, omitted: usize) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
        self.uncounted += omitted;
        self.torn |= self.errors > 0;
    }

    /// In the order of the text.
    pub fn finish(mut self) -> (Vec<Diagnostic>, usize) {
        // Where something is wrong, what is merely unwise may only be its echo.
        let errors: Vec<Span> = self.found.iter().filter(|one| one.severity == Severity::Error).map(|one| one.span).collect();
        let meets = |one: Span, other: Span| one.file == other.file && one.start < other.end && other.start < one.end;
        self.found.retain(|one| one.severity == Severity::Error || !errors.iter().any(|error| meets(one.span, *error)));
        self.found.sort_by_key(|one| (one.span.file, one.span.start, one.code));
        (self.found, self.uncounted)
    }
}

/// What may be said only because a definition was lost to a syntax error.
fn echoes(code: Code) -> bool {
    code.severity() == Severity::Warning
        || matches!(code, Code::M002 | Code::M003 | Code::M008 | Code::M016 | Code::M018 | Code::M022 | Code::M023)
}
