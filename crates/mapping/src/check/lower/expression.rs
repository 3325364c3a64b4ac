//! Expressions: what each is (inference), and pushing what a place wants into branches, so that each converts where
//! it stands. Shape never depends on the data: every expression is one value or a list before any entry is seen.

use super::super::nearest::nearest;
use super::super::scope::Binding;
use super::{Checker, LetState, Low, Want};
use crate::ast::{Expr, ExprKind, Operator, Part};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::{COMPREHENSION_NESTING_MAX, EXPRESSION_DEPTH_MAX, NODES_MAX, RECORD_MEMBERS_MAX};
use crate::plan::{self, Constant, Conversion, Node};
use crate::span::{FileId, Name, Span, Spanned};
use crate::types::{Type, Typed};

impl<'a> Checker<'a> {
    /// Lowers an expression for a place that wants a type.
    pub fn wanted(&mut self, expr: &'a Expr, want: Want<'_>) -> Low {
        self.deeper(expr.span, |checker| checker.wanted_here(expr, want))
    }

    fn wanted_here(&mut self, expr: &'a Expr, want: Want<'_>) -> Low {
        match &expr.kind {
            ExprKind::If { condition, then, otherwise } => {
                let condition = self.condition(condition);
                let then = self.wanted(then, want);
                let otherwise = self.wanted(otherwise, want);
                self.choice(&condition, then, otherwise, want.ty.clone(), expr.span)
            }
            ExprKind::Match { subject, arms, otherwise } => self.matching(subject, arms, otherwise, Some(want), expr.span),
            ExprKind::Binary { operator: Spanned { value: Operator::Coalesce, .. }, left, right } => {
                let left_low = self.wanted(left, Want { keep: false, ..want });
                let right_low = self.wanted(right, want);
                self.coalesce(left_low, right_low, want.ty.clone(), expr.span)
            }
            ExprKind::List(items) => match want.ty {
                Type::List(item) => {
                    let lows: Vec<Low> = items.iter().map(|one| self.wanted(one, want.of(item))).collect();
                    self.list(&lows, (**item).clone(), expr.span)
                }
                Type::Json => {
                    let lows: Vec<Low> = items.iter().map(|one| self.wanted(one, want.of(&Type::Json))).collect();
                    self.list(&lows, Type::Json, expr.span)
                }
                _ => {
                    let low = self.infer(expr);
                    self.coerce(low, want, expr)
                }
            },
            ExprKind::Comprehension { item, name, list, condition } => {
                let wanted = match want.ty {
                    Type::List(item) => Some(want.of(item)),
                    Type::Json => Some(want),
                    _ => None,
                };
                let low = self.comprehension(item, name, list, condition.as_deref(), wanted, expr.span);
                self.coerce(low, want, expr)
            }
            ExprKind::Keep if want.keep => self.constant(Constant::Keep, Type::Nothing, expr.span),
            ExprKind::Inherited => {
                let low = self.inherited(expr.span, Some(want));
                self.coerce(low, want, expr)
            }
            _ => {
                let low = self.infer_here(expr);
                self.coerce(low, want, expr)
            }
        }
    }

    /// Lowers an expression whose place takes any type.
    pub fn infer(&mut self, expr: &'a Expr) -> Low {
        self.deeper(expr.span, |checker| checker.infer_here(expr))
    }

    fn deeper(&mut self, span: Span, work: impl FnOnce(&mut Self) -> Low) -> Low {
        // `inherited` and lets nest beyond what one text can.
        if self.depth >= 2 * EXPRESSION_DEPTH_MAX {
            let diagnostic = Diagnostic::new(Code::M015, span, "expressions nest too deep").help("name a part of it: let x = …");
            return self.refuse(diagnostic, span);
        }
        if self.nodes.len() >= NODES_MAX {
            // Once: all that follows would say the same.
            let first = self.too_large.get_or_insert(span);
            let diagnostic =
                Diagnostic::new(Code::M015, *first, format!("the mapping compiles to more than {NODES_MAX} instructions"))
                    .help("consts and inherited expressions are written out wherever they are used: use let or a table");
            return self.refuse(diagnostic, span);
        }
        self.depth += 1;
        let low = work(self);
        self.depth -= 1;
        low
    }

    fn infer_here(&mut self, expr: &'a Expr) -> Low {
        let span = expr.span;
        match &expr.kind {
            ExprKind::String(text) => self.constant(Constant::String(text.clone()), Type::String, span),
            ExprKind::Int(number) => self.constant(Constant::Int(*number), Type::Int, span),
            ExprKind::Bool(value) => self.constant(Constant::Bool(*value), Type::Bool, span),
            ExprKind::Bytes(bytes) => self.constant(Constant::Binary(bytes.clone()), Type::Binary, span),
            ExprKind::DateTime(at) => self.constant(Constant::DateTime(*at), Type::DateTime, span),
            ExprKind::Duration(length) => self.constant(Constant::Duration(*length), Type::Duration, span),
            ExprKind::Regex { .. } => {
                let diagnostic = Diagnostic::new(Code::M007, span, "a regular expression is no value")
                    .help("it stands after `~`, in `match`, in `check`, or as an argument: capture(x, /re/, 1)");
                self.refuse(diagnostic, span)
            }
            ExprKind::Template(parts) => self.template(parts, span),
            ExprKind::Source(name) => self.source(name, span),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Call { name, optional, arguments } => self.call(name, *optional, arguments, span),
            ExprKind::Field(base, name) => self.field(base, name, span),
            ExprKind::Index(base, index) => self.index(base, index, span),
            ExprKind::All(base) => self.all(base, span),
            ExprKind::List(items) => {
                let lows: Vec<Low> = items.iter().map(|one| self.infer(one)).collect();
                let (lows, item) = self.unify(lows, items.iter(), "the items of this list");
                self.list(&lows, item, span)
            }
            ExprKind::Comprehension { item, name, list, condition } => {
                self.comprehension(item, name, list, condition.as_deref(), None, span)
            }
            ExprKind::Record(members) => self.record(members, span),
            ExprKind::Not(inner) => {
                let inner = self.condition(inner);
                match self.known_bool(inner.node) {
                    Some(value) => self.constant(Constant::Bool(!value), Type::Bool, span),
                    None => self.low(Node::Not(inner.node), Type::Bool, false, span),
                }
            }
            ExprKind::Negative(inner) => self.negative(inner, span),
            ExprKind::Binary { operator, left, right } => self.binary(operator, left, right, span),
            ExprKind::If { condition, then, otherwise } => {
                let condition = self.condition(condition);
                let branches = vec![self.infer(then), self.infer(otherwise)];
                let (branches, ty) = self.unify(branches, [&**then, &**otherwise], "the branches of this `if`");
                let [then, otherwise] =
                    <[Low; 2]>::try_from(branches).unwrap_or_else(|_| [self.unknown(span), self.unknown(span)]);
                self.choice(&condition, then, otherwise, ty, span)
            }
            ExprKind::Match { subject, arms, otherwise } => self.matching(subject, arms, otherwise, None, span),
            ExprKind::Absent => self.constant(Constant::Absent, Type::Nothing, span),
            ExprKind::Keep => {
                let diagnostic = Diagnostic::new(Code::M007, span, "`keep` is a whole result, not a part of one")
                    .help("use it as the result of a rule, or of a branch or fallback of it; inside, `absent` drops a value");
                self.refuse(diagnostic, span)
            }
            ExprKind::It => self.it(span),
            ExprKind::Now => self.low(Node::Now, Type::DateTime, false, span),
            ExprKind::Inherited => self.inherited(span, None),
            ExprKind::New(path) => self.new_value(path, span),
            ExprKind::Old(path) => self.old_value(path, span),
            ExprKind::Error => self.unknown(span),
        }
    }

    /// An expression used as a condition; absent counts as false.
    pub fn condition(&mut self, expr: &'a Expr) -> Low {
        let low = self.wanted(expr, Want::argument(&Type::Bool, "a condition"));
        Low { may_be_absent: false, ..low }
    }

    pub fn choice(&mut self, condition: &Low, then: Low, otherwise: Low, ty: Type, span: Span) -> Low {
        match self.known_bool(condition.node) {
            Some(true) => return Low { ty, ..then },
            Some(false) => return Low { ty, ..otherwise },
            None => {}
        }
        let may_be_absent = then.may_be_absent || otherwise.may_be_absent;
        let node = Node::If { condition: condition.node, then: then.node, otherwise: otherwise.node };
        self.low(node, ty, may_be_absent, span)
    }

    pub fn list(&mut self, items: &[Low], item: Type, span: Span) -> Low {
        if item.is_list() {
            let first = items.iter().find(|low| low.ty.is_list()).map_or(span, |low| low.span);
            let diagnostic = Diagnostic::new(Code::M008, first, "a list holds single values, this is a list")
                .help("join lists with concat(a, b)");
            return self.refuse(diagnostic, span);
        }
        let nodes = items.iter().map(|low| low.node).collect();
        self.low(Node::List(nodes), item.list(), false, span)
    }

    fn record(&mut self, members: &'a [(Spanned<Box<str>>, Expr)], span: Span) -> Low {
        let mut nodes = Vec::with_capacity(members.len());
        let mut fields: Vec<(Box<str>, Typed)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            if fields.iter().any(|(name, _)| *name == key.value) {
                let diagnostic = Diagnostic::new(Code::M009, key.span, format!("the member `{}` is there twice", key.value));
                self.sink.push(diagnostic.help("keep one of them"));
                continue;
            }
            let low = self.infer(value);
            // A record is JSON: its members are what JSON can hold.
            let ty = match &low.ty {
                Type::Guid | Type::Sid | Type::DateTime | Type::Duration | Type::Binary | Type::FileTime | Type::GenTime => {
                    Type::String
                }
                other => other.clone(),
            };
            let place = format!("`{}`", key.value);
            let json = self.coerce(low, Want { dates_as_text: true, ..Want::argument(&Type::Json, &place) }, value);
            let ty = if json.ty.is_list() { json.ty.clone() } else { ty };
            nodes.push((key.value.clone(), json.node));
            fields.push((key.value.clone(), Typed { ty, may_be_absent: json.may_be_absent }));
        }
        let known = fields.iter().map(|(_, field)| members_of(&field.ty)).sum::<usize>() < RECORD_MEMBERS_MAX;
        self.low(Node::Record(nodes.into()), Type::Record(known.then_some(fields)), false, span)
    }

    pub fn template(&mut self, parts: &'a [Part], span: Span) -> Low {
        let mut lowered = Vec::with_capacity(parts.len());
        let mut may_be_absent = false;
        let mut text = Some(String::new());
        for part in parts {
            match part {
                Part::Text(piece) => {
                    text = text.map(|text| text + piece);
                    lowered.push(plan::Part::Text(piece.clone()));
                }
                Part::Hole { value, optional } => {
                    let low = self.hole(value);
                    match self.known(low.node) {
                        Some(Constant::String(piece)) => text = text.map(|text| text + piece),
                        _ => text = None,
                    }
                    may_be_absent |= low.may_be_absent && !optional;
                    lowered.push(plan::Part::Hole { value: low.node, optional: *optional });
                }
            }
        }
        match text {
            Some(text) => self.constant(Constant::String(text.into()), Type::String, span),
            None => self.low(Node::Template(lowered.into()), Type::String, may_be_absent, span),
        }
    }

    /// A hole's value as text: a template is where numbers and booleans become text without a word.
    fn hole(&mut self, value: &'a Expr) -> Low {
        let (low, needs) = self.needing(|checker| checker.infer(value));
        self.needs.add(&needs);
        let specs = &self.slots.specs;
        if needs.slots.iter().any(|&slot| specs.get(usize::from(slot)).is_some_and(|spec| spec.sensitive)) {
            self.needs.sensitive_text = self.needs.sensitive_text.or(Some(value.span));
        }
        if matches!(low.ty, Type::Int | Type::Bool | Type::Json) {
            if let Some(text) = self.known(low.node).and_then(display) {
                return self.constant(Constant::String(text), Type::String, low.span);
            }
            return self.convert(low, &[Conversion::Display], Type::String);
        }
        self.coerce(low, Want { dates_as_text: true, ..Want::argument(&Type::String, "a template") }, value)
    }

    fn comprehension(
        &mut self,
        item: &'a Expr,
        name: &'a Name,
        list: &'a Expr,
        condition: Option<&'a Expr>,
        want: Option<Want<'_>>,
        span: Span,
    ) -> Low {
        let list_low = self.list_of(list, "`for … in`");
        if self.frame.nesting >= COMPREHENSION_NESTING_MAX {
            let message = format!("comprehensions nest deeper than {COMPREHENSION_NESTING_MAX}");
            let diagnostic = Diagnostic::new(Code::M015, span, message).help("name the inner one: let x = [ … ]");
            return self.refuse(diagnostic, span);
        }
        let local = self.fresh_local(span);
        let of = match &list_low.ty {
            Type::List(of) => (**of).clone(),
            _ => Type::Unknown,
        };
        self.frame.variables.push((name.value.clone(), local, of));
        self.frame.nesting += 1;
        let condition = condition.map(|condition| self.condition(condition));
        let item_low = match want {
            Some(want) => self.wanted(item, want),
            None => self.infer(item),
        };
        self.frame.nesting -= 1;
        self.frame.variables.pop();
        if item_low.ty.is_list() {
            let diagnostic = Diagnostic::new(Code::M008, item_low.span, "a list holds single values, this is a list")
                .help("write flatten(…) around a list of lists, or take one value");
            return self.refuse(diagnostic, span);
        }
        let node = Node::Comprehension {
            list: list_low.node,
            local,
            condition: condition.map(|low| low.node),
            item: item_low.node,
            unique: false,
        };
        self.low(node, item_low.ty.list(), false, span)
    }

    /// An expression that has to be a list, of any items.
    pub fn list_of(&mut self, expr: &'a Expr, place: &str) -> Low {
        let low = self.infer(expr);
        if low.ty.is_list() || low.is_unknown() {
            return low;
        }
        let any = Type::Nothing.list();
        match &low.ty {
            Type::Json => self.coerce(low, Want::argument(&Type::Json.list(), place), expr),
            _ => self.coerce(low, Want::argument(&any, place), expr),
        }
    }

    fn name(&mut self, name: &'a str, span: Span) -> Low {
        if let Some((_, local, ty)) = self.frame.variables.iter().rev().find(|(known, ..)| **known == *name).cloned() {
            return self.low(Node::Local(local), ty, true, span);
        }
        match self.scope.find(self.file, name) {
            Some(Binding::Let(_)) if !self.open_consts.is_empty() => {
                let diagnostic = Diagnostic::new(Code::M007, span, format!("a const is known without an entry, `{name}` is not"))
                    .help("write let instead of const");
                return self.refuse(diagnostic, span);
            }
            Some(Binding::Let(index)) => {
                if let Some(low) = self.let_value(index, name, span) {
                    return low;
                }
            }
            Some(Binding::Const(value, file)) => return self.const_value(value, file, span),
            Some(Binding::Table(_)) => {
                let diagnostic = Diagnostic::new(Code::M007, span, format!("the table `{name}` is no value"))
                    .help(format!("look a key up: {name}[…]"));
                return self.refuse(diagnostic, span);
            }
            None => {}
        }
        if let Some((local, ty)) = self.record_in_scope() {
            let record = self.low(Node::Local(local), ty, false, span);
            return self.member(record, name, span);
        }
        self.unknown_name(name, span)
    }

    fn record_in_scope(&mut self) -> Option<(u16, Type)> {
        let (local, ty, used) = self.frame.records.last_mut()?;
        *used = true;
        Some((*local, ty.clone()))
    }

    pub fn unknown_name(&mut self, name: &str, span: Span) -> Low {
        let mut known: Vec<String> = self.scope.names(self.file).into_iter().map(str::to_owned).collect();
        known.extend(self.frame.variables.iter().map(|(name, ..)| name.to_string()));
        let source = self.schema.find(name).is_some_and(|_| name != "all");
        let help = if source {
            format!("did you mean the source attribute `${name}`?")
        } else {
            match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("define it: let {name} = …, or read the source: ${name}"),
            }
        };
        let diagnostic = Diagnostic::new(Code::M002, span, format!("unknown name `{name}`")).help(help);
        let diagnostic = if source { diagnostic.fix(span, format!("${name}")) } else { diagnostic };
        self.refuse(diagnostic, span)
    }

    /// `None` = the name is a field here: a `let` does not see itself in its own filter.
    fn let_value(&mut self, index: usize, name: &str, span: Span) -> Option<Low> {
        match self.lower_let(index) {
            LetState::Done { plan, low, needs } => {
                self.needs.add(&needs);
                if let Some(constant) = self.known(low.node).cloned() {
                    return Some(self.constant(constant, low.ty, span));
                }
                Some(self.low(Node::Let(plan), low.ty, low.may_be_absent, span))
            }
            _ if !self.frame.records.is_empty() => None,
            _ => {
                let diagnostic = Diagnostic::new(Code::M021, span, format!("`{name}` is made of itself"))
                    .help("break the circle: a let may only use others that do not lead back to it");
                Some(self.refuse(diagnostic, span))
            }
        }
    }

    /// A const is written out where it is used. Only literals, lists and templates of them are known without an entry.
    fn const_value(&mut self, value: &'a Expr, file: FileId, span: Span) -> Low {
        if let Some(wrong) = not_constant(value) {
            let diagnostic = Diagnostic::new(Code::M007, wrong.span, "a const is known without an entry")
                .help("use literals, lists of them and other consts, or write let");
            return self.refuse(diagnostic, span);
        }
        if self.open_consts.contains(&value.span) {
            let diagnostic = Diagnostic::new(Code::M021, span, "this const is made of itself").help("break the circle");
            return self.refuse(diagnostic, span);
        }
        self.open_consts.push(value.span);
        let low = self.apart(file, None, |checker| checker.infer(value));
        self.open_consts.pop();
        Low { span, ..low }
    }

    fn it(&mut self, span: Span) -> Low {
        match self.frame.it.clone() {
            Some(ty) => self.low(Node::It, ty, false, span),
            None => {
                let diagnostic = Diagnostic::new(Code::M002, span, "`it` stands for nothing here")
                    .help("it is the item of any(…) and all(…), and the value in check (…)");
                self.refuse(diagnostic, span)
            }
        }
    }
}

/// Members a type knows by name, itself counted: lets may build records of records.
fn members_of(ty: &Type) -> usize {
    match ty {
        Type::List(item) => members_of(item),
        Type::Record(Some(fields)) => 1 + fields.iter().map(|(_, field)| members_of(&field.ty)).sum::<usize>(),
        _ => 1,
    }
}

fn display(constant: &Constant) -> Option<Box<str>> {
    match constant {
        Constant::Int(number) => Some(number.to_string().into()),
        Constant::Bool(value) => Some(value.to_string().into()),
        _ => None,
    }
}

/// The part of an expression that is not known without an entry.
pub fn not_constant(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::String(_)
        | ExprKind::Int(_)
        | ExprKind::Bool(_)
        | ExprKind::Regex { .. }
        | ExprKind::Bytes(_)
        | ExprKind::DateTime(_)
        | ExprKind::Duration(_)
        | ExprKind::Name(_)
        | ExprKind::Error => None,
        ExprKind::List(items) => items.iter().find_map(not_constant),
        ExprKind::Record(members) => members.iter().find_map(|(_, value)| not_constant(value)),
        ExprKind::Negative(inner) => not_constant(inner),
        ExprKind::Binary { operator: Spanned { value: Operator::Plus | Operator::Minus, .. }, left, right } => {
            not_constant(left).or_else(|| not_constant(right))
        }
        ExprKind::Template(parts) => parts.iter().find_map(|part| match part {
            Part::Hole { value, .. } => not_constant(value),
            Part::Text(_) => None,
        }),
        _ => Some(expr),
    }
}
