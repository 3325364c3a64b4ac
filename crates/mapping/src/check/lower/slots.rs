//! Which attributes of an entry are read, and as what. Owns declarations (`attrs`), the slots and their numbers, and
//! the refusal of names nobody knows (M003).

use super::super::nearest::{nearest, suggestion};
use super::super::schema::{ENTERPRISE, Known, Schema};
use super::Checker;
use crate::ast::{Attribute, Item, SourceName};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{SlotId, SlotSpec};
use crate::span::{FileId, Span};
use crate::target::Kind;
use crate::types::Type;
use std::collections::HashMap;

/// A declaration: what it says, where, and whether anything reads it.
#[derive(Debug)]
struct Declared {
    known: Known,
    span: Span,
    used: bool,
}

#[derive(Debug, Default)]
pub struct Slots {
    declared: HashMap<Box<str>, Declared>,
    pub specs: Vec<SlotSpec>,
    by_name: HashMap<(Box<str>, bool), SlotId>,
}

/// A source attribute found: the slot that holds it, and the member of an extension (SCIM) that is meant.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the slot holds.
    pub known: Known,
    /// `department` of `$enterprise:department`, and its type if declared; the slot holds the extension's object.
    pub member: Option<(Box<str>, Option<Known>)>,
}

fn folded(schema: Schema, name: &str) -> Box<str> {
    if schema.kind.folds_case() { name.to_ascii_lowercase().into() } else { name.into() }
}

const TYPES: [&str; 13] =
    ["string", "bool", "int", "datetime", "binary", "guid", "sid", "filetime", "gentime", "dn", "json", "record", "list"];

fn type_of(word: &str) -> Option<Type> {
    Some(match word {
        "string" => Type::String,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "datetime" => Type::DateTime,
        "binary" => Type::Binary,
        "guid" => Type::Guid,
        "sid" => Type::Sid,
        "filetime" => Type::FileTime,
        "gentime" => Type::GenTime,
        "dn" => Type::Dn,
        "json" => Type::Json,
        "record" => Type::Record(None),
        _ => return None,
    })
}

impl Checker<'_> {
    /// Reads all `attrs`; a file's own word beats that of what it includes.
    pub fn declare(&mut self) {
        let files = self.files;
        // Included files have higher numbers than what includes them first.
        for (number, file) in files.iter().enumerate().rev() {
            let id = FileId(u16::try_from(number).unwrap_or(u16::MAX));
            for item in &file.ast.items {
                if let Item::Attrs { attributes, .. } = item {
                    for attribute in attributes {
                        self.declaration(attribute, id);
                    }
                }
            }
        }
    }

    fn declaration(&mut self, attribute: &Attribute, file: FileId) {
        let Some(name) = self.expanded(&attribute.name, file) else { return };
        let ty = type_of(&attribute.ty.value).unwrap_or_else(|| {
            let word = &attribute.ty.value;
            let help =
                suggestion(word, TYPES, "types are: string bool int datetime binary guid sid filetime gentime dn json record");
            self.sink.push(Diagnostic::new(Code::M002, attribute.ty.span, format!("unknown type `{word}`")).help(help));
            Type::Unknown
        });
        let key = folded(self.schema, &name);
        if let Some(first) = self.slots.declared.get(&key)
            && first.span.file == file
        {
            let message = format!("the attribute `{name}` is declared twice");
            self.sink.push(
                Diagnostic::new(Code::M009, attribute.span, message).also(first.span, "first here").help("keep one of them"),
            );
            return;
        }
        // As the schema spells it, pseudo-attributes included.
        let spelled = self.schema.find(&name).map_or_else(|| name.clone(), |known| known.name);
        let known = Known { name: spelled, ty, list: attribute.list, sensitive: attribute.sensitive };
        self.slots.declared.insert(key, Declared { known, span: attribute.span, used: false });
    }

    /// The name with its prefix written out; `None` = reported.
    pub fn expanded(&mut self, name: &SourceName, file: FileId) -> Option<Box<str>> {
        match name {
            SourceName::Plain(name) => Some(name.value.clone()),
            SourceName::Quoted(text) => Some(text.value.clone()),
            SourceName::Prefixed { prefix, rest } => {
                let own = self.scope.prefix(file, &prefix.value);
                let built_in = (self.schema.kind == Kind::Scim && &*prefix.value == "enterprise").then_some(ENTERPRISE);
                let Some(text) = own.or(built_in) else {
                    let known = self.scope.prefixes(file);
                    let otherwise = format!("define it: prefix {} = \"…\"", prefix.value);
                    let help = suggestion(&prefix.value, known, &otherwise);
                    let message = format!("unknown prefix `{}`", prefix.value);
                    self.sink.push(Diagnostic::new(Code::M002, prefix.span, message).help(help));
                    return None;
                };
                Some(format!("{text}{}", rest.value).into())
            }
        }
    }

    /// What `$name` reads; `None` = reported (M002, M003).
    pub fn find_source(&mut self, name: &SourceName, span: Span) -> Option<Found> {
        let text = self.expanded(name, self.file)?;
        if let Some(known) = self.declared(&text) {
            return Some(match self.extension(&text) {
                Some((urn, member)) => {
                    let whole = self.declared(urn).or_else(|| self.schema.find(urn));
                    let whole = whole.unwrap_or_else(|| Known::new(urn, Type::Record(None), false));
                    Found { known: whole, member: Some((member.into(), Some(known))) }
                }
                None => Found { known, member: None },
            });
        }
        if let Some(known) = self.schema.find(&text) {
            return Some(Found { known, member: None });
        }
        if let Some((urn, member)) = self.extension(&text)
            && let Some(known) = self.declared(urn).or_else(|| self.schema.find(urn))
        {
            return Some(Found { known, member: Some((member.into(), None)) });
        }
        if self.schema.closed() {
            self.unknown_source(&text, span);
            return None;
        }
        self.misspelt(&text, span);
        Some(Found { known: Known::new(&text, self.schema.open(), false), member: None })
    }

    fn declared(&mut self, name: &str) -> Option<Known> {
        let found = self.slots.declared.get_mut(&folded(self.schema, name))?;
        found.used = true;
        Some(found.known.clone())
    }

    /// A SCIM attribute written with its schema: the URN of the extension, and the member (RFC 7643 §3.3).
    fn extension<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let is_urn = self.schema.kind == Kind::Scim && name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"));
        let (urn, member) = name.rsplit_once(':').filter(|_| is_urn)?;
        // The URN of a schema itself ends in its name: …:2.0:User
        let is_member = urn.rsplit(':').nth(1).is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()));
        is_member.then_some((urn, member))
    }

    fn unknown_source(&mut self, name: &str, span: Span) {
        let written =
            if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') { name.to_owned() } else { format!("\"{name}\"") };
        let declare = format!("declare it: attrs {{ {written}: string }}");
        let declared = self.slots.declared.values().map(|declared| &*declared.known.name);
        let near = nearest(name, self.schema.names().into_iter().chain(declared)).map(str::to_owned);
        let kind = self.schema.kind.as_str();
        let mut diagnostic = Diagnostic::new(Code::M003, span, format!("unknown source attribute `{name}`"))
            .label(format!("not in the {kind} schema, and not declared"));
        diagnostic = match near {
            Some(near) => {
                let diagnostic = diagnostic.help(format!("did you mean `{near}`?  (or {declare})"));
                let plain = self.text_of(span) == format!("${name}");
                if plain { diagnostic.fix(span, format!("${near}")) } else { diagnostic }
            }
            None => diagnostic.help(declare),
        };
        self.sink.push(diagnostic);
    }

    /// An open kind takes any name; one letter beside a standard claim is worth a word.
    fn misspelt(&mut self, name: &str, span: Span) {
        if self.schema.kind != Kind::Oidc || name.len() < 4 {
            return;
        }
        let near = self.schema.names().into_iter().find(|known| known.len() >= 4 && strsim::osa_distance(known, name) == 1);
        if let Some(near) = near {
            self.sink.push(
                Diagnostic::new(Code::L15, span, format!("`{name}` looks like the standard claim `{near}`"))
                    .help(format!("did you mean `{near}`?  (or declare it: attrs {{ {name}: json }})")),
            );
        }
    }

    /// The slot of an attribute, made at first use.
    pub fn slot(&mut self, known: &Known, nested: bool, span: Span) -> SlotId {
        let key = (folded(self.schema, &known.name), nested);
        let slot = if let Some(&slot) = self.slots.by_name.get(&key) {
            slot
        } else {
            let Ok(slot) = SlotId::try_from(self.slots.specs.len()) else {
                self.sink.push(Diagnostic::new(Code::M015, span, "too many source attributes").help("split the mapping"));
                return 0;
            };
            self.slots.specs.push(SlotSpec {
                name: known.name.clone(),
                ty: known.ty.clone().or_absent(),
                list: known.list,
                sensitive: known.sensitive,
                nested,
            });
            self.slots.by_name.insert(key, slot);
            slot
        };
        self.needs.slots.insert(slot);
        slot
    }

    /// L01, once all is lowered. What an included file declares may be for others.
    pub fn unused_declarations(&mut self) {
        let unused: Vec<_> = self
            .slots
            .declared
            .values()
            .filter(|declared| !declared.used && declared.span.file == FileId(0))
            .map(|declared| (declared.span, declared.known.name.clone()))
            .collect();
        for (span, name) in unused {
            self.sink.push(
                Diagnostic::new(Code::L01, span, format!("`{name}` is declared and never used")).help("remove the declaration"),
            );
        }
    }
}
