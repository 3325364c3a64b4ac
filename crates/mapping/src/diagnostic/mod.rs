//! What compiling a mapping has to say. Owns the plain [`Diagnostic`] value; [`codes`] is the registry of stable
//! numbers; rendering (terminal, JSON) lives beside them and is the only part that knows how one looks.

pub mod codes;
pub mod explanations;
pub mod render;

use crate::span::Span;
use codes::Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One message: where, what, why, and the way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// One line, names between backticks.
    pub message: String,
    pub span: Span,
    /// Said under the primary span; may be empty.
    pub label: String,
    pub secondary: Vec<(Span, String)>,
    /// The way out. Every error has one.
    pub help: Option<String>,
    pub fix: Option<Fix>,
}

/// A replacement an editor may apply unseen.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    pub span: Span,
    pub replacement: String,
}

impl Diagnostic {
    /// An error or a warning, as the code's first letter says (M: error, L: warning).
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            span,
            label: String::new(),
            secondary: Vec::new(),
            help: None,
            fix: None,
        }
    }

    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push((span, text.into()));
        self
    }

    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }
}
