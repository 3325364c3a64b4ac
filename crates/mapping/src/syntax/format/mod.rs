//! Canonical text. Owns line breaks, indentation and the columns of `=`; keeps every comment and every token that
//! means something, so that the meaning cannot change. What stands between quotes is left as it is.

mod document;
mod nodes;
#[cfg(test)]
mod tests;

use super::kind::{SyntaxElement, SyntaxKind as K, SyntaxNode};
use super::{Parsed, parse};
use crate::diagnostic::{Diagnostic, Severity};
use crate::limits::FILE_BYTES_MAX;
use crate::span::FileId;
use document::Doc;

/// Targets longer than this do not push the `=` of their neighbours.
const ALIGNED_MAX: usize = 32;

/// `text` in its canonical form; formatting that again changes nothing.
///
/// # Errors
/// What [`parse`] has to say, if that includes an error: a text that is not understood is not touched. M015 if the
/// result would be over the size limit.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let Parsed { tree, diagnostics, .. } = parse(text, FileId(0));
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let lines = lines(&tree);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for (line, column) in lines.iter().zip(columns(&lines)) {
        if line.blank_before && !out.is_empty() {
            out.push('\n');
        }
        if let Some(node) = &line.item {
            let doc = nodes::item(node, column);
            let mut written = String::new();
            document::write(&doc, &mut written);
            out.push_str(&written);
        }
        if let Some(comment) = &line.comment {
            out.push_str(if line.item.is_some() { "  " } else { "" });
            out.push_str(comment);
        }
        out.push('\n');
    }
    if out.len() > FILE_BYTES_MAX {
        return Err(vec![super::too_large("the formatted file", out.len(), FileId(0))]);
    }
    Ok(out)
}

/// An item, a comment, or an item with a comment behind it.
#[derive(Default)]
struct Line {
    blank_before: bool,
    item: Option<SyntaxNode>,
    comment: Option<String>,
    /// Width of what stands before `=`, for items in columns.
    target: Option<usize>,
}

fn lines(tree: &SyntaxNode) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut breaks = 2;
    for element in tree.children_with_tokens() {
        match element {
            SyntaxElement::Node(node) => {
                let target = nodes::width_before_equals(&node);
                lines.push(Line { blank_before: breaks > 1, item: Some(node), comment: None, target });
                breaks = 0;
            }
            SyntaxElement::Token(token) if token.kind() == K::Newline => breaks += 1,
            SyntaxElement::Token(token) if token.kind() == K::Comment => {
                let text = token.text().trim_end().to_owned();
                match lines.last_mut() {
                    Some(line) if breaks == 0 && line.comment.is_none() => line.comment = Some(text),
                    _ => lines.push(Line { blank_before: breaks > 1, comment: Some(text), ..Line::default() }),
                }
                breaks = 0;
            }
            SyntaxElement::Token(_) => {}
        }
    }
    lines
}

/// For each line where its `=` goes: behind the longest target of its block, not counting outliers. An empty line, a
/// comment line or an item of another kind ends a block.
fn columns(lines: &[Line]) -> Vec<Option<usize>> {
    let kind = |line: &Line| line.item.as_ref().filter(|_| line.target.is_some()).map(SyntaxNode::kind);
    let mut columns = Vec::with_capacity(lines.len());
    for block in lines.chunk_by(|line, next| kind(line).is_some() && kind(line) == kind(next) && !next.blank_before) {
        let widest = block.iter().filter_map(|line| line.target).filter(|width| *width <= ALIGNED_MAX).max();
        columns.extend(std::iter::repeat_n(widest, block.len()));
    }
    columns
}

/// A comment inside an item.
fn comment(token: &str, own_line: bool) -> Doc {
    Doc::Comment { text: token.trim_end().to_owned(), own_line }
}
