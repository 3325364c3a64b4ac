//! Which texts a mapping consists of. Reads what `use` names, each file once, and refuses circles, depth, number and
//! size beyond the limits, and paths that leave the place mappings live in.

use super::Sources;
use super::sink::Sink;
use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::{INCLUDE_DEPTH_MAX, INCLUDES_MAX};
use crate::span::{FileId, Spanned};
use crate::syntax::{Parsed, parse};
use std::collections::HashMap;

/// One text, read.
#[derive(Debug)]
pub struct Loaded {
    pub name: Box<str>,
    pub text: Box<str>,
    pub ast: ast::File,
    /// What its `use` items gave, in their order; `None` = failed and reported.
    pub uses: Vec<Option<FileId>>,
}

struct Loader<'s> {
    sources: &'s dyn Sources,
    files: Vec<Option<Loaded>>,
    by_path: HashMap<String, FileId>,
    /// Files being read, outermost first.
    open: Vec<FileId>,
}

/// Reads `text` and everything it includes. The first file is the mapping itself.
pub fn load(name: &str, text: &str, sources: &dyn Sources, sink: &mut Sink) -> Vec<Loaded> {
    let mut loader = Loader { sources, files: Vec::new(), by_path: HashMap::new(), open: Vec::new() };
    loader.read(name, text, sink);
    loader.files.into_iter().flatten().collect()
}

impl Loader<'_> {
    fn read(&mut self, name: &str, text: &str, sink: &mut Sink) -> FileId {
        let id = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.files.push(None);
        self.open.push(id);
        // The parser refuses what is too large.
        let Parsed { file: ast, diagnostics, omitted, .. } = parse(text, id);
        sink.syntax(diagnostics, omitted);
        let uses = ast.items.iter().filter_map(|item| self.used(item, sink)).collect();
        self.open.pop();
        self.files[usize::from(id.0)] = Some(Loaded { name: name.into(), text: text.into(), ast, uses });
        id
    }

    /// `None` for an item that includes nothing.
    fn used(&mut self, item: &ast::Item, sink: &mut Sink) -> Option<Option<FileId>> {
        let ast::Item::Use { path, .. } = item else { return None };
        Some(match self.include(path, sink) {
            Ok(id) => Some(id),
            Err(diagnostic) => {
                sink.push(*diagnostic);
                None
            }
        })
    }

    fn include(&mut self, path: &Spanned<Box<str>>, sink: &mut Sink) -> Result<FileId, Box<Diagnostic>> {
        let name = &*path.value;
        inside(path)?;
        if let Some(&known) = self.by_path.get(name) {
            if self.open.contains(&known) {
                return Err(refuse(Code::M016, path, format!("`{name}` includes itself"), "remove one `use` of the circle"));
            }
            return Ok(known);
        }
        if self.open.len() > INCLUDE_DEPTH_MAX {
            let message = format!("`use` nested deeper than {INCLUDE_DEPTH_MAX}");
            return Err(refuse(Code::M015, path, message, "include the file further out"));
        }
        if self.files.len() > INCLUDES_MAX {
            let message = format!("more than {INCLUDES_MAX} included files");
            return Err(refuse(Code::M015, path, message, "join some of them"));
        }
        let text = self.sources.include(name).map_err(|reason| {
            let help = "a path is a file beside the mapping, or a preset: std/…";
            refuse(Code::M016, path, format!("`{name}` can't be read: {reason}"), help)
        })?;
        let next = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.by_path.insert(name.to_owned(), next);
        Ok(self.read(name, &text, sink))
    }
}

fn refuse(code: Code, path: &Spanned<Box<str>>, message: String, help: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(code, path.span, message).help(help))
}

/// Refuses a path that is absolute, leads upwards or is no plain name on some system.
pub fn inside(path: &Spanned<Box<str>>) -> Result<(), Box<Diagnostic>> {
    let name = &*path.value;
    let plain = !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if plain {
        return Ok(());
    }
    let message = format!("`{name}` is not a path below the mappings");
    Err(refuse(Code::M016, path, message, "write it relative to the mapping, with `/` and without `..`"))
}
