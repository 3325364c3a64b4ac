//! Calls in a script: methods of texts and lists, `Array.isArray`, `Buffer`, helper functions.

use super::expression::Scope;
use super::tree::{Kind, Node};
use super::value::{self, Code, Level, Made, Part, Ty, Val, why, why_but};
use crate::import::write;

pub fn call(scope: &mut Scope<'_>, callee: &Node, arguments: &[Node]) -> Made<Val> {
    let (base, name) = match &callee.kind {
        Kind::Member(base, name) => (base, &**name),
        Kind::Name(name) => return function(scope, name, callee, arguments),
        _ => {
            return match scope.value(callee)? {
                Val::Function(function) => apply(scope, &function, arguments),
                _ => why("a call of something that is worked out"),
            };
        }
    };
    match (base_name(base), name, arguments) {
        (Some("Array"), "isArray", [asked]) => {
            let asked = scope.value(asked)?;
            scope.draft.differs("`Array.isArray`: here an attribute is a list if it has two values or more");
            let several = match &asked {
                Val::Attr(_) => Code::new(format!("count({}) > 1", scope.list(&asked)?.text), Ty::Bool, Level::Compare),
                Val::Array(_) | Val::Mapped(..) | Val::Filled(_) => Code::truth(true),
                Val::Code(code) => Code::truth(code.ty == Ty::List),
                _ => return why("`Array.isArray` of this"),
            };
            return Ok(Val::Code(several));
        }
        (Some("Buffer"), "from", [bytes, ..]) => return scope.value(bytes),
        (Some("Object" | "JSON" | "Math" | "Date" | "console"), name, _) => return why(format!("`{}`", write::comment(name))),
        _ => {}
    }
    if let Kind::Array(items) = &base.kind
        && items.is_empty()
        && name == "concat"
    {
        let mut lists = Vec::new();
        for argument in arguments {
            let value = scope.value(argument)?;
            lists.push(scope.list(&value)?);
        }
        return Ok(Val::Code(match lists.as_slice() {
            [one] => one.clone(),
            many => Code::new(format!("concat({})", joined(many)), Ty::List, Level::Post),
        }));
    }
    let value = scope.value(base)?;
    method(scope, value, name, arguments)
}

fn joined(codes: &[Code]) -> String {
    codes.iter().map(|code| code.text.as_str()).collect::<Vec<_>>().join(", ")
}

fn base_name(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Name(name) => Some(name),
        _ => None,
    }
}

fn function(scope: &mut Scope<'_>, name: &str, callee: &Node, arguments: &[Node]) -> Made<Val> {
    if let Some(Val::Function(function)) = scope.names.get(name).cloned() {
        return apply(scope, &function, arguments);
    }
    match (name, arguments) {
        ("String", [one]) => scope.text_of(one).map(Val::Code),
        ("Boolean", [one]) => scope.condition(one).map(Val::Code),
        ("parseInt" | "Number" | "parseFloat", [one, ..]) => {
            let value = scope.value(one)?;
            value::int(scope.draft, &value).map(Val::Code)
        }
        ("require", _) => {
            why_but("modules of Node are not there", "hashes, base64, dates and names in DN form are functions of the language")
        }
        _ => why(format!("`{}` is not known here", callee.text)),
    }
}

fn apply(scope: &mut Scope<'_>, function: &super::tree::Function, arguments: &[Node]) -> Made<Val> {
    let arguments = arguments.iter().map(|argument| scope.value(argument)).collect::<Made<Vec<_>>>()?;
    scope.apply(function, &arguments)
}

/// `base.name(arguments)`
fn method(scope: &mut Scope<'_>, base: Val, name: &str, arguments: &[Node]) -> Made<Val> {
    if let ("hasOwnProperty", Val::Raw, [asked]) = (name, &base, arguments) {
        return match scope.value(asked)? {
            Val::Text(name) => value::has(scope.draft, &name).map(Val::Code),
            _ => why("a name that is worked out"),
        };
    }
    if let (
        Val::OrEmpty(inner),
        "toLowerCase" | "toUpperCase" | "trim" | "slice" | "substring" | "substr" | "replace" | "replaceAll" | "toString",
    ) = (&base, name)
    {
        let value = method(scope, (**inner).clone(), name, arguments)?;
        return Ok(Val::OrEmpty(Box::new(value)));
    }
    match name {
        "map" | "filter" | "some" | "every" | "find" | "sort" | "reverse" | "pop" | "shift" | "join" | "flat" => {
            of_list(scope, base, name, arguments)
        }
        "includes" | "startsWith" | "endsWith" | "indexOf" | "test" => question(scope, &base, name, arguments).map(Val::Code),
        "concat" => concat(scope, base, arguments),
        "toString" if arguments.first().is_some_and(|encoding| encoding.kind == Kind::Text("base64".into())) => {
            value::base64(scope.draft, &base).map(Val::Code)
        }
        "toISOString" | "toJSON" => match base {
            Val::Code(code) if code.ty == Ty::Date => {
                scope.draft.differs("a date is written as 2026-01-31T12:00:00Z, without `.000`");
                Ok(Val::Code(code))
            }
            _ => why(format!("`.{name}()` of something that is no date")),
        },
        _ => of_text(scope, &base, name, arguments),
    }
}

fn of_text(scope: &mut Scope<'_>, base: &Val, name: &str, arguments: &[Node]) -> Made<Val> {
    if let (Val::Code(Code { ty: Ty::List, .. }) | Val::Mapped(..) | Val::Array(_), "slice") = (base, name) {
        let list = scope.list(base)?;
        return match whole_arguments(scope, arguments)?.as_slice() {
            [from] if *from >= 0 => Ok(Val::Code(Code::new(format!("drop({}, {from})", list.text), Ty::List, Level::Post))),
            [0, to] if *to >= 0 => Ok(Val::Code(Code::new(format!("take({}, {to})", list.text), Ty::List, Level::Post))),
            _ => why("a part of a list"),
        };
    }
    let text = scope.text(base)?;
    if matches!(name, "toLowerCase" | "toUpperCase" | "trim" | "split" | "slice" | "substring" | "substr" | "replace" | "match") {
        scope
            .draft
            .differs("a method of an attribute that is missing ends the original with a TypeError; here the result is absent");
    }
    let call = |written: String, empty: bool| Ok(Val::Code(Code::call(written, Ty::Text, &text, empty)));
    match (name, arguments) {
        ("toLowerCase" | "toLocaleLowerCase", _) => call(format!("lower({})", text.text), text.empty),
        ("toUpperCase" | "toLocaleUpperCase", _) => call(format!("upper({})", text.text), text.empty),
        ("trim", []) => call(format!("trim({})", text.text), true),
        ("toString" | "valueOf", _) => Ok(Val::Code(text)),
        ("split", [separator]) => {
            let separator = pattern_or_text(scope, separator)?.0;
            let written = format!("split({}, {separator})", text.text);
            Ok(Val::Code(Code { empty: true, ..Code::call(written, Ty::List, &text, true) }))
        }
        ("slice" | "substring" | "substr", _) => cut(scope, &text, name, arguments),
        ("replace" | "replaceAll", [what, by]) => replace(scope, &text, name, what, by),
        ("match", [pattern]) => match scope.value(pattern)? {
            Val::Regex { all: true, .. } => why_but("all matches of a pattern", "find_all(x, /re/)"),
            Val::Regex { pattern, .. } => Ok(Val::Match { text, pattern }),
            _ => why("a pattern that is worked out"),
        },
        ("charAt", [at]) => {
            let at = whole_arguments(scope, std::slice::from_ref(at))?;
            let from = at.first().copied().unwrap_or(0);
            call(format!("slice({}, {from}, {})", text.text, from.saturating_add(1)), true)
        }
        ("normalize", [form]) if form.kind == Kind::Text("NFC".into()) => call(format!("nfc({})", text.text), text.empty),
        _ => why(format!("`.{}(…)` has no counterpart that is known here", write::comment(name))),
    }
}

fn whole_arguments(scope: &mut Scope<'_>, arguments: &[Node]) -> Made<Vec<i64>> {
    arguments
        .iter()
        .map(|argument| match scope.value(argument)? {
            Val::Number(number) => Ok(number),
            _ => why("a place in a text that is worked out"),
        })
        .collect()
}

/// `.slice`, `.substring`, `.substr`
fn cut(scope: &mut Scope<'_>, text: &Code, name: &str, arguments: &[Node]) -> Made<Val> {
    let places = whole_arguments(scope, arguments)?;
    if let ([3], Some(dn)) = (places.as_slice(), first_part(&text.text)) {
        return rdn(scope, text, dn);
    }
    let written = match (name, places.as_slice()) {
        (_, []) => return Ok(Val::Code(text.clone())),
        ("slice", [from]) => format!("slice({}, {from})", text.text),
        ("slice", [from, to]) => format!("slice({}, {from}, {to})", text.text),
        ("substring", [from]) => format!("slice({}, {})", text.text, (*from).max(0)),
        ("substring", [from, to]) => {
            let (from, to) = ((*from).max(0), (*to).max(0));
            format!("slice({}, {}, {})", text.text, from.min(to), from.max(to))
        }
        ("substr", [from]) => format!("slice({}, {from})", text.text),
        ("substr", [from, length]) if *from >= 0 => {
            format!("slice({}, {from}, {})", text.text, from.saturating_add((*length).max(0)))
        }
        _ => return why("a part of a text"),
    };
    scope.draft.differs("places in a text count characters here and UTF-16 units in the original: they differ behind an emoji");
    Ok(Val::Code(Code::call(written, Ty::Text, text, true)))
}

/// The name in `dn.split(',')[0]`.
fn first_part(text: &str) -> Option<&str> {
    text.strip_prefix("split(")?.strip_suffix(", \",\")[0]")
}

/// What scripts cut out of a DN by commas and three letters.
fn rdn(scope: &mut Scope<'_>, text: &Code, dn: &str) -> Made<Val> {
    scope.draft.differs("a name cut out of a DN: here it is the CN as RFC 4514 reads it, so an escaped comma does not end it");
    Ok(Val::Code(Code::call(format!("rdn({dn}, \"CN\")"), Ty::Text, text, false)))
}

fn replace(scope: &mut Scope<'_>, text: &Code, name: &str, what: &Node, by: &Node) -> Made<Val> {
    let Val::Text(by) = scope.value(by)? else { return why("a replacement that is worked out") };
    let (what, all) = pattern_or_text(scope, what)?;
    if let ("\"CN=\"" | "/^CN=/" | "/^CN=/i" | "/CN=/" | "/CN=/i", "", Some(dn)) =
        (what.as_str(), by.as_str(), first_part(&text.text))
    {
        return rdn(scope, text, dn);
    }
    if by.contains("$&") || by.contains("$`") || by.contains("$'") || (by.contains('$') && what.starts_with('"')) {
        return why("`$` with a special meaning in a replacement");
    }
    let function = if all || name == "replaceAll" { "replace" } else { "replace_first" };
    let written = format!("{function}({}, {what}, {})", text.text, write::string(&by));
    Ok(Val::Code(Code::call(written, Ty::Text, text, true)))
}

/// A literal text or pattern as written here, and whether all matches are meant.
fn pattern_or_text(scope: &mut Scope<'_>, node: &Node) -> Made<(String, bool)> {
    match scope.value(node)? {
        Val::Text(text) if text.is_empty() => why("an empty text to look for"),
        Val::Text(text) => Ok((write::string(&text), false)),
        Val::Regex { pattern, all } => Ok((pattern, all)),
        _ => why("a pattern that is worked out"),
    }
}

/// `x.indexOf(y)`
pub fn index_of(node: &Node) -> Option<(&Node, &Node)> {
    let Kind::Call(callee, arguments) = &node.kind else { return None };
    match (&callee.kind, arguments.as_slice()) {
        (Kind::Member(base, name), [part]) if **name == *"indexOf" => Some((base, part)),
        _ => None,
    }
}

pub fn contains(scope: &mut Scope<'_>, base: &Node, part: &Node) -> Made {
    let base = scope.value(base)?;
    question(scope, &base, "includes", std::slice::from_ref(part))
}

pub fn starts_with(scope: &mut Scope<'_>, base: &Node, part: &Node) -> Made {
    let base = scope.value(base)?;
    question(scope, &base, "startsWith", std::slice::from_ref(part))
}

fn question(scope: &mut Scope<'_>, base: &Val, name: &str, arguments: &[Node]) -> Made {
    let [part] = arguments else { return why(format!("`.{name}` with a place to begin at")) };
    if let (Val::Regex { pattern, .. }, "test") = (base, name) {
        let text = scope.text_of(part)?;
        return Ok(Code::new(format!("{} ~ {pattern}", text.at(Level::Post)), Ty::Bool, Level::Compare));
    }
    let part = scope.text_of(part)?;
    let several = value::is_several(base);
    let function = match name {
        "includes" if several => {
            let list = scope.list(base)?;
            return Ok(Code::new(format!("{} in {}", part.at(Level::Post), list.at(Level::Post)), Ty::Bool, Level::Compare));
        }
        _ if several => return why(format!("`.{name}` of a list")),
        "includes" => "contains",
        "startsWith" => "starts_with",
        "endsWith" => "ends_with",
        _ => return why_but("a place inside a text", "index_of(x, y), which is absent where the original has -1"),
    };
    let text = scope.text(base)?;
    Ok(Code::new(format!("{function}({}, {})", text.text, part.text), Ty::Bool, Level::Post))
}

fn concat(scope: &mut Scope<'_>, base: Val, arguments: &[Node]) -> Made<Val> {
    if value::is_several(&base) {
        let mut lists = vec![scope.list(&base)?];
        for argument in arguments {
            let value = scope.value(argument)?;
            lists.push(scope.list(&value)?);
        }
        return Ok(Val::Code(Code::new(format!("concat({})", joined(&lists)), Ty::List, Level::Post)));
    }
    let mut parts: Vec<Part> = Vec::new();
    value::append(scope.draft, &mut parts, &base)?;
    for argument in arguments {
        let value = scope.value(argument)?;
        value::append(scope.draft, &mut parts, &value)?;
    }
    Ok(Val::Template(parts))
}

fn of_list(scope: &mut Scope<'_>, base: Val, name: &str, arguments: &[Node]) -> Made<Val> {
    if let ("filter", Val::Array(items), [only]) = (name, &base, arguments)
        && only.is_name("Boolean")
    {
        return Ok(Val::Filled(items.clone()));
    }
    match (name, arguments) {
        ("filter", [only]) if only.is_name("Boolean") => scope.list(&base).map(Val::Code),
        ("map", [function]) => match scope.value(function)? {
            Val::Function(function) if !function.parameters.is_empty() => Ok(Val::Mapped(Box::new(base), function)),
            _ => why("`.map` with something that is no function of one value"),
        },
        ("filter" | "find" | "some" | "every", [function]) => match scope.value(function)? {
            Val::Function(function) if !function.parameters.is_empty() => choose(scope, &base, name, &function),
            _ => why(format!("`.{name}` with something that is no function of one value")),
        },
        ("join", [separator]) => join(scope, &base, separator),
        ("sort" | "reverse", []) => {
            let list = scope.list(&base)?;
            Ok(Val::Code(Code::new(format!("{name}({})", list.text), Ty::List, Level::Post)))
        }
        ("pop" | "shift", []) if !matches!(base, Val::Attr(_)) => {
            let function = if name == "pop" { "last" } else { "first" };
            let list = scope.list(&base)?;
            Ok(Val::Code(Code::call(format!("{function}({})", list.text), Ty::Text, &list, true)))
        }
        _ => why(format!("`.{name}(…)` in this form")),
    }
}

fn choose(scope: &mut Scope<'_>, base: &Val, name: &str, function: &super::tree::Function) -> Made<Val> {
    let list = scope.list(base)?;
    let variable = if matches!(name, "some" | "every") { "it".to_owned() } else { value::variable(function, &list.text) };
    let item = Val::Code(Code { needs: vec![variable.clone()], ..Code::new(variable.clone(), Ty::Text, Level::Post) });
    let condition = scope.apply(function, &[item])?;
    let condition = value::condition(scope.draft, &condition)?;
    let chosen = format!("[ {variable} for {variable} in {} if {} ]", list.text, condition.text);
    Ok(Val::Code(match name {
        "some" => Code::new(format!("any({}, {})", list.text, condition.text), Ty::Bool, Level::Post),
        "every" => Code::new(format!("all({}, {})", list.text, condition.text), Ty::Bool, Level::Post),
        "find" => Code::new(format!("first({chosen})"), Ty::Text, Level::Post),
        _ => Code::new(chosen, Ty::List, Level::Post),
    }))
}

fn join(scope: &mut Scope<'_>, base: &Val, separator: &Node) -> Made<Val> {
    let Val::Text(separator) = scope.value(separator)? else { return why("a separator that is worked out") };
    match base {
        Val::Filled(items) => {
            let mut texts = Vec::new();
            for item in items {
                texts.push(scope.text(item)?);
            }
            Ok(Val::Code(Code::new(format!("join({}, {})", write::string(&separator), joined(&texts)), Ty::Text, Level::Post)))
        }
        // Here the original writes nothing for what is missing, and the separators all the same.
        Val::Array(items) => {
            let mut parts = Vec::new();
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    parts.push(Part::Text(separator.clone()));
                }
                match item {
                    Val::Text(text) => parts.push(Part::Text(text.clone())),
                    item => parts.push(Part::Hole { code: scope.text(item)?, optional: true }),
                }
            }
            Ok(Val::Template(parts))
        }
        other => {
            let list = scope.list(other)?;
            Ok(Val::Code(Code::call(format!("join({}, {})", write::string(&separator), list.text), Ty::Text, &list, true)))
        }
    }
}
