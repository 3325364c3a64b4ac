//! What names mean. Owns lets, consts, tables and prefixes per file: a file sees its own names, then those of what it
//! includes; an included file never sees the names of its user. One name stands for one thing in a file (M009).

use super::include::Loaded;
use super::sink::Sink;
use crate::ast::{self, Expr, Item};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::{FileId, Name, Span};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug)]
pub enum Binding<'a> {
    /// Index into [`Scope::lets`].
    Let(usize),
    Const(&'a Expr, FileId),
    /// Index into [`Scope::tables`].
    Table(usize),
}

#[derive(Debug, Default)]
struct Names<'a> {
    bound: HashMap<&'a str, (Span, Binding<'a>)>,
    prefixes: HashMap<&'a str, (Span, &'a str)>,
    uses: Vec<FileId>,
    /// The file itself, then what it includes, last `use` first; each once.
    visible: Vec<FileId>,
}

#[derive(Debug, Default)]
pub struct Scope<'a> {
    files: Vec<Names<'a>>,
    pub lets: Vec<(&'a Name, &'a Expr, FileId)>,
    pub tables: Vec<(&'a ast::Table, FileId)>,
}

impl<'a> Scope<'a> {
    pub fn collect(files: &'a [Loaded], sink: &mut Sink) -> Self {
        let mut scope = Self::default();
        for (number, file) in files.iter().enumerate() {
            let id = FileId(u16::try_from(number).unwrap_or(u16::MAX));
            let names = scope.file(file, id, sink);
            scope.files.push(names);
        }
        for number in 0..files.len() {
            let mut visible = Vec::new();
            scope.reach(FileId(u16::try_from(number).unwrap_or(u16::MAX)), &mut visible);
            scope.files[number].visible = visible;
        }
        scope
    }

    fn file(&mut self, file: &'a Loaded, id: FileId, sink: &mut Sink) -> Names<'a> {
        let mut names = Names { uses: file.uses.iter().flatten().copied().collect(), ..Names::default() };
        for item in &file.ast.items {
            let (name, binding) = match item {
                Item::Let { constant: true, name, value, .. } => (name, Binding::Const(value, id)),
                Item::Let { name, value, .. } => {
                    self.lets.push((name, value, id));
                    (name, Binding::Let(self.lets.len() - 1))
                }
                Item::Table(table) => {
                    self.tables.push((table, id));
                    (&table.name, Binding::Table(self.tables.len() - 1))
                }
                Item::Prefix { name, value, .. } => {
                    if let Some((first, _)) = names.prefixes.insert(&name.value, (name.span, &value.value)) {
                        sink.push(twice("prefix", name, first));
                    }
                    continue;
                }
                _ => continue,
            };
            if let Some(&(first, _)) = names.bound.get(&*name.value) {
                sink.push(twice("name", name, first));
            } else {
                names.bound.insert(&name.value, (name.span, binding));
            }
        }
        names
    }

    fn reach(&self, file: FileId, into: &mut Vec<FileId>) {
        if into.contains(&file) {
            return;
        }
        into.push(file);
        for &used in self.files[usize::from(file.0)].uses.iter().rev() {
            self.reach(used, into);
        }
    }

    fn visible(&self, file: FileId) -> impl Iterator<Item = &Names<'a>> {
        let visible = self.files.get(usize::from(file.0)).map_or(&[][..], |names| &names.visible);
        visible.iter().map(|id| &self.files[usize::from(id.0)])
    }

    pub fn find(&self, file: FileId, name: &str) -> Option<Binding<'a>> {
        self.visible(file).find_map(|names| names.bound.get(name).map(|(_, binding)| *binding))
    }

    pub fn prefix(&self, file: FileId, name: &str) -> Option<&'a str> {
        self.visible(file).find_map(|names| names.prefixes.get(name).map(|(_, text)| *text))
    }

    /// Everything a bare name could mean in `file`, sorted: maps have no order, messages have one.
    pub fn names(&self, file: FileId) -> Vec<&'a str> {
        let mut all: Vec<_> = self.visible(file).flat_map(|names| names.bound.keys().copied()).collect();
        all.sort_unstable();
        all
    }

    pub fn prefixes(&self, file: FileId) -> Vec<&'a str> {
        let mut all: Vec<_> = self.visible(file).flat_map(|names| names.prefixes.keys().copied()).collect();
        all.sort_unstable();
        all
    }
}

fn twice(what: &str, name: &Name, first: Span) -> Diagnostic {
    Diagnostic::new(Code::M009, name.span, format!("the {what} `{}` is defined twice", name.value))
        .also(first, "first here")
        .help("rename one of them")
}
