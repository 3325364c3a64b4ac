//! Expressions of a script to values: names, members, operators, calls of helper functions. Methods are in `method`.

use super::method;
use super::tree::{Function, Kind, Node, Piece, Statement, StatementKind};
use super::value::{self, Code, Level, Made, Member, Part, Ty, Val, why, why_but};
use crate::import::draft::Draft;
use std::collections::HashMap;

/// Helper functions inside one another.
const CALLS_MAX: usize = 12;
/// Nodes looked at in one script, helper functions every time they are called.
const STEPS_MAX: usize = 50_000;

/// Of one value, letters and members.
const WEIGHT_MAX: usize = 64 * 1024;

/// The milliseconds between 1601 and 1970.
const EPOCH_MILLISECONDS: i64 = 11_644_473_600_000;

#[derive(Debug)]
pub struct Scope<'d> {
    pub draft: &'d mut Draft,
    pub names: HashMap<Box<str>, Val>,
    calls: usize,
    steps: usize,
}

impl<'d> Scope<'d> {
    pub fn new(draft: &'d mut Draft) -> Self {
        Self { draft, names: HashMap::new(), calls: 0, steps: 0 }
    }

    pub fn value(&mut self, node: &Node) -> Made<Val> {
        let value = self.read(node)?;
        if value::weight(&value) > WEIGHT_MAX { why("the result would be too large") } else { Ok(value) }
    }

    fn read(&mut self, node: &Node) -> Made<Val> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return why("the script is too long to be followed");
        }
        Ok(match &node.kind {
            Kind::Name(name) => match self.names.get(name) {
                Some(Val::Unknown(line)) => return why(format!("`{name}` comes from line {line}, which is not translated")),
                Some(known) => known.clone(),
                None => return why(format!("`{name}` is not known here")),
            },
            Kind::Text(text) => Val::Text(text.to_string()),
            Kind::Number(number) => Val::Number(
                whole(*number).ok_or_else(|| value::Why { why: format!("{number} is no whole number"), suggestion: None })?,
            ),
            Kind::Bool(truth) => Val::Bool(*truth),
            Kind::Null | Kind::Undefined => Val::Nothing,
            Kind::Regex { pattern, flags } => regex(self.draft, pattern, flags)?,
            Kind::Member(base, name) => self.member(base, name)?,
            Kind::Index(base, index) => self.index(base, index)?,
            Kind::Call(callee, arguments) => method::call(self, callee, arguments)?,
            Kind::New(class, arguments) => self.construct(class, arguments)?,
            Kind::Object(members) => {
                let mut out: Vec<Member> = Vec::new();
                for (name, inner) in members {
                    let value = self.kept(inner);
                    out.retain(|member| *member.name != **name);
                    out.push(Member { name: name.to_string(), value, line: inner.line, text: inner.text.clone() });
                }
                Val::Object(out)
            }
            Kind::Array(items) => Val::Array(items.iter().map(|item| self.value(item)).collect::<Made<_>>()?),
            Kind::Function(function) => Val::Function(function.clone()),
            Kind::Binary(operator, left, right) => self.binary(operator, left, right)?,
            Kind::Unary(operator, inner) => self.unary(operator, inner)?,
            Kind::Ternary(condition, then, other) => self.ternary(condition, then, other)?,
            Kind::Template(pieces) => {
                let mut parts = Vec::new();
                for piece in pieces {
                    let part = match piece {
                        Piece::Text(text) => Val::Text(text.to_string()),
                        Piece::Hole(inner) => self.value(inner)?,
                    };
                    value::append(self.draft, &mut parts, &part)?;
                }
                Val::Template(parts)
            }
            Kind::Assign(..) => return why("an assignment inside an expression"),
            Kind::Other(what, _) => return why(*what),
        })
    }

    /// A member's value; one that is not understood is listed and spoils nothing else.
    pub fn kept(&mut self, node: &Node) -> Val {
        match self.value(node) {
            Ok(value) => value,
            Err(refused) => {
                self.leave(node.line, &node.text, refused);
                Val::Unknown(node.line)
            }
        }
    }

    pub fn leave(&mut self, line: u32, text: &str, refused: value::Why) {
        self.draft.leave(crate::import::Place::Line(line), text, refused.why, refused.suggestion);
    }

    pub fn text(&mut self, value: &Val) -> Made {
        value::text(self.draft, value)
    }

    pub fn text_of(&mut self, node: &Node) -> Made {
        let value = self.value(node)?;
        self.text(&value)
    }

    pub fn list(&mut self, value: &Val) -> Made {
        // The function is called with the draft taken out and put back: one borrow at a time.
        let Self { draft, names, calls, steps } = self;
        let mut each = |draft: &mut Draft, item: &Val, function: &Function| {
            let mut inner = Scope { draft, names: names.clone(), calls: *calls, steps: *steps };
            let result = inner.apply(function, std::slice::from_ref(item));
            *steps = inner.steps;
            let result = result?;
            value::text(inner.draft, &result)
        };
        value::list(draft, value, &mut each)
    }

    fn member(&mut self, base: &Node, name: &str) -> Made<Val> {
        Ok(match self.value(base)? {
            Val::Raw => Val::Attr(name.to_owned()),
            Val::Object(members) => match members.into_iter().find(|member| member.name == name) {
                Some(Member { value: Val::Unknown(line), .. }) => {
                    return why(format!("`{name}` comes from line {line}, which is not translated"));
                }
                Some(member) => member.value,
                None => Val::Nothing,
            },
            value if name == "length" => {
                let code = match &value {
                    Val::Attr(attr) if !value::is_list(attr) => {
                        return why_but(
                            "how long an attribute is depends on whether it has one value",
                            "len($x) or count($x[*])",
                        );
                    }
                    Val::Code(code) if code.ty == Ty::Text => format!("len({})", code.text),
                    _ => format!("count({})", self.list(&value)?.text),
                };
                Val::Code(Code::new(code, Ty::Int, Level::Post))
            }
            _ => return why(format!("`.{name}` of something that is no object")),
        })
    }

    fn index(&mut self, base: &Node, index: &Node) -> Made<Val> {
        let number = match self.value(index)? {
            Val::Text(name) => return self.member(base, &name),
            Val::Number(number) => number,
            _ => return why("an index that is worked out"),
        };
        let base = self.value(base)?;
        let Ok(at) = usize::try_from(number) else { return why("a negative index") };
        Ok(match base {
            Val::Array(items) => items.get(at).cloned().unwrap_or(Val::Nothing),
            Val::Attr(name) if !value::is_list(&name) => {
                self.draft
                    .differs("`x[0]` of an attribute with one value: the original takes its first letter, here its first value");
                if at == 0 {
                    return Ok(Val::Attr(name));
                }
                let all = self.list(&Val::Attr(name))?.text;
                Val::Code(Code::new(all.replace("[*]", &format!("[{at}]")), Ty::Text, Level::Post))
            }
            Val::Match { text, pattern } => {
                Val::Code(Code::call(format!("capture({}, {pattern}, {at})", text.text), Ty::Text, &text, true))
            }
            Val::OrEmpty(inner) if at == 0 => match *inner {
                Val::Attr(name) => Val::Attr(name),
                other => self.item(&other, at)?,
            },
            other => self.item(&other, at)?,
        })
    }

    fn item(&mut self, value: &Val, at: usize) -> Made<Val> {
        if let (Val::Mapped(inner, function), 0) = (value, at) {
            let first = match &**inner {
                Val::Attr(name) => Val::Attr(name.clone()),
                other => self.item(other, 0)?,
            };
            return self.apply(function, &[first]);
        }
        let list = self.list(value)?;
        let text = match (list.text.strip_suffix("[*]"), list.text.starts_with('['), at) {
            (Some(source), ..) => format!("{source}[{at}]"),
            (None, true, 0) => format!("first({})", list.text),
            (None, true, _) => format!("({})[{at}]", list.text),
            (None, false, _) => format!("{}[{at}]", list.at(Level::Post)),
        };
        Ok(Val::Code(Code { needs: list.needs.clone(), empty: list.empty, ..Code::new(text, Ty::Text, Level::Post) }))
    }

    /// A helper function with these arguments: declarations, `if (…) return …`, `return …`.
    pub fn apply(&mut self, function: &Function, arguments: &[Val]) -> Made<Val> {
        if self.calls >= CALLS_MAX {
            return why("functions that call one another without end");
        }
        self.calls += 1;
        let before = self.names.clone();
        for (at, name) in function.parameters.iter().enumerate() {
            self.names.insert(name.clone(), arguments.get(at).cloned().unwrap_or(Val::Nothing));
        }
        let result = self.body(&function.body);
        self.names = before;
        self.calls -= 1;
        result
    }

    fn body(&mut self, statements: &[Statement]) -> Made<Val> {
        let Some((first, rest)) = statements.split_first() else { return Ok(Val::Nothing) };
        match &first.kind {
            StatementKind::Return(None) => Ok(Val::Nothing),
            StatementKind::Return(Some(node)) => self.value(node),
            StatementKind::Block(inner) if rest.is_empty() => self.body(inner),
            StatementKind::Empty => self.body(rest),
            StatementKind::Declare(declared) => {
                for (name, node) in declared {
                    let value = node.as_ref().map_or(Ok(Val::Nothing), |node| self.value(node))?;
                    self.names.insert(name.clone(), value);
                }
                self.body(rest)
            }
            StatementKind::If(condition, then, other) => {
                if !returns(then) || !(other.is_empty() || returns(other)) {
                    return why("a function that does more than choose what it returns");
                }
                let condition = self.condition(condition)?;
                let then = self.body(then)?;
                let other = if other.is_empty() { self.body(rest)? } else { self.body(other)? };
                self.choose(&condition, then, other)
            }
            StatementKind::Expr(_) | StatementKind::Function(..) | StatementKind::Block(_) | StatementKind::Other(..) => {
                why("a function that does more than choose what it returns")
            }
        }
    }

    pub fn condition(&mut self, node: &Node) -> Made {
        if let Kind::Member(base, name) = &node.kind
            && **name == *"length"
        {
            let base = self.value(base)?;
            return value::condition(self.draft, &listless(base));
        }
        let value = self.value(node)?;
        value::condition(self.draft, &value)
    }

    /// One of two values.
    pub fn choose(&mut self, condition: &Code, then: Val, other: Val) -> Made<Val> {
        if then == other {
            return Ok(then);
        }
        match condition.text.as_str() {
            "true" => return Ok(then),
            "false" => return Ok(other),
            _ => {}
        }
        let is_bool = |value: &Val| matches!(value, Val::Bool(_)) || matches!(value, Val::Code(code) if code.ty == Ty::Bool);
        if is_bool(&then) && is_bool(&other) {
            let (yes, no) = (value::condition(self.draft, &then)?, value::condition(self.draft, &other)?);
            return Ok(Val::Code(match (yes.text.as_str(), no.text.as_str()) {
                ("true", "false") => condition.clone(),
                ("false", "true") => condition.not(),
                _ => Code { ty: Ty::Bool, ..Code::chosen(condition, &yes, &no) },
            }));
        }
        let is_text = |value: &Val| match value {
            Val::Attr(name) => !value::is_list(name),
            Val::Text(_) | Val::Template(_) => true,
            Val::Code(code) => matches!(code.ty, Ty::Text | Ty::Date),
            _ => false,
        };
        let attribute = |value: &Val| match value {
            Val::Attr(name) => Some(name.clone()),
            _ => None,
        };
        // `x ? x : undefined`
        if let (Some(name), Val::Nothing) = (attribute(&then), &other)
            && value::condition(self.draft, &Val::Attr(name.clone()))?.text == condition.text
        {
            return Ok(Val::Attr(name));
        }
        if is_text(&then) && matches!(&other, Val::Text(text) if text.is_empty()) {
            let code = Code::chosen(condition, &self.text(&then)?, &Code::absent());
            return Ok(Val::OrEmpty(Box::new(Val::Code(code))));
        }
        if (is_text(&then) || then == Val::Nothing) && (is_text(&other) || other == Val::Nothing) {
            return Ok(Val::Code(Code::chosen(condition, &self.text(&then)?, &self.text(&other)?)));
        }
        Ok(Val::If(condition.clone(), Box::new(then), Box::new(other)))
    }

    fn ternary(&mut self, condition: &Node, then: &Node, other: &Node) -> Made<Val> {
        if let Some(asked) = array_test(condition) {
            // Which of the two shapes it has is no question here.
            if let Kind::Index(base, at) = &then.kind
                && same(base, asked)
                && at.kind == Kind::Number(0.0)
                && same(other, asked)
            {
                return match self.value(asked)? {
                    Val::Attr(name) => Ok(Val::Attr(name)),
                    value => self.text(&value).map(Val::Code),
                };
            }
            if let Kind::Array(items) = &other.kind
                && let [item] = items.as_slice()
                && same(then, asked)
                && same(item, asked)
            {
                let value = self.value(asked)?;
                return self.list(&value).map(Val::Code);
            }
        }
        let condition = self.condition(condition)?;
        let (then, other) = (self.value(then)?, self.value(other)?);
        self.choose(&condition, then, other)
    }

    fn unary(&mut self, operator: &str, inner: &Node) -> Made<Val> {
        Ok(match operator {
            "!" => Val::Code(self.condition(inner)?.not()),
            "-" => match self.value(inner)? {
                Val::Number(number) => Val::Number(number.saturating_neg()),
                _ => return why("arithmetic"),
            },
            "+" => {
                let value = self.value(inner)?;
                Val::Code(value::int(self.draft, &value)?)
            }
            "void" => Val::Nothing,
            other => return why(format!("`{other}`")),
        })
    }

    fn binary(&mut self, operator: &str, left: &Node, right: &Node) -> Made<Val> {
        match operator {
            "||" | "??" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.either(left, right)
            }
            "&&" => {
                let condition = self.condition(left)?;
                let right = self.value(right)?;
                if let Val::Code(Code { ty: Ty::Bool, .. }) | Val::Bool(_) = right {
                    let right = value::condition(self.draft, &right)?;
                    return Ok(Val::Code(condition.and(&right)));
                }
                self.choose(&condition, right, Val::Nothing)
            }
            "+" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                if let (Val::Number(a), Val::Number(b)) = (&left, &right) {
                    return a.checked_add(*b).map_or_else(|| why("arithmetic"), |sum| Ok(Val::Number(sum)));
                }
                let mut parts: Vec<Part> = Vec::new();
                value::append(self.draft, &mut parts, &left)?;
                value::append(self.draft, &mut parts, &right)?;
                Ok(Val::Template(parts))
            }
            "&" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                let (left, right) = (value::int(self.draft, &left)?, value::int(self.draft, &right)?);
                let text = format!("band({}, {})", left.text, right.text);
                Ok(Val::Code(Code::call(text, Ty::Int, &left, false)))
            }
            "===" | "==" => self.equal(left, right).map(Val::Code),
            "!==" | "!=" => self.equal(left, right).map(|code| Val::Code(code.not())),
            "<" | ">" | "<=" | ">=" => self.order(operator, left, right).map(Val::Code),
            "in" => match (self.value(left)?, self.value(right)?) {
                (Val::Text(name), Val::Raw) => value::has(self.draft, &name).map(Val::Code),
                _ => why("`in`"),
            },
            "instanceof" => why("`instanceof`"),
            _ => why(format!("arithmetic with `{operator}`")),
        }
    }

    /// `left || right`
    pub fn either(&mut self, left: Val, right: Val) -> Made<Val> {
        match &right {
            Val::Text(text) if text.is_empty() => return Ok(Val::OrEmpty(Box::new(left))),
            Val::Array(items) if items.is_empty() => return Ok(Val::OrEmpty(Box::new(left))),
            Val::Nothing => return Ok(left),
            _ => {}
        }
        if left == Val::Nothing {
            return Ok(right);
        }
        let is_bool = |value: &Val| matches!(value, Val::Bool(_)) || matches!(value, Val::Code(code) if code.ty == Ty::Bool);
        if is_bool(&left) && is_bool(&right) {
            let (left, right) = (value::condition(self.draft, &left)?, value::condition(self.draft, &right)?);
            return Ok(Val::Code(if right.text == "false" { left } else { left.or(&right) }));
        }
        self.draft.differs("`||`: an attribute without a value (`[]`) counts as one in the original; here the next is tried");
        let several = |value: &Val| match value {
            Val::Attr(name) => value::is_list(name),
            Val::Code(code) => code.ty == Ty::List,
            Val::Mapped(..) | Val::Array(_) | Val::Filled(_) => true,
            _ => false,
        };
        if matches!(right, Val::Object(_)) || matches!(left, Val::Object(_) | Val::If(..)) {
            let condition = value::condition(self.draft, &left)?;
            return self.choose(&condition, left, right);
        }
        if several(&left) || several(&right) {
            let (left, right) = (self.list(&left)?, self.list(&right)?);
            return Ok(Val::Code(left.coalesce(&right)));
        }
        let (left, right) = (self.text(&left)?, self.text(&right)?);
        Ok(Val::Code(left.coalesce(&right)))
    }

    fn equal(&mut self, left: &Node, right: &Node) -> Made {
        if literal(left) && !literal(right) {
            return self.equal(right, left);
        }
        if let (Kind::Unary(operator, inner), Kind::Text(kind)) = (&left.kind, &right.kind)
            && &**operator == "typeof"
        {
            let Val::Attr(name) = self.value(inner)? else { return why("`typeof` of something that is no attribute") };
            return match &**kind {
                "undefined" => value::has(self.draft, &name).map(|code| code.not()),
                "string" => value::condition(self.draft, &Val::Attr(name)),
                _ => why(format!("`typeof` \"{kind}\"")),
            };
        }
        if let (Some((base, part)), Some(number)) = (method::index_of(left), self.number(right)) {
            return match number {
                -1 => method::contains(self, base, part).map(|code| code.not()),
                0 => method::starts_with(self, base, part),
                _ => why("a place inside a text"),
            };
        }
        if let Some(0) = self.number(right)
            && let Kind::Member(_, name) = &left.kind
            && **name == *"length"
        {
            return self.condition(left).map(|code| code.not());
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        match (&left, &right) {
            (Val::Attr(name), Val::Nothing) => value::has(self.draft, name).map(|code| code.not()),
            (_, Val::Nothing) => value::condition(self.draft, &left).map(|code| code.not()),
            (Val::Code(code), Val::Bool(truth)) if code.ty == Ty::Bool => Ok(if *truth { code.clone() } else { code.not() }),
            (Val::Code(code), Val::Number(number)) if code.ty == Ty::Int => {
                let mask = code
                    .text
                    .strip_prefix("band(")
                    .and_then(|rest| rest.rsplit_once(", "))
                    .map(|(_, mask)| mask.trim_end_matches(')'));
                match (mask, number) {
                    (Some(_), 0) => value::condition(self.draft, &left).map(|code| code.not()),
                    (Some(mask), number) if *mask == number.to_string() => value::condition(self.draft, &left),
                    _ => Ok(Code::new(format!("{} == {number}", code.at(Level::Post)), Ty::Bool, Level::Compare)),
                }
            }
            (_, Val::Text(text)) if text.is_empty() => value::condition(self.draft, &left).map(|code| code.not()),
            _ => {
                let (left, right) = (self.text(&left)?, self.text(&right)?);
                Ok(Code::new(format!("{} == {}", left.at(Level::Post), right.at(Level::Post)), Ty::Bool, Level::Compare))
            }
        }
    }

    fn order(&mut self, operator: &str, left: &Node, right: &Node) -> Made {
        let number = self.number(right);
        if let Some((base, part)) = method::index_of(left)
            && matches!((operator, number), (">", Some(-1)) | (">=", Some(0)))
        {
            return method::contains(self, base, part);
        }
        if let Kind::Member(_, name) = &left.kind
            && **name == *"length"
            && matches!((operator, number), (">", Some(0)) | (">=", Some(1)))
        {
            return self.condition(left);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        let (left, right) = (value::int(self.draft, &left)?, value::int(self.draft, &right)?);
        if let (Some(inner), ">", "0") = (left.text.strip_prefix("band("), operator, right.text.as_str()) {
            return Ok(Code::new(format!("bit({inner}"), Ty::Bool, Level::Post));
        }
        Ok(Code::new(format!("{} {operator} {}", left.at(Level::Post), right.at(Level::Post)), Ty::Bool, Level::Compare))
    }

    fn number(&mut self, node: &Node) -> Option<i64> {
        match &node.kind {
            Kind::Number(number) => whole(*number),
            Kind::Unary(operator, inner) if &**operator == "-" => self.number(inner).map(i64::saturating_neg),
            _ => None,
        }
    }

    /// `new Date(x / 1e4 - 11644473600000)`, `new Buffer(x)`
    fn construct(&mut self, class: &Node, arguments: &[Node]) -> Made<Val> {
        if class.is_name("Buffer") && !arguments.is_empty() {
            return self.value(&arguments[0]);
        }
        if !class.is_name("Date") {
            return why(format!("`new {}`", class.text));
        }
        let [moment] = arguments else { return why_but("the present time", "format_date(now, \"…\")") };
        if let Kind::Binary(minus, ticks, epoch) = &moment.kind
            && &**minus == "-"
            && self.number(epoch) == Some(EPOCH_MILLISECONDS)
            && let Kind::Binary(by, ticks, divisor) = &ticks.kind
            && &**by == "/"
            && self.number(divisor) == Some(10_000)
        {
            self.draft.differs("a time of Active Directory that means never (0, 2^63-1) is left out; the original writes a date");
            let ticks = self.value(ticks)?;
            let ticks = value::int(self.draft, &ticks)?;
            return Ok(Val::Code(Code::call(format!("filetime?({})", ticks.text), Ty::Date, &ticks, false)));
        }
        why_but("a date made in a way that is not known", "datetime(x, \"pattern\"), filetime(x), gentime(x) or unix(x)")
    }
}

/// `x || []` asked for its length is `x`.
fn listless(value: Val) -> Val {
    match value {
        Val::OrEmpty(inner) => *inner,
        other => other,
    }
}

fn returns(statements: &[Statement]) -> bool {
    statements.last().is_some_and(|last| match &last.kind {
        StatementKind::Return(_) => true,
        StatementKind::Block(inner) => returns(inner),
        StatementKind::If(_, then, other) => returns(then) && returns(other),
        _ => false,
    })
}

fn literal(node: &Node) -> bool {
    matches!(node.kind, Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::Undefined)
}

/// Alike but for where they stand.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Member(a, name), Kind::Member(b, other)) => name == other && same(a, b),
        (a, b) => matches!(a, Kind::Name(_)) && a == b,
    }
}

fn array_test(node: &Node) -> Option<&Node> {
    let Kind::Call(callee, arguments) = &node.kind else { return None };
    match (&callee.kind, arguments.as_slice()) {
        (Kind::Member(base, name), [asked]) if base.is_name("Array") && **name == *"isArray" => Some(asked),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only what is whole and small enough to be exact gets there")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0).then_some(number as i64)
}

fn regex(draft: &mut Draft, pattern: &str, flags: &str) -> Made<Val> {
    if let Some(flag) = flags.chars().find(|flag| !matches!(flag, 'g' | 'i')) {
        return why(format!("the flag `{flag}` of a pattern"));
    }
    if pattern.contains(['\n', '\r']) {
        return why("a pattern of several lines");
    }
    if ["\\d", "\\w", "\\s", "\\b"].iter().any(|class| pattern.contains(class)) {
        draft.differs("`\\d`, `\\w` and `\\b` in a pattern know all alphabets here, in the original ASCII alone");
    }
    let ignore_case = if flags.contains('i') { "i" } else { "" };
    Ok(Val::Regex { pattern: format!("/{pattern}/{ignore_case}"), all: flags.contains('g') })
}
