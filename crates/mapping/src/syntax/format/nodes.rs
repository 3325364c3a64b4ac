//! How each kind of node is laid out.

use super::comment;
use super::document::{Doc, LINE, broken, group, text};
use crate::syntax::kind::{SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

/// After a line break inside brackets, and before an operator that goes on with the line above.
const STEP: usize = 2;
const CONTINUATION: usize = 4;

/// An item whose `=` goes to `column`.
pub fn item(node: &SyntaxNode, column: Option<usize>) -> Doc {
    match node.kind() {
        K::Rule | K::Prefix | K::Const | K::Let => assignment(node, column),
        K::Gate => clauses(node, &["because"], CONTINUATION),
        _ => doc(node),
    }
}

/// How wide what stands before the `=` of a rule or prefix is.
pub fn width_before_equals(node: &SyntaxNode) -> Option<usize> {
    if !matches!(node.kind(), K::Rule | K::Prefix) {
        return None;
    }
    let head = node.children_with_tokens().take_while(|element| element.kind() != K::Equal);
    let mut width = 0;
    for part in head.filter(|element| !matches!(element.kind(), K::Whitespace | K::Newline)) {
        let part = match part {
            SyntaxElement::Token(token) if token.kind() == K::Comment => return None,
            SyntaxElement::Token(token) => token.text().to_owned(),
            SyntaxElement::Node(node) => plain(&node)?,
        };
        width += part.chars().count() + 1;
    }
    width.checked_sub(1)
}

/// The text of a node without spaces; `None` if comments stand in it.
fn plain(node: &SyntaxNode) -> Option<String> {
    let mut plain = String::new();
    for token in node.descendants_with_tokens().filter_map(SyntaxElement::into_token) {
        match token.kind() {
            K::Comment => return None,
            K::Whitespace | K::Newline if !in_string(&token) => {}
            _ => plain.push_str(token.text()),
        }
    }
    Some(plain)
}

fn in_string(token: &SyntaxToken) -> bool {
    token.parent_ancestors().any(|node| node.kind() == K::String)
}

fn doc(node: &SyntaxNode) -> Doc {
    match node.kind() {
        K::String => text(node.text().to_string()),
        K::Target | K::HeaderName | K::SourceName | K::Field | K::MethodCall | K::Call | K::Index | K::All => glued(node),
        K::Negative | K::Stored | K::Pattern => glued(node),
        K::List | K::Arguments => bracketed(node, false, false),
        K::Record | K::Attrs | K::Table | K::Match => bracketed(node, true, false),
        K::Test => bracketed(node, true, true),
        K::Comprehension => comprehension(node),
        K::Paren => paren(node),
        K::Binary => chain(node, CONTINUATION),
        K::If => clauses(node, &["then", "else"], CONTINUATION),
        K::With | K::Default => modifiers(node),
        K::TableCsv => table_columns(node),
        _ => spaced(node),
    }
}

/// `child` in `parent`: the value of a rule is further in already.
fn child_doc(child: &SyntaxNode, parent: &SyntaxNode) -> Doc {
    let assigned = matches!(parent.kind(), K::Rule | K::Let | K::Const);
    match child.kind() {
        K::Binary if assigned => chain(child, 0),
        K::If if assigned => clauses(child, &["then", "else"], 0),
        // `$p:x .name` without the space would be one longer attribute name.
        K::SourceName if matches!(parent.kind(), K::Field | K::MethodCall) && has_prefix(child) => {
            Doc::Indent(0, vec![doc(child), text(" ")])
        }
        _ => doc(child),
    }
}

fn has_prefix(source: &SyntaxNode) -> bool {
    source.first_token().is_some_and(|token| token.kind() == K::Source && token.text().contains(':'))
}

/// The parts of a node in their order, comments among them.
enum Piece {
    Doc(Doc, K),
    Comment(Doc),
}

/// `blank`: empty lines stood before it.
struct Part {
    piece: Piece,
    blank: bool,
}

fn parts(node: &SyntaxNode) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut breaks = 0;
    for element in node.children_with_tokens() {
        let kind = element.kind();
        let piece = match element {
            SyntaxElement::Node(child) => Piece::Doc(child_doc(&child, node), kind),
            SyntaxElement::Token(token) => match kind {
                K::Whitespace => continue,
                K::Newline => {
                    breaks += 1;
                    continue;
                }
                K::Comment => Piece::Comment(comment(token.text(), breaks > 0)),
                _ => Piece::Doc(text(token.text()), kind),
            },
        };
        parts.push(Part { piece, blank: breaks > 1 });
        breaks = 0;
    }
    parts
}

fn glued(node: &SyntaxNode) -> Doc {
    let docs = parts(node).into_iter().map(|part| match part.piece {
        Piece::Doc(doc, _) | Piece::Comment(doc) => doc,
    });
    Doc::Indent(0, docs.collect())
}

/// A space between all parts, except before `:` and `,`.
fn spaced(node: &SyntaxNode) -> Doc {
    let mut docs = Vec::new();
    let mut first = true;
    for part in parts(node) {
        match part.piece {
            Piece::Comment(comment) => docs.push(comment),
            Piece::Doc(doc, kind) => {
                if !first && !matches!(kind, K::Colon | K::Comma) {
                    docs.push(text(" "));
                }
                docs.push(doc);
                first = false;
            }
        }
    }
    Doc::Indent(0, docs)
}

/// `target = value when … with …`
fn assignment(node: &SyntaxNode, column: Option<usize>) -> Doc {
    let padding = match (column, width_before_equals(node)) {
        (Some(column), Some(width)) => column.saturating_sub(width),
        _ => 0,
    };
    let mut head = Vec::new();
    let mut tail = Vec::new();
    let mut after_equals = false;
    for part in parts(node) {
        match part.piece {
            Piece::Comment(comment) if after_equals => tail.push(comment),
            Piece::Comment(comment) => head.push(comment),
            Piece::Doc(_, K::Equal) => {
                after_equals = true;
                head.push(text(format!("{}=", " ".repeat(padding))));
            }
            Piece::Doc(doc, K::When | K::With) => tail.extend([LINE, doc]),
            Piece::Doc(doc, K::Binary | K::If) if after_equals => tail.extend([text(" "), doc]),
            // A bracket closes under the start of its rule.
            Piece::Doc(doc, _) if after_equals && tail.is_empty() => head.extend([text(" "), doc]),
            Piece::Doc(doc, _) if after_equals => tail.extend([text(" "), doc]),
            Piece::Doc(doc, _) => head.extend([doc, text(" ")]),
        }
    }
    head.push(Doc::Indent(CONTINUATION, tail));
    group(head)
}

/// Words, with a line break allowed before each of `breakers`.
fn clauses(node: &SyntaxNode, breakers: &[&str], indent: usize) -> Doc {
    let mut docs = Vec::new();
    let mut first = true;
    for part in parts(node) {
        match part.piece {
            Piece::Comment(comment) => docs.push(comment),
            Piece::Doc(doc, kind) => {
                let breaks = kind == K::Name && matches!(&doc, Doc::Text(word) if breakers.contains(&word.as_str()));
                if breaks {
                    docs.push(LINE);
                } else if !first {
                    docs.push(text(" "));
                }
                docs.push(doc);
                first = false;
            }
        }
    }
    group(vec![Doc::Indent(indent, docs)])
}

/// `a ?? b ?? c` as one sequence, broken before each operator or nowhere.
fn chain(node: &SyntaxNode, indent: usize) -> Doc {
    let mut links: Vec<SyntaxNode> = vec![node.clone()];
    let kind = operator(node);
    while let Some(left) = links.last().and_then(|link| link.children().next())
        && left.kind() == K::Binary
        && operator(&left) == kind
    {
        links.push(left);
    }
    let mut docs = Vec::new();
    let mut tail = Vec::new();
    for (depth, link) in links.iter().rev().enumerate() {
        let mut seen_left = false;
        for part in parts_of_link(link, depth > 0) {
            match part.piece {
                Piece::Comment(comment) => tail.push(comment),
                Piece::Doc(_, K::Binary) if depth > 0 && !seen_left => seen_left = true,
                Piece::Doc(doc, _) if !seen_left => {
                    seen_left = true;
                    docs.push(doc);
                }
                Piece::Doc(doc, kind) if kind.is_expression() => tail.push(doc),
                Piece::Doc(doc, _) => tail.extend([LINE, doc, text(" ")]),
            }
        }
    }
    docs.push(Doc::Indent(indent, tail));
    group(docs)
}

/// Like `parts`; the left operand, already written as a link of its own, is not laid out twice.
fn parts_of_link(link: &SyntaxNode, skip_left: bool) -> Vec<Part> {
    if !skip_left {
        return parts(link);
    }
    let mut parts = Vec::new();
    let mut breaks = 0;
    let mut first = true;
    for element in link.children_with_tokens() {
        let kind = element.kind();
        let piece = match element {
            SyntaxElement::Node(_) if first => Piece::Doc(text(""), K::Binary),
            SyntaxElement::Node(node) => Piece::Doc(doc(&node), kind),
            SyntaxElement::Token(token) if kind == K::Comment => Piece::Comment(comment(token.text(), breaks > 0)),
            SyntaxElement::Token(token) if !kind.is_trivia() => Piece::Doc(text(token.text()), kind),
            SyntaxElement::Token(_) => {
                breaks += usize::from(kind == K::Newline);
                continue;
            }
        };
        first = false;
        breaks = 0;
        parts.push(Part { piece, blank: false });
    }
    parts
}

fn operator(node: &SyntaxNode) -> Option<String> {
    let token = node.children_with_tokens().filter_map(SyntaxElement::into_token).find(|token| !token.kind().is_trivia());
    token.map(|token| token.text().to_owned())
}

fn paren(node: &SyntaxNode) -> Doc {
    let mut inner = vec![Doc::SoftLine];
    for part in parts(node) {
        match part.piece {
            Piece::Doc(_, K::LeftParen | K::RightParen) => {}
            Piece::Doc(doc, _) | Piece::Comment(doc) => inner.push(doc),
        }
    }
    group(vec![text("("), Doc::Indent(STEP, inner), Doc::SoftLine, text(")")])
}

fn comprehension(node: &SyntaxNode) -> Doc {
    let mut inner = Vec::new();
    let mut last = K::LeftBracket;
    for part in parts(node) {
        match part.piece {
            Piece::Doc(_, K::LeftBracket | K::RightBracket) => {}
            Piece::Comment(comment) => inner.push(comment),
            Piece::Doc(doc, kind) => {
                let breaks = last == K::LeftBracket
                    || kind == K::Name && matches!(&doc, Doc::Text(word) if matches!(word.as_str(), "for" | "if"));
                // The name behind `for` may itself be `if`.
                inner.push(if breaks && last != K::Name { LINE } else { text(" ") });
                inner.push(doc);
                last = kind;
            }
        }
    }
    group(vec![text("["), Doc::Indent(STEP, inner), LINE, text("]")])
}

fn modifiers(node: &SyntaxNode) -> Doc {
    let mut docs = Vec::new();
    let mut first = true;
    for part in parts(node) {
        match part.piece {
            Piece::Comment(comment) => docs.push(comment),
            Piece::Doc(doc, K::Comma) => docs.extend([doc, LINE]),
            Piece::Doc(doc, K::Modifier) if first => {
                docs.extend([text(" "), doc]);
                first = false;
            }
            Piece::Doc(doc, _) => docs.push(doc),
        }
    }
    group(vec![Doc::Indent(CONTINUATION, docs)])
}

/// `from "x.csv" (key, value)`
fn table_columns(node: &SyntaxNode) -> Doc {
    let mut docs = Vec::new();
    let mut last = K::LeftParen;
    for part in parts(node) {
        match part.piece {
            Piece::Comment(comment) => docs.push(comment),
            Piece::Doc(doc, kind) => {
                if last != K::LeftParen && !matches!(kind, K::Comma | K::RightParen) {
                    docs.push(text(" "));
                }
                docs.push(doc);
                last = kind;
            }
        }
    }
    Doc::Indent(0, docs)
}

/// What stands between brackets, separated by commas.
#[derive(Default)]
struct Entry {
    blank: bool,
    before: Vec<Doc>,
    doc: Option<Doc>,
    after: Vec<Doc>,
}

/// `head { entry, entry }`: on one line, or one entry per line. `padded`: with spaces inside the brackets.
fn bracketed(node: &SyntaxNode, padded: bool, always_broken: bool) -> Doc {
    let mut head: Vec<Doc> = Vec::new();
    let (mut open, mut close) = (None, None);
    let mut entries: Vec<Entry> = Vec::new();
    let mut next = Entry::default();
    let mut tail: Vec<Doc> = Vec::new();
    for part in parts(node) {
        let is_open = open.is_some();
        match part.piece {
            Piece::Doc(bracket, K::LeftBrace | K::LeftBracket | K::LeftParen) if !is_open => open = Some(bracket),
            Piece::Doc(bracket, K::RightBrace | K::RightBracket | K::RightParen) => close = Some(bracket),
            Piece::Doc(_, K::Comma) => {}
            Piece::Doc(doc, _) if !is_open => head.extend([doc, text(" ")]),
            Piece::Comment(comment) if !is_open => head.push(comment),
            Piece::Doc(doc, _) => {
                next.blank |= part.blank;
                next.doc = Some(doc);
                entries.push(std::mem::take(&mut next));
            }
            Piece::Comment(comment) => match entries.last_mut() {
                Some(entry) if matches!(comment, Doc::Comment { own_line: false, .. }) && next.before.is_empty() => {
                    entry.after.push(comment);
                }
                _ => {
                    next.blank |= part.blank && next.before.is_empty();
                    next.before.push(comment);
                }
            },
        }
    }
    // `table … from "x.csv" (…) else …`
    let Some(open) = open else {
        head.pop();
        return Doc::Indent(0, head);
    };
    tail.extend(next.before);
    let gap = || match (padded, hugs_its_only_entry(node)) {
        (_, true) => text(""),
        (true, _) => LINE,
        _ => Doc::SoftLine,
    };
    let step = if hugs_its_only_entry(node) { 0 } else { STEP };
    let mut docs = head;
    docs.push(open);
    if !entries.is_empty() || !tail.is_empty() {
        docs.push(Doc::Indent(step, inside(entries, tail, gap(), node.kind() != K::Test)));
        docs.push(gap());
    }
    docs.extend(close);
    if always_broken { broken(docs) } else { group(docs) }
}

/// `unique([ … ])`, `[{ … }]`: the inner brackets break, not both.
fn hugs_its_only_entry(node: &SyntaxNode) -> bool {
    let comments = || node.children_with_tokens().any(|element| element.kind() == K::Comment);
    let mut entries = node.children();
    let (Some(entry), None) = (entries.next(), entries.next()) else { return false };
    let bracketed = |node: &SyntaxNode| matches!(node.kind(), K::List | K::Record | K::Comprehension);
    match node.kind() {
        K::List => bracketed(&entry) && !comments(),
        K::Arguments => {
            let whole = |value: SyntaxNode| bracketed(&value) && value.text_range() == entry.text_range();
            entry.children().any(whole) && !comments()
        }
        _ => false,
    }
}

fn inside(entries: Vec<Entry>, tail: Vec<Doc>, gap: Doc, commas: bool) -> Vec<Doc> {
    let mut docs = Vec::new();
    let last = entries.len().saturating_sub(1);
    for (index, entry) in entries.into_iter().enumerate() {
        docs.push(if index == 0 { gap.clone() } else { Doc::Line { blank: entry.blank } });
        for comment in entry.before {
            docs.extend([comment, Doc::SoftLine]);
        }
        docs.extend(entry.doc);
        if commas && index < last {
            docs.push(text(","));
        }
        docs.extend(entry.after);
    }
    docs.extend(tail);
    docs
}
