//! From the profile a script returns to rules. Owns which member becomes which target: the contract of the connector
//! (mapping.md §10), the rest below `app_metadata`.

use super::expression::Scope;
use super::value::{self, Code, Level, Made, Member, Ty, Val, why, why_but};
use crate::import::Place;
use crate::import::draft::{Destination, destination};
use crate::target;
use crate::types::Type;

/// Targets that other members turn into: an attribute of that name is not one.
const TAKEN: &[(&str, &str)] = &[
    ("user_id", "id"),
    ("email", "emails: [{ value: … }]"),
    ("family_name", "name.familyName"),
    ("given_name", "name.givenName"),
];

pub fn rules(scope: &mut Scope<'_>, members: &[Member]) {
    for member in members {
        match (member.name.as_str(), &member.value) {
            ("name", Val::Object(parts)) => {
                for part in parts {
                    let target = match part.name.as_str() {
                        "familyName" => "family_name",
                        "givenName" => "given_name",
                        _ => {
                            let refused = why("of `name` only familyName and givenName are read");
                            leave(scope, part, refused);
                            continue;
                        }
                    };
                    one(scope, part, vec![target.to_owned()]);
                }
            }
            ("name", Val::Nothing) => {}
            ("name", _) => leave(
                scope,
                member,
                why_but("of `name` only familyName and givenName are read", "displayName is what becomes `name`"),
            ),
            ("app_metadata" | "user_metadata", Val::Object(inner)) => below(scope, inner, std::slice::from_ref(&member.name)),
            ("id", _) => one(scope, member, vec!["user_id".to_owned()]),
            ("displayName", _) => one(scope, member, vec!["name".to_owned()]),
            ("emails", _) => one(scope, member, vec!["email".to_owned()]),
            (name, _) => match TAKEN.iter().find(|(taken, _)| *taken == name) {
                Some((_, instead)) => leave(
                    scope,
                    member,
                    why_but(format!("the connector does not read `{name}` of a profile"), format!("it reads `{instead}`")),
                ),
                None => match destination(name) {
                    Destination::Path(path) => one(scope, member, path),
                    Destination::Nowhere { why, suggestion } => leave(scope, member, Err(value::Why { why, suggestion })),
                },
            },
        }
    }
}

fn leave(scope: &mut Scope<'_>, member: &Member, refused: Made<()>) {
    if let Err(refused) = refused {
        scope.leave(member.line, &member.text, refused);
    }
}

fn below(scope: &mut Scope<'_>, members: &[Member], path: &[String]) {
    for member in members {
        if member.name.is_empty() || member.name.contains(['.', '$']) {
            leave(scope, member, why(format!("`{}` can't be a name in metadata", member.name)));
            continue;
        }
        one(scope, member, [path, std::slice::from_ref(&member.name)].concat());
    }
}

fn one(scope: &mut Scope<'_>, member: &Member, path: Vec<String>) {
    if let (Val::Object(inner), true) = (&member.value, path.len() > 1) {
        return below(scope, inner, &path);
    }
    // It is listed with the line that made it so.
    if let Val::Unknown(line) = member.value {
        if line != member.line {
            leave(scope, member, why(format!("it is assigned again in line {line}, which is not translated")));
        }
        return;
    }
    if member.value == Val::Nothing {
        return;
    }
    let borrowed: Vec<&str> = path.iter().map(String::as_str).collect();
    let wanted = target::of_profile(&borrowed).unwrap_or(Type::Json);
    match code(scope, &member.value, &path, &wanted) {
        Ok(code) => {
            let rest = if path == ["user_id"] { " with create" } else { "" };
            scope.draft.rule(path, code, rest, Place::Line(member.line), &member.text);
        }
        Err(refused) => leave(scope, member, Err(refused)),
    }
}

fn code(scope: &mut Scope<'_>, value: &Val, path: &[String], wanted: &Type) -> Made<String> {
    let or_absent = |code: Code| if code.empty || code.ty == Ty::List { code.coalesce_absent() } else { code.text };
    Ok(match wanted {
        _ if path == ["email"] => or_absent(email(scope, value)?),
        Type::List(_) => or_absent(scope.list(value)?),
        Type::Bool => {
            let code = match value {
                Val::Bool(_) => value::condition(scope.draft, value)?,
                Val::Code(code) if code.ty == Ty::Bool => code.clone(),
                other => {
                    let text = scope.text(other)?;
                    Code::call(format!("bool?({})", text.text), Ty::Bool, &text, false)
                }
            };
            value_of(&code)
        }
        Type::String => {
            if let Val::Number(_) | Val::Bool(_) = value {
                return why("a number or a truth where text is wanted");
            }
            or_absent(scope.text(value)?)
        }
        _ => extra(scope, value, or_absent)?,
    })
}

/// An attribute of its own: as it is.
fn extra(scope: &mut Scope<'_>, value: &Val, or_absent: impl Fn(Code) -> String) -> Made<String> {
    Ok(match value {
        Val::Attr(name) if value::is_list(name) => or_absent(scope.list(value)?),
        Val::Attr(_) => {
            scope.draft.differs("an attribute with several values: the original hands on a list, here the first value is taken");
            or_absent(scope.text(value)?)
        }
        Val::Number(number) => number.to_string(),
        Val::Bool(truth) => truth.to_string(),
        Val::Code(code) if matches!(code.ty, Ty::Bool | Ty::Int) => value_of(code),
        Val::Code(code) => or_absent(code.clone()),
        Val::OrEmpty(inner) if matches!(**inner, Val::Array(_) | Val::Mapped(..)) => or_absent(scope.list(value)?),
        Val::OrEmpty(inner) => extra(scope, inner, or_absent)?,
        Val::Array(items) if items.iter().any(|item| matches!(item, Val::Object(_) | Val::Array(_))) => {
            return why("a list of objects");
        }
        Val::Array(_) | Val::Filled(_) | Val::Mapped(..) => or_absent(scope.list(value)?),
        Val::If(..) if value::is_several(value) => or_absent(scope.list(value)?),
        Val::If(..) => or_absent(chosen(scope, value)?),
        other => or_absent(scope.text(other)?),
    })
}

/// One of several values of one kind; of two kinds the checker says so.
fn chosen(scope: &mut Scope<'_>, value: &Val) -> Made {
    Ok(match value {
        Val::If(condition, then, other) => Code::chosen(condition, &chosen(scope, then)?, &chosen(scope, other)?),
        Val::Number(number) => Code::new(number.to_string(), Ty::Int, Level::Post),
        Val::Bool(truth) => Code::truth(*truth),
        Val::Code(code) if matches!(code.ty, Ty::Bool | Ty::Int) => Code { text: value_of(code), ..code.clone() },
        Val::Object(_) => return why_but("an object under a condition", "write one rule per member: x.y = … when …"),
        other => scope.text(other)?,
    })
}

/// A truth or a number as a value: what a mask gives of a number that is missing is false, or 0.
fn value_of(code: &Code) -> String {
    if code.text.starts_with("bit(") {
        format!("{} == true", code.text)
    } else if code.text.starts_with("band(") {
        format!("{} ?? 0", code.text)
    } else {
        code.text.clone()
    }
}

/// `emails[0].value`
fn email(scope: &mut Scope<'_>, value: &Val) -> Made {
    match value {
        Val::Nothing => Ok(Code::absent()),
        Val::Array(items) => match items.first() {
            None => Ok(Code::absent()),
            Some(Val::Object(members)) => {
                match members.iter().find(|member| member.name == "value").map(|member| &member.value) {
                    Some(value) => scope.text(value),
                    None => why("an address without `value`"),
                }
            }
            Some(_) => why_but("`emails` holds objects", "emails: [{ value: … }]"),
        },
        Val::OrEmpty(inner) => email(scope, inner),
        Val::If(condition, then, other) => {
            let (then, other) = (email(scope, then)?, email(scope, other)?);
            Ok(Code::chosen(condition, &then, &other))
        }
        // Only the first address counts.
        Val::Mapped(inner, function) => {
            let first = match &**inner {
                Val::Attr(name) => Val::Attr(name.clone()),
                Val::OrEmpty(inner) => (**inner).clone(),
                other => {
                    let list = scope.list(other)?;
                    let first = list.text.strip_suffix("[*]").map_or_else(|| format!("first({})", list.text), str::to_owned);
                    Val::Code(Code { needs: vec![first.clone()], ..Code::new(first, Ty::Text, Level::Post) })
                }
            };
            let item = scope.apply(function, &[first])?;
            email(scope, &Val::Array(vec![item]))
        }
        _ => why_but("`emails` is a list of objects with `value`", "emails: [{ value: … }]"),
    }
}
