//! How a diagnostic looks: in a terminal (rustc's look) and as JSON. Owns lines and columns, which count characters
//! from 1; the diagnostic itself knows only bytes.

use super::{Diagnostic, Severity};
use crate::span::Span;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// A file that spans point into; its index in the list is the span's [`FileId`](crate::span::FileId).
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// One diagnostic for programs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report<'a> {
    pub code: &'static str,
    pub severity: Severity,
    pub file: &'a str,
    #[serde(flatten)]
    pub place: Place,
    pub message: &'a str,
    pub label: &'a str,
    pub help: Option<&'a str>,
    pub fix: Option<Replacement<'a>>,
}

/// Lines and columns from 1, columns in characters; the end is the first character that does not belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Replacement<'a> {
    #[serde(flatten)]
    pub place: Place,
    pub replacement: &'a str,
}

/// The diagnostics as a terminal shows them, an empty line between two.
pub fn terminal(diagnostics: &[Diagnostic], files: &[Source<'_>], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&one(diagnostic, files, &renderer));
        out.push('\n');
    }
    out
}

/// The diagnostics as values to serialise.
pub fn reports<'a>(diagnostics: &'a [Diagnostic], files: &[Source<'a>]) -> Vec<Report<'a>> {
    diagnostics
        .iter()
        .map(|diagnostic| {
            let source = file(files, diagnostic.span);
            Report {
                code: diagnostic.code.as_str(),
                severity: diagnostic.severity,
                file: source.name,
                place: place(source.text, diagnostic.span),
                message: &diagnostic.message,
                label: &diagnostic.label,
                help: diagnostic.help.as_deref(),
                fix: diagnostic
                    .fix
                    .as_ref()
                    .map(|fix| Replacement { place: place(file(files, fix.span).text, fix.span), replacement: &fix.replacement }),
            }
        })
        .collect()
}

fn one(diagnostic: &Diagnostic, files: &[Source<'_>], renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(&*diagnostic.message).id(diagnostic.code.as_str()).elements(
        snippets(diagnostic, files).into_iter().map(|(source, line, text, marks)| {
            Snippet::source(text).path(source.name).line_start(line).annotations(marks.into_iter().map(|mark| {
                let label = (!mark.label.is_empty()).then_some(mark.label);
                mark.kind.span(mark.range).label(label)
            }))
        }),
    );
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
    }
    renderer.render(&[group])
}

struct Mark<'a> {
    kind: AnnotationKind,
    range: Range<usize>,
    label: &'a str,
}

/// Of each file with a mark: the first line shown, its number, and the marks relative to it.
fn snippets<'a>(diagnostic: &'a Diagnostic, files: &[Source<'a>]) -> Vec<(Source<'a>, usize, &'a str, Vec<Mark<'a>>)> {
    let mut spans = vec![(AnnotationKind::Primary, diagnostic.span, &*diagnostic.label)];
    spans.extend(diagnostic.secondary.iter().map(|(span, label)| (AnnotationKind::Context, *span, &**label)));
    let mut ids: Vec<_> = spans.iter().map(|(_, span, _)| span.file).collect();
    ids.dedup();
    let mut done = Vec::new();
    let mut snippets = Vec::new();
    for id in ids {
        if done.contains(&id) {
            continue;
        }
        done.push(id);
        let here = spans.iter().filter(|(_, span, _)| span.file == id);
        let source = file(files, Span::new(id, 0, 0));
        let ranges: Vec<_> = here.clone().map(|(_, span, _)| clamped(source.text, *span)).collect();
        let first = ranges.iter().map(|range| range.start).min().unwrap_or(0);
        let last = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        let from = source.text[..first].rfind('\n').map_or(0, |at| at + 1);
        let to = source.text[last..].find('\n').map_or(source.text.len(), |at| last + at);
        let line = 1 + memchr::memchr_iter(b'\n', &source.text.as_bytes()[..from]).count();
        let marks = here.zip(ranges).map(|((kind, _, label), range)| Mark {
            kind: *kind,
            range: range.start - from..range.end - from,
            label,
        });
        snippets.push((source, line, &source.text[from..to], marks.collect()));
    }
    snippets
}

fn file<'a>(files: &[Source<'a>], span: Span) -> Source<'a> {
    files.get(usize::from(span.file.0)).copied().unwrap_or(Source { name: "?", text: "" })
}

/// The span as a range that lies in `text`, on character boundaries.
fn clamped(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start as usize);
    let end = text.floor_char_boundary(span.end as usize);
    start..end.max(start)
}

fn place(text: &str, span: Span) -> Place {
    let range = clamped(text, span);
    let (line, column) = position(text, range.start);
    let (end_line, end_column) = position(text, range.end);
    Place { line, column, end_line, end_column }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (1 + memchr::memchr_iter(b'\n', before.as_bytes()).count(), 1 + before[line_start..].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes::Code;
    use crate::span::FileId;

    const FILES: [Source<'_>; 2] = [
        Source { name: "m.mapping", text: "mapping m from ldap to profile\nname = $cn\n" },
        Source { name: "std/ad", text: "# ß\nname = $displayName\n" },
    ];

    #[test]
    fn a_second_place_in_another_file_is_shown_there() {
        let diagnostic = Diagnostic::new(Code::M020, Span::new(FileId(0), 31, 35), "`name` replaces an inherited rule")
            .label("without `override`")
            .also(Span::new(FileId(1), 5, 9), "inherited from here")
            .help("write `override name = …`");
        assert_eq!(
            terminal(&[diagnostic], &FILES, false),
            "error[M020]: `name` replaces an inherited rule\n\
             \x20--> m.mapping:2:1\n\
             \x20 |\n\
             2 | name = $cn\n\
             \x20 | ^^^^ without `override`\n\
             \x20 |\n\
             \x20::: std/ad:2:1\n\
             \x20 |\n\
             2 | name = $displayName\n\
             \x20 | ---- inherited from here\n\
             \x20 |\n\
             \x20 = help: write `override name = …`\n"
        );
    }

    #[test]
    fn a_lint_is_a_warning() {
        let diagnostic = Diagnostic::new(Code::L01, Span::new(FileId(0), 31, 35), "never used").help("remove it");
        assert!(terminal(&[diagnostic], &FILES, false).starts_with("warning[L01]: never used\n"));
    }

    #[test]
    fn places_beyond_the_text_inside_a_character_or_in_no_file_do_no_harm() {
        for span in [Span::new(FileId(0), 900, 1), Span::new(FileId(1), 3, 3), Span::new(FileId(7), 1, 2)] {
            let diagnostics = [Diagnostic::new(Code::M001, span, "odd").fix(span, "x")];
            assert!(terminal(&diagnostics, &FILES, false).starts_with("error[M001]: odd\n"));
            assert_eq!(reports(&diagnostics, &FILES).len(), 1);
        }
    }
}
