//! Reading: source attributes, their items and members, filters, results of other rules and the stored profile.
//! `$x` is one value, `$x[*]` all of them, whatever the entry holds.

use super::super::nearest::suggestion;
use super::super::scope::Binding;
use super::{Checker, Low, Want};
use crate::ast::{Expr, ExprKind, SourceName};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{Constant, Conversion, Node, NodeId};
use crate::span::{Name, Span};
use crate::target::{self, Kind};
use crate::types::{Type, Typed};

impl<'a> Checker<'a> {
    /// `$x`: the first value, or absent.
    pub fn source(&mut self, name: &'a SourceName, span: Span) -> Low {
        let Some(found) = self.find_source(name, span) else { return self.unknown(span) };
        let slot = self.slot(&found.known, false, span);
        if found.known.list && !self.first_of_many.contains_key(&slot) {
            self.first_of_many.insert(slot, span);
            let name = self.text_of(span);
            self.sink.push(
                Diagnostic::new(Code::L04, span, format!("`{name}` has several values, this reads the first"))
                    .help(format!("say so with {name}[0], or take all: {name}[*]")),
            );
        }
        let whole = &found.known;
        let sure = &*whole.name == "$all";
        let low = self.low(Node::One { slot, strict: self.strict }, whole.ty.clone(), !sure, span);
        let low = self.decode(low);
        match found.member {
            None => low,
            Some((member, Some(known))) => {
                let ty = if known.list { Type::Json } else { known.ty.clone() };
                let field = self.low(Node::Field(low.node, member), ty, true, span);
                if known.list { self.decoded_list(field, &known.ty) } else { self.decode(field) }
            }
            Some((member, None)) => self.member(low, &member, span),
        }
    }

    /// A JSON list of a declared type.
    fn decoded_list(&mut self, low: Low, item: &Type) -> Low {
        let list = self.convert(low, &[Conversion::List], Type::Json.list());
        let list = Low { ty: item.clone().list(), may_be_absent: false, ..list };
        self.decode(list)
    }

    /// `$x[*]`
    pub fn all_of(&mut self, name: &'a SourceName, nested: bool, span: Span) -> Low {
        let Some(found) = self.find_source(name, span) else { return self.unknown(span) };
        if found.member.is_some() {
            let one = self.source(name, span);
            return self.as_list(one);
        }
        let slot = self.slot(&found.known, nested, span);
        let low = self.low(Node::All(slot), found.known.ty.list(), false, span);
        self.decode(low)
    }

    /// What a reader may hand over as text (LDAP) or JSON, in its own type. Guids, sids and times convert where used.
    pub fn decode(&mut self, low: Low) -> Low {
        let (item, many) = match &low.ty {
            Type::List(item) => (&**item, true),
            ty => (ty, false),
        };
        let json = self.schema.json();
        let conversion = match item {
            Type::Int => Conversion::Int,
            Type::Bool => Conversion::Bool,
            Type::DateTime => Conversion::TextToDateTime,
            Type::Binary => Conversion::Binary,
            Type::String | Type::Dn | Type::GenTime if json => Conversion::Text,
            Type::Record(_) if json && !self.is_whole(low.node) => Conversion::Record,
            _ => return low,
        };
        let ty = item.clone();
        if many { self.convert_each(low, &[conversion], ty) } else { self.convert(low, &[conversion], ty) }
    }

    /// `$all` is a record already.
    fn is_whole(&self, node: NodeId) -> bool {
        matches!(self.nodes.get(node as usize), Some(Node::One { slot, .. } | Node::All(slot))
            if self.slots.specs.get(usize::from(*slot)).is_some_and(|spec| &*spec.name == "$all"))
    }

    /// `x[*]`
    pub fn all(&mut self, base: &'a Expr, span: Span) -> Low {
        if let ExprKind::Source(name) = &base.kind {
            return self.all_of(name, false, span);
        }
        let low = self.infer(base);
        let low = self.as_list(low);
        Low { span, ..low }
    }

    fn as_list(&mut self, low: Low) -> Low {
        match low.ty {
            Type::List(_) | Type::Unknown => low,
            Type::Json => {
                let list = self.convert(low, &[Conversion::List], Type::Json.list());
                Low { may_be_absent: false, ..list }
            }
            ref ty => {
                let ty = ty.clone().list();
                let list = self.convert(low, &[Conversion::Wrap], ty);
                Low { may_be_absent: false, ..list }
            }
        }
    }

    /// `x.name`
    pub fn field(&mut self, base: &'a Expr, name: &'a Name, span: Span) -> Low {
        let low = self.infer(base);
        let low = self.member(low, &name.value, name.span);
        Low { span, ..low }
    }

    /// A member of a record; of a list of records, the list of that member.
    pub fn member(&mut self, base: Low, name: &str, span: Span) -> Low {
        let (record, many) = match &base.ty {
            Type::List(item) => (&**item, true),
            ty => (ty, false),
        };
        let found: Typed = match record {
            Type::Unknown => return self.unknown(span),
            Type::Json | Type::Record(None) => Type::Json.or_absent(),
            Type::Record(Some(fields)) => match self.field_of(fields, name) {
                Some((spelled, found)) => return self.typed_member(base, &spelled, found, many, span),
                None => {
                    let known = fields.iter().map(|(known, _)| &**known).collect::<Vec<_>>();
                    let otherwise = format!("it has: {}", known.join(", "));
                    let help = suggestion(name, known, &otherwise);
                    let diagnostic = Diagnostic::new(Code::M002, span, format!("unknown member `{name}`")).help(help);
                    return self.refuse(diagnostic, span);
                }
            },
            other => {
                let message = format!("a {other} has no members, `{name}` is asked of it");
                let help = format!("a function is called with parentheses: .{name}(…); JSON is declared in attrs");
                return self.refuse(Diagnostic::new(Code::M007, span, message).help(help), span);
            }
        };
        self.typed_member(base, name, found, many, span)
    }

    fn field_of(&self, fields: &[(Box<str>, Typed)], name: &str) -> Option<(Box<str>, Typed)> {
        let folds = self.schema.kind == Kind::Scim;
        fields
            .iter()
            .find(|(known, _)| **known == *name || folds && known.eq_ignore_ascii_case(name))
            .map(|(known, ty)| (known.clone(), ty.clone()))
    }

    fn typed_member(&mut self, base: Low, name: &str, found: Typed, many: bool, span: Span) -> Low {
        let node = Node::Field(base.node, name.into());
        if many {
            let low = match found.ty {
                // A projection over lists of lists stays JSON.
                Type::List(_) => self.low(node, Type::Json.list(), false, span),
                ty => self.low(node, ty.list(), false, span),
            };
            return self.decode(low);
        }
        let low = self.low(node, found.ty, found.may_be_absent || base.may_be_absent, span);
        self.decode(low)
    }

    /// `x[…]`: an item by number, a member by name, a row of a table, or what fits a condition.
    pub fn index(&mut self, base: &'a Expr, index: &'a Expr, span: Span) -> Low {
        if let ExprKind::Name(name) = &base.kind
            && !self.frame.variables.iter().any(|(known, ..)| known == name)
            && let Some(Binding::Table(table)) = self.scope.find(self.file, name)
        {
            return self.lookup(table, index, span);
        }
        match (&base.kind, &index.kind) {
            (_, ExprKind::String(name)) => {
                let low = self.infer(base);
                let low = self.member(low, name, index.span);
                Low { span, ..low }
            }
            (ExprKind::Source(name), _) => {
                let list = self.all_of(name, false, base.span);
                self.pick(list, base, index, span)
            }
            _ => {
                let low = self.infer(base);
                self.pick(low, base, index, span)
            }
        }
    }

    fn pick(&mut self, base: Low, written: &'a Expr, index: &'a Expr, span: Span) -> Low {
        let item = match &base.ty {
            Type::List(item) => (**item).clone(),
            Type::Json | Type::Record(None) => Type::Json,
            Type::Unknown => return self.unknown(span),
            _ => {
                let any = Type::Nothing.list();
                return self.coerce(base, Want::argument(&any, "`[…]`"), written);
            }
        };
        let local = self.fresh_local(span);
        self.frame.records.push((local, item.clone(), false));
        let chosen = self.infer(index);
        let used = self.frame.records.pop().is_some_and(|(.., used)| used);
        match chosen.ty {
            Type::Unknown => self.unknown(span),
            Type::Bool => self.filter(base, item, local, chosen, span),
            Type::Json if used => {
                let condition = self.convert(chosen, &[Conversion::Bool], Type::Bool);
                self.filter(base, item, local, condition, span)
            }
            Type::String | Type::Json if !base.ty.is_list() => {
                let key = self.coerce(chosen, Want::argument(&Type::String, "the name of a member"), index);
                self.low(Node::Member(base.node, key.node), Type::Json, true, span)
            }
            Type::Int | Type::FileTime | Type::Json if !used => {
                let list = self.as_list(base);
                let at = self.coerce(chosen, Want::argument(&Type::Int, "the number of an item"), index);
                self.low(Node::Item(list.node, at.node), item, true, span)
            }
            other => {
                let message = format!("`[…]` needs an item's number or a condition, this is {other}");
                let help = "write [0], [-1], [*], or a condition over members: [type == \"work\"]";
                self.refuse(Diagnostic::new(Code::M007, index.span, message).help(help), span)
            }
        }
    }

    fn filter(&mut self, base: Low, item: Type, local: u16, condition: Low, span: Span) -> Low {
        let list = self.as_list(base);
        self.low(Node::Filter { list: list.node, local, condition: condition.node }, item.list(), false, span)
    }

    /// `new.x`
    pub fn new_value(&mut self, path: &'a [Name], span: Span) -> Low {
        let key = super::super::rules::key(path);
        let Some(&rule) = self.rule_index.get(&key) else {
            let known = self.rules.iter().map(|rule| rule.shown()).collect::<Vec<_>>();
            let shown = super::super::rules::shown(path);
            let otherwise = format!("write a rule first: {shown} = …");
            let help = suggestion(&shown, known.iter().map(String::as_str), &otherwise);
            let message = format!("no rule writes `{shown}`");
            return self.refuse(Diagnostic::new(Code::M004, span, message).help(help), span);
        };
        self.needs.rules.insert(rule);
        let ty = self.target_type(path).unwrap_or(Type::Unknown);
        self.low(Node::New(rule), ty, true, span)
    }

    /// `old.x`
    pub fn old_value(&mut self, path: &'a [Name], span: Span) -> Low {
        let names: Vec<&str> = path.iter().map(|name| &*name.value).collect();
        let ty = match self.to {
            Kind::Profile => target::of_profile(&names)
                .or_else(|| names.first().filter(|root| target::OPEN_ROOTS.contains(root)).map(|_| Type::Json)),
            Kind::Group => target::of_group(&names),
            _ => {
                let diagnostic = Diagnostic::new(Code::M002, span, "nothing is stored of an outgoing mapping's result")
                    .help("read the profile: $name");
                return self.refuse(diagnostic, span);
            }
        };
        let Some(ty) = ty else {
            let shown = names.join(".");
            let help = suggestion(&shown, target::ROOTS.iter().map(|(name, _)| *name), "what is open lies below app_metadata");
            let message = format!("a stored profile has no `{shown}`");
            return self.refuse(Diagnostic::new(Code::M004, span, message).help(help), span);
        };
        let path: Box<[Box<str>]> = names.iter().map(|name| Box::from(*name)).collect();
        let index = self.old.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.old.push(path);
            self.old.len() - 1
        });
        self.low(Node::Old(u16::try_from(index).unwrap_or(u16::MAX)), ty, true, span)
    }

    /// `inherited`: the expression of the rule this one overrides, as if written here.
    pub fn inherited(&mut self, span: Span, want: Option<Want<'_>>) -> Low {
        let Some(base) = self.base else {
            let diagnostic = Diagnostic::new(Code::M022, span, "`inherited` stands for nothing here")
                .help("it is the value of the rule that `override` replaces");
            return self.refuse(diagnostic, span);
        };
        let (rule, file, next) = {
            let rule = &self.rules[base];
            (rule.rule, rule.file, rule.base)
        };
        let crate::ast::RuleValue::Expr(value) = &rule.value else {
            let diagnostic = Diagnostic::new(Code::M022, span, "the inherited rule is a `first_free`, which has no value to use")
                .help("write the candidates again");
            return self.refuse(diagnostic, span);
        };
        let low = self.apart(file, next, |checker| match want {
            Some(want) => checker.wanted(value, want),
            None => checker.infer(value),
        });
        Low { span, ..low }
    }

    /// `table[x]` and `lookup(table, x)`
    pub fn lookup(&mut self, table: usize, key: &'a Expr, span: Span) -> Low {
        let Some(facts) = self.table(table) else {
            self.infer(key);
            return self.unknown(span);
        };
        let low = self.infer(key);
        let item = match &low.ty {
            Type::List(item) => (**item).clone(),
            ty => ty.clone(),
        };
        let list = low.ty.is_list();
        let as_text = match item {
            Type::Int | Type::Bool | Type::Json => Some(Conversion::Display),
            _ => None,
        };
        let key_low = match (as_text, list) {
            (Some(to), true) => self.convert_each(low, &[to], Type::String),
            (Some(to), false) => self.convert(low, &[to], Type::String),
            (None, true) => self.coerce(low, Want::argument(&Type::String.list(), "a table's key"), key),
            (None, false) => self.coerce(low, Want::argument(&Type::String, "a table's key"), key),
        };
        if key_low.is_unknown() {
            return self.unknown(span);
        }
        if list {
            return self.low(Node::LookupAll { table: facts.plan, keys: key_low.node }, facts.ty.list(), false, span);
        }
        if let Some(Constant::String(text)) = self.known(key_low.node).cloned()
            && let Some(found) = self.tables[usize::from(facts.plan)].rows.get(&text).cloned()
        {
            return self.constant(found, facts.ty, span);
        }
        let may_be_absent = facts.may_be_absent || key_low.may_be_absent;
        self.low(Node::Lookup { table: facts.plan, key: key_low.node }, facts.ty, may_be_absent, span)
    }
}
