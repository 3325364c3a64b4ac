//! The written form of the language: text to a lossless tree, tree to [`ast`](crate::ast), text to canonical text.
//!
//! ```text
//!  text ──token──► tokens ──parse──► tree (text of the tree = text) ──lower──► ast
//!                                     └──format──► canonical text
//! ```
//!
//! Total: every text gives a tree, at most one complaint per item about its shape, and no panic. Refuses to know
//! names, types and functions: those belong to the checker.

mod format;
pub mod kind;
mod lower;
mod parse;
mod token;

use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::{DIAGNOSTICS_MAX, FILE_BYTES_MAX};
use crate::span::{FileId, Span};
use kind::SyntaxNode;

pub use format::format;

/// What [`parse`] gives: always a tree and a file, however little of the text could be read.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub tree: SyntaxNode,
    pub file: ast::File,
    /// In the order of the text; at most [`DIAGNOSTICS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were.
    pub omitted: usize,
}

/// The mapping `text` as tree and as `ast::File`, its spans marked with `file`.
///
/// A text over [`FILE_BYTES_MAX`] is not read: its tree is one token, its file empty, and M015 says so.
pub fn parse(text: &str, file: FileId) -> Parsed {
    if text.len() > FILE_BYTES_MAX {
        return oversized(text, file);
    }
    let tokens = token::tokens(text);
    let (green, mut log) = parse::tree(text, &tokens, file);
    let tree = SyntaxNode::new_root(green);
    let file = lower::file(&tree, file, &mut log);
    log.found.sort_by_key(|diagnostic| diagnostic.span.start);
    Parsed { tree, file, diagnostics: log.found, omitted: log.omitted }
}

/// The text of a mapping file.
///
/// # Errors
/// M001 with the offset of the first byte that is not UTF-8.
pub fn text_of(bytes: &[u8], file: FileId) -> Result<&str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        let byte = bytes.get(offset).copied().unwrap_or_default();
        Diagnostic::new(
            Code::M001,
            Span::new(file, at, at),
            format!("the file is not UTF-8: byte 0x{byte:02x} at offset {offset}"),
        )
        .help("save the file as UTF-8")
    })
}

fn oversized(text: &str, file: FileId) -> Parsed {
    let mut builder = rowan::GreenNodeBuilder::new();
    builder.start_node(kind::SyntaxKind::File.into());
    builder.token(kind::SyntaxKind::Oversized.into(), text);
    builder.finish_node();
    Parsed {
        tree: SyntaxNode::new_root(builder.finish()),
        file: ast::File { header: None, items: Vec::new() },
        diagnostics: vec![too_large("the file", text.len(), file)],
        omitted: 0,
    }
}

fn too_large(what: &str, bytes: usize, file: FileId) -> Diagnostic {
    let message = format!("{what} has {bytes} bytes, {FILE_BYTES_MAX} are allowed");
    Diagnostic::new(Code::M015, Span::new(file, 0, 0), message)
        .help("move large tables to CSV files (`table NAME from \"x.csv\" (key, value)`), shared rules to a file read by `use`")
}

/// The diagnostics so far, up to the limit.
#[derive(Debug, Default)]
struct Log {
    found: Vec<Diagnostic>,
    omitted: usize,
}

impl Log {
    /// The diagnostic is made only if there is room for it: some quote long stretches of text.
    fn push(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(diagnostic());
        } else {
            self.omitted += 1;
        }
    }
}

#[cfg(test)]
mod diagnostic_tests;
#[cfg(test)]
mod tests;
