//! What an expression of a script means, on its way into an expression of ours. A value keeps the shape it has in the
//! script until a place asks for text, a list or a condition: only then is code written.

use super::tree::Function;
use crate::check::schema::{Known, Schema};
use crate::import::draft::Draft;
use crate::import::write;
use crate::target::Kind;
use crate::types::Type;

const SCHEMA: Schema = Schema { kind: Kind::Ldap, group: false };
/// What the connector calls the names of all groups.
const GROUPS: &str = "[ g.rdn(\"CN\") for g in nested($memberOf[*]) ]";

#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// `raw_data.name`
    Attr(String),
    Code(Code),
    Text(String),
    Number(i64),
    Bool(bool),
    /// `undefined`, `null`
    Nothing,
    Object(Vec<Member>),
    Array(Vec<Self>),
    /// `[a, b].filter(Boolean)`
    Filled(Vec<Self>),
    Template(Vec<Part>),
    /// `x || ''`, `x || []`
    OrEmpty(Box<Self>),
    If(Code, Box<Self>, Box<Self>),
    /// `list.map(f)`
    Mapped(Box<Self>, Function),
    Match {
        text: Code,
        pattern: String,
    },
    Function(Function),
    Regex {
        pattern: String,
        all: bool,
    },
    Raw,
    /// Comes from this line, which is not translated.
    Unknown(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub value: Val,
    pub line: u32,
    /// As written.
    pub text: Box<str>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    Hole { code: Code, optional: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    Text,
    Bool,
    Int,
    Date,
    List,
}

/// How tightly an expression holds together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    If,
    Coalesce,
    Or,
    And,
    Not,
    Compare,
    Post,
}

/// An expression of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    pub text: String,
    pub ty: Ty,
    pub level: Level,
    /// Expressions without which this one is absent.
    pub needs: Vec<String>,
    /// May be `""`, which is a value here and nothing in a profile.
    pub empty: bool,
    /// Of `not x` the `x`.
    pub inner: Option<Box<Self>>,
}

impl Code {
    pub fn new(text: impl Into<String>, ty: Ty, level: Level) -> Self {
        Self { text: text.into(), ty, level, needs: Vec::new(), empty: false, inner: None }
    }

    /// A call whose result is absent with its first argument.
    pub fn call(text: String, ty: Ty, of: &Self, empty: bool) -> Self {
        Self { text, ty, level: Level::Post, needs: of.needs.clone(), empty, inner: None }
    }

    pub fn absent() -> Self {
        Self::new("absent", Ty::Text, Level::Post)
    }

    pub fn truth(is_true: bool) -> Self {
        Self::new(is_true.to_string(), Ty::Bool, Level::Post)
    }

    pub fn at(&self, level: Level) -> String {
        if self.level < level { format!("({})", self.text) } else { self.text.clone() }
    }

    pub fn not(&self) -> Self {
        match self.text.as_str() {
            "true" => Self::truth(false),
            "false" => Self::truth(true),
            _ => match &self.inner {
                Some(inner) => (**inner).clone(),
                None => Self {
                    inner: Some(Box::new(self.clone())),
                    ..Self::new(format!("not {}", self.at(Level::Post)), Ty::Bool, Level::Not)
                },
            },
        }
    }

    pub fn and(&self, other: &Self) -> Self {
        match (self.text.as_str(), other.text.as_str()) {
            ("true", _) => other.clone(),
            (_, "true") => self.clone(),
            _ if self.text == other.text => self.clone(),
            _ => Self::new(format!("{} and {}", self.at(Level::And), other.at(Level::And)), Ty::Bool, Level::And),
        }
    }

    pub fn or(&self, other: &Self) -> Self {
        Self::new(format!("{} or {}", self.at(Level::Or), other.at(Level::Or)), Ty::Bool, Level::Or)
    }

    pub fn coalesce(&self, other: &Self) -> Self {
        if other.text == "absent" {
            return self.clone();
        }
        let side = |code: &Self| if code.level == Level::Coalesce { code.text.clone() } else { code.at(Level::Post) };
        let text = format!("{} ?? {}", side(self), side(other));
        let mut needs: Vec<String> = self.needs.iter().filter(|need| other.needs.contains(need)).cloned().collect();
        needs.push(text.clone());
        Self { text, ty: self.ty, level: Level::Coalesce, needs, empty: other.empty, inner: None }
    }

    /// Nothing where it is empty.
    pub fn coalesce_absent(&self) -> String {
        let side = if self.level == Level::Coalesce { self.text.clone() } else { self.at(Level::Post) };
        format!("{side} ?? absent")
    }

    /// `if condition then self else other`, shorter where it is the same.
    pub fn chosen(condition: &Self, then: &Self, other: &Self) -> Self {
        if let Some(inner) = &condition.inner {
            return Self::chosen(inner, other, then);
        }
        match condition.text.as_str() {
            "true" => return then.clone(),
            "false" => return other.clone(),
            _ if then.text == other.text => return then.clone(),
            _ => {}
        }
        if let Some(asked) = condition.text.strip_prefix("present(").and_then(|rest| rest.strip_suffix(')')) {
            if then.text == asked {
                return then.coalesce(other);
            }
            if other.text == "absent" && then.needs.iter().any(|need| need == asked) {
                return then.clone();
            }
        }
        let text = format!("if {} then {} else {}", condition.text, then.text, other.text);
        let ty = if then.text == "absent" { other.ty } else { then.ty };
        Self { text, ty, level: Level::If, needs: Vec::new(), empty: then.empty || other.empty, inner: None }
    }
}

/// How much there is of a value: names that double each time would fill the memory.
pub fn weight(value: &Val) -> usize {
    match value {
        Val::Code(code) | Val::Match { text: code, .. } => code.text.len(),
        Val::Text(text) | Val::Attr(text) => text.len(),
        Val::Object(members) => members.iter().map(|member| 1 + weight(&member.value)).sum(),
        Val::Array(items) | Val::Filled(items) => items.iter().map(|item| 1 + weight(item)).sum(),
        Val::Template(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => 1 + text.len(),
                Part::Hole { code, .. } => 1 + code.text.len(),
            })
            .sum(),
        Val::OrEmpty(inner) | Val::Mapped(inner, _) => 1 + weight(inner),
        Val::If(condition, then, other) => condition.text.len() + weight(then) + weight(other),
        Val::Number(_) | Val::Bool(_) | Val::Nothing | Val::Function(_) | Val::Regex { .. } | Val::Raw | Val::Unknown(_) => 1,
    }
}

/// Why a value can't be what is wanted, and what could be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    pub why: String,
    pub suggestion: Option<String>,
}

pub fn why<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why { why: why.into(), suggestion: None })
}

pub fn why_but<T>(why: impl Into<String>, suggestion: impl Into<String>) -> Result<T, Why> {
    Err(Why { why: why.into(), suggestion: Some(suggestion.into()) })
}

pub type Made<T = Code> = Result<T, Why>;

fn known(name: &str) -> Option<Known> {
    SCHEMA.find(name).filter(|_| !matches!(name, "dn" | "all"))
}

/// A list, whatever it is made of.
pub fn is_several(value: &Val) -> bool {
    match value {
        Val::Attr(name) => is_list(name),
        Val::Code(code) => code.ty == Ty::List,
        Val::Mapped(..) | Val::Array(_) | Val::Filled(_) => true,
        Val::OrEmpty(inner) => is_several(inner),
        Val::If(_, then, other) => is_several(then) || is_several(other),
        _ => false,
    }
}

/// Known to have several values.
pub fn is_list(name: &str) -> bool {
    name == "groups" || known(name).is_some_and(|known| known.list)
}

/// `$name`, declared if no schema has it.
fn source(draft: &mut Draft, name: &str) -> Made<String> {
    match name {
        "dn" | "organizationUnits" => return Ok("$dn".to_owned()),
        "groups" => return Ok("$memberOf".to_owned()),
        "controls" | "ldapStatus" | "all" => return why(format!("the reader has no `{name}`")),
        _ => {}
    }
    let Some(source) = write::source(name) else { return why(format!("`{}` can't be written as a name", write::comment(name))) };
    match known(name).map(|known| known.ty) {
        // As text it is TRUE, not true.
        None | Some(Type::Bool) => draft.attribute(&source[1..], "string"),
        Some(_) => {}
    }
    Ok(source)
}

pub fn text(draft: &mut Draft, value: &Val) -> Made {
    Ok(match value {
        Val::Attr(name) => attribute(draft, name)?,
        Val::Code(code) => match code.ty {
            Ty::Text | Ty::Date => code.clone(),
            Ty::Int | Ty::Bool => Code::call(format!("text({})", code.text), Ty::Text, code, false),
            Ty::List => return why_but("a list where one value is wanted", format!("first({})", code.text)),
        },
        Val::Text(text) => Code { empty: text.is_empty(), ..Code::new(write::string(text), Ty::Text, Level::Post) },
        Val::Number(number) => Code::new(format!("\"{number}\""), Ty::Text, Level::Post),
        Val::Bool(truth) => Code::new(format!("\"{truth}\""), Ty::Text, Level::Post),
        Val::Nothing => Code::absent(),
        Val::Template(parts) => template(parts),
        Val::OrEmpty(inner) => text(draft, inner)?,
        Val::If(condition, then, other) => Code::chosen(condition, &text(draft, then)?, &text(draft, other)?),
        Val::Array(items) => match items.first() {
            Some(first) => text(draft, first)?,
            None => Code::absent(),
        },
        Val::Match { .. } | Val::Regex { .. } | Val::Function(_) => return why("a pattern or a function where text is wanted"),
        Val::Object(_) => return why("an object where text is wanted"),
        Val::Raw => return why("the whole entry where one value is wanted"),
        Val::Filled(_) | Val::Mapped(..) => return why("a list where one value is wanted"),
        Val::Unknown(line) => return why(format!("it comes from line {line}, which is not translated")),
    })
}

fn attribute(draft: &mut Draft, name: &str) -> Made {
    if name == "groups" {
        return why("`groups` is a list");
    }
    let source = source(draft, name)?;
    let needs = vec![source.clone()];
    let known = known(name);
    let first = if known.as_ref().is_some_and(|known| known.list) { format!("{source}[0]") } else { source.clone() };
    let written = match known.map(|known| known.ty) {
        Some(Type::Int | Type::FileTime | Type::GenTime | Type::DateTime) => format!("text({first})"),
        Some(Type::Binary) => {
            return why_but(format!("`{name}` is bytes: as text the original has rubbish"), format!("base64({source})"));
        }
        _ => first,
    };
    Ok(Code { needs, ..Code::new(written, Ty::Text, Level::Post) })
}

fn template(parts: &[Part]) -> Code {
    let mut out = String::new();
    let mut needs: Vec<String> = Vec::new();
    let mut empty = true;
    for part in parts {
        match part {
            Part::Text(text) => {
                empty &= text.is_empty();
                out.push_str(&write::inside(text));
            }
            Part::Hole { code, optional } => {
                out.push_str(&format!("{{{}{}}}", code.text, if *optional { "?" } else { "" }));
                if !optional {
                    needs.extend(code.needs.iter().cloned());
                    empty &= code.empty;
                }
            }
        }
    }
    let text = data_uri(parts).unwrap_or_else(|| format!("\"{out}\""));
    Code { needs, empty, ..Code::new(text, Ty::Text, Level::Post) }
}

/// `"data:image/jpeg;base64,{base64(x)}"`
fn data_uri(parts: &[Part]) -> Option<String> {
    let [Part::Text(start), Part::Hole { code, optional: false }] = parts else { return None };
    let mime = start.strip_prefix("data:")?.strip_suffix(";base64,")?;
    let bytes = code.text.strip_prefix("base64(")?;
    Some(format!("data_uri({}, {})", bytes.strip_suffix(')')?, write::string(mime)))
}

/// One more piece of a text that is put together.
pub fn append(draft: &mut Draft, parts: &mut Vec<Part>, value: &Val) -> Made<()> {
    match value {
        Val::Text(text) => parts.push(Part::Text(text.clone())),
        Val::Number(number) => parts.push(Part::Text(number.to_string())),
        Val::Template(more) => parts.extend(more.iter().cloned()),
        Val::OrEmpty(inner) => parts.push(Part::Hole { code: text(draft, inner)?, optional: true }),
        Val::Nothing => return why("`undefined` as text"),
        other => {
            let code = text(draft, other)?;
            if !code.needs.is_empty() {
                draft.differs("text put together with an attribute that is missing: the original writes \"undefined\", here nothing is written");
            }
            parts.push(Part::Hole { code, optional: false });
        }
    }
    Ok(())
}

pub fn int(draft: &mut Draft, value: &Val) -> Made {
    match value {
        Val::Number(number) => Ok(Code::new(number.to_string(), Ty::Int, Level::Post)),
        Val::Code(code) if code.ty == Ty::Int => Ok(code.clone()),
        Val::Attr(name) if known(name).is_some_and(|known| matches!(known.ty, Type::Int | Type::FileTime)) => {
            let source = source(draft, name)?;
            Ok(Code { needs: vec![source.clone()], ..Code::new(source, Ty::Int, Level::Post) })
        }
        other => {
            let code = text(draft, other)?;
            Ok(Code::call(format!("int?({})", code.text), Ty::Int, &code, false))
        }
    }
}

/// Bytes as base64.
pub fn base64(draft: &mut Draft, value: &Val) -> Made {
    let Val::Attr(name) = value else { return why("base64 of something that is no attribute") };
    let source = source(draft, name)?;
    Ok(Code { needs: vec![source.clone()], ..Code::new(format!("base64({source})"), Ty::Text, Level::Post) })
}

pub fn has(draft: &mut Draft, name: &str) -> Made {
    Ok(Code::new(format!("has({})", source(draft, name)?), Ty::Bool, Level::Post))
}

/// Whether a script goes on with it.
pub fn condition(draft: &mut Draft, value: &Val) -> Made {
    Ok(match value {
        Val::Attr(name) => Code::new(format!("present({})", source(draft, name)?), Ty::Bool, Level::Post),
        Val::Code(code) => match code.ty {
            Ty::Bool => code.clone(),
            Ty::Int => match code.text.strip_prefix("band(") {
                Some(rest) => Code::new(format!("bit({rest}"), Ty::Bool, Level::Post),
                None => Code::new(format!("{} != 0", code.at(Level::Post)), Ty::Bool, Level::Compare),
            },
            Ty::Text | Ty::List | Ty::Date => Code::new(format!("present({})", code.text), Ty::Bool, Level::Post),
        },
        Val::Text(text) => Code::truth(!text.is_empty()),
        Val::Number(number) => Code::truth(*number != 0),
        Val::Bool(truth) => Code::truth(*truth),
        Val::Nothing => Code::truth(false),
        Val::OrEmpty(inner) => condition(draft, inner)?,
        Val::Template(_) => {
            let code = text(draft, value)?;
            Code::new(format!("present({})", code.text), Ty::Bool, Level::Post)
        }
        Val::If(asked, then, other) => {
            let (then, other) = (condition(draft, then)?, condition(draft, other)?);
            Code::chosen(asked, &then, &other)
        }
        Val::Match { text, pattern } => Code::new(format!("{} ~ {pattern}", text.at(Level::Post)), Ty::Bool, Level::Compare),
        Val::Object(_) | Val::Array(_) | Val::Filled(_) | Val::Mapped(..) | Val::Function(_) | Val::Regex { .. } | Val::Raw => {
            Code::truth(true)
        }
        Val::Unknown(line) => return why(format!("it depends on line {line}, which is not translated")),
    })
}

/// All values.
pub fn list(draft: &mut Draft, value: &Val, each: &mut dyn FnMut(&mut Draft, &Val, &Function) -> Made) -> Made {
    let make = |text: String| Code::new(text, Ty::List, Level::Post);
    Ok(match value {
        Val::Attr(name) if name == "groups" => {
            draft.differs("`groups` holds the names the connector worked out; here they are the CN of every (nested) memberOf");
            make(GROUPS.to_owned())
        }
        Val::Attr(name) => {
            let source = source(draft, name)?;
            make(if source == "$dn" { "[$dn]".to_owned() } else { format!("{source}[*]") })
        }
        Val::Code(code) if code.ty == Ty::List => code.clone(),
        Val::OrEmpty(inner) => list(draft, inner, each)?,
        Val::Array(items) | Val::Filled(items) => {
            let mut out = Vec::new();
            for item in items {
                out.push(text(draft, item)?.text);
            }
            make(format!("[{}]", out.join(", ")))
        }
        Val::Mapped(inner, function) => {
            let inner = list(draft, inner, each)?;
            let variable = variable(function, &inner.text);
            let item = Val::Code(Code { needs: vec![variable.clone()], ..Code::new(variable.clone(), Ty::Text, Level::Post) });
            let item = each(draft, &item, function)?;
            make(if item.text == variable { inner.text } else { format!("[ {} for {variable} in {} ]", item.text, inner.text) })
        }
        Val::If(condition, then, other) => {
            let (then, other) = (list(draft, then, each)?, list(draft, other, each)?);
            let (condition, then, other) = match &condition.inner {
                Some(inner) => (&**inner, other, then),
                None => (condition, then, other),
            };
            let asked = ["present(", "has("].iter().find_map(|asks| condition.text.strip_prefix(asks)?.strip_suffix(')'));
            // Of nothing the list is empty anyway.
            if other.text == "[]"
                && asked
                    .is_some_and(|asked| then.text == format!("{asked}[*]") || then.text.ends_with(&format!(" in {asked}[*] ]")))
            {
                return Ok(then);
            }
            Code { ty: Ty::List, ..Code::chosen(condition, &then, &other) }
        }
        Val::Nothing => make("[]".to_owned()),
        other => make(format!("[{}]", text(draft, other)?.text)),
    })
}

/// A loop's variable: the script's name for it if that is free here.
pub fn variable(function: &Function, inside: &str) -> String {
    let wanted = function.parameters.first().map_or("x", |name| name);
    let taken = |name: &str| inside.contains(&format!(" for {name} in "));
    let fits = write::is_name(wanted) && write::member(wanted).starts_with('.') && wanted.len() <= 30;
    let base = if fits { wanted } else { "x" };
    (1..).map(|at| if at == 1 { base.to_owned() } else { format!("{base}{at}") }).find(|name| !taken(name)).unwrap_or_default()
}
