//! Calls: which function is meant, which argument goes to which parameter, and the few functions that are
//! instructions of their own because they see the source attribute rather than its value.

use super::super::nearest::{nearest, suggestion};
use super::super::scope::Binding;
use super::{Checker, Low, Want};
use crate::ast::{CallArgument, Expr, ExprKind, Operator};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::functions::{self, Accepts, Body, Function, Intrinsic, Parameter, Presence};
use crate::plan::{Constant, Conversion, Node, NodeId};
use crate::span::{Name, Span};
use crate::target::Kind;
use crate::types::{Type, Typed};

impl<'a> Checker<'a> {
    pub fn call(&mut self, name: &'a Name, optional: bool, arguments: &'a [CallArgument], span: Span) -> Low {
        let Some(function) = functions::find(&name.value) else { return self.unknown_function(name, arguments, span) };
        if optional && !function.fallible {
            let diagnostic =
                Diagnostic::new(Code::M006, name.span, format!("`{}` can't fail, so it has no `?` twin", function.name))
                    .help(format!("write {}(…)", function.name));
            self.sink.push(diagnostic);
        }
        if function.fallible && !optional {
            self.sink.push(
                Diagnostic::new(
                    Code::L05,
                    name.span,
                    format!("`{0}` may fail; the attribute then keeps its old value", function.name),
                )
                .help(format!("{}?(…) gives absent instead", function.name)),
            );
        }
        if function.create_only {
            self.needs.create_only = self.needs.create_only.or(Some(function.name));
        }
        match function.body {
            Body::Compiled(intrinsic) => self.intrinsic(function, intrinsic, arguments, span),
            Body::Native(_) | Body::Text(_) | Body::Test(_) => self.native(function, name, optional, arguments, span),
        }
    }

    fn unknown_function(&mut self, name: &'a Name, arguments: &'a [CallArgument], span: Span) -> Low {
        // Its arguments may hold mistakes of their own, but words of a function nobody knows are none.
        for argument in
            arguments.iter().filter(|argument| !matches!(argument.value.kind, ExprKind::Name(_) | ExprKind::Regex { .. }))
        {
            self.infer(&argument.value);
        }
        let known = functions::all().iter().map(|function| function.name);
        let near = nearest(&name.value, known).or_else(|| functions::nearest(&name.value).map(|function| function.name));
        let diagnostic = Diagnostic::new(Code::M005, name.span, format!("unknown function `{}`", name.value));
        let diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near),
            None => diagnostic.help("`mapping functions` lists them; a member is read without parentheses: x.name"),
        };
        self.refuse(diagnostic, span)
    }

    fn native(
        &mut self,
        function: &'static Function,
        name: &'a Name,
        optional: bool,
        arguments: &'a [CallArgument],
        span: Span,
    ) -> Low {
        let Some(placed) = self.place(function, arguments, name.span) else {
            for argument in arguments.iter().filter(|one| !matches!(one.value.kind, ExprKind::Name(_) | ExprKind::Regex { .. })) {
                self.infer(&argument.value);
            }
            return self.unknown(span);
        };
        let mut nodes: Vec<NodeId> = Vec::with_capacity(placed.len());
        let mut types: Vec<Typed> = Vec::with_capacity(placed.len());
        for (parameter, argument) in placed {
            let low = match argument {
                Some(argument) => self.argument(function, parameter, argument),
                None => self.constant(Constant::Absent, Type::Nothing, span),
            };
            nodes.push(low.node);
            types.push(Typed { may_be_absent: low.may_be_absent && argument.is_some(), ty: low.ty });
        }
        let mut result = functions::result_of(function, optional, &types);
        if types.iter().any(|argument| argument.ty == Type::Unknown) {
            result.ty = Type::Unknown;
        }
        if function.name == "unique"
            && let [only] = nodes[..]
            && let Some(Node::Comprehension { unique, .. }) = self.nodes.get_mut(only as usize)
        {
            *unique = true;
            return Low { node: only, ty: result.ty, may_be_absent: result.may_be_absent, span };
        }
        self.low(Node::Call { function, arguments: nodes.into(), optional }, result.ty, result.may_be_absent, span)
    }

    /// One argument per parameter, then the repeated ones; `None` = reported.
    fn place(
        &mut self,
        function: &'static Function,
        arguments: &'a [CallArgument],
        at: Span,
    ) -> Option<Vec<(&'static Parameter, Option<&'a Expr>)>> {
        let mut positional = arguments.iter().filter(|argument| argument.name.is_none()).map(|argument| &argument.value);
        let mut placed = Vec::new();
        let mut repeated = None;
        for parameter in function.parameters {
            let argument = match parameter.presence {
                Presence::Named => {
                    let named = |one: &&CallArgument| one.name.as_ref().is_some_and(|name| *name.value == *parameter.name);
                    arguments.iter().find(named).map(|argument| &argument.value)
                }
                Presence::Repeated => {
                    repeated = Some(parameter);
                    continue;
                }
                Presence::Optional => positional.next(),
                Presence::Required | Presence::SeesAbsent => {
                    let next = positional.next();
                    if next.is_none() {
                        self.arguments_wrong(function, at, format!("`{}` needs `{}`", function.name, parameter.name));
                        return None;
                    }
                    next
                }
            };
            placed.push((parameter, argument));
        }
        if let Some(parameter) = repeated {
            placed.extend(positional.by_ref().map(|argument| (parameter, Some(argument))));
        }
        if let Some(extra) = positional.next() {
            self.arguments_wrong(function, extra.span, format!("`{}` does not take that many arguments", function.name));
            return None;
        }
        self.names_fit(function, arguments).then_some(placed)
    }

    fn names_fit(&mut self, function: &'static Function, arguments: &'a [CallArgument]) -> bool {
        let mut fit = true;
        for (position, argument) in arguments.iter().enumerate() {
            let Some(name) = &argument.name else { continue };
            let known = function.parameters.iter().any(|one| one.presence == Presence::Named && *one.name == *name.value);
            let twice = arguments[..position].iter().any(|one| one.name.as_ref().is_some_and(|other| other.value == name.value));
            if !known || twice {
                let what = if known { "is given twice" } else { "is no argument by name" };
                self.arguments_wrong(function, name.span, format!("`{}` {what}", name.value));
                fit = false;
            }
        }
        fit
    }

    fn arguments_wrong(&mut self, function: &'static Function, at: Span, message: String) {
        self.sink.push(Diagnostic::new(Code::M006, at, message).help(format!("it is {}", function.signature)));
    }

    fn argument(&mut self, function: &'static Function, parameter: &'static Parameter, expr: &'a Expr) -> Low {
        let place = format!("`{}` of {}", parameter.name, function.name);
        let ty = match parameter.accepts {
            Accepts::Text => Type::String,
            Accepts::Bool => Type::Bool,
            Accepts::Int => Type::Int,
            Accepts::DateTime => Type::DateTime,
            Accepts::Duration => Type::Duration,
            Accepts::Binary => Type::Binary,
            Accepts::Guid => Type::Guid,
            Accepts::Sid => Type::Sid,
            Accepts::FileTime => Type::FileTime,
            Accepts::GenTime => Type::GenTime,
            Accepts::Dn => Type::Dn,
            Accepts::TextList => Type::String.list(),
            Accepts::Record => Type::Record(None),
            Accepts::RecordList => Type::Record(None).list(),
            Accepts::Any => return self.any_argument(expr),
            Accepts::List => return self.list_of(expr, &place),
            Accepts::Regex => return self.regex_argument(&place, expr, false),
            Accepts::TextOrRegex => return self.regex_argument(&place, expr, true),
            Accepts::Table => return self.table_argument(&place, expr),
            Accepts::Word(words) => return self.word(function, words, expr),
            Accepts::Condition => return self.condition(expr),
        };
        let low = self.infer(expr);
        // A record keeps what is known of its members: `pick(r, "a").a`.
        let ty = if matches!((&low.ty, &ty), (Type::Record(_), Type::Record(None))) { low.ty.clone() } else { ty };
        self.coerce(low, Want::argument(&ty, &place), expr)
    }

    /// Any type; what is binary only by its coding is text.
    fn any_argument(&mut self, expr: &'a Expr) -> Low {
        let low = self.infer(expr);
        match low.ty {
            Type::Guid => self.convert(low, &[Conversion::GuidText], Type::String),
            Type::Sid => self.convert(low, &[Conversion::SidText], Type::String),
            _ => low,
        }
    }

    fn regex_argument(&mut self, place: &str, expr: &'a Expr, or_text: bool) -> Low {
        match self.regex_literal(expr) {
            Some(Some(regex)) => self.low(Node::RegexArgument(regex), Type::Regex, false, expr.span),
            Some(None) => self.unknown(expr.span),
            None if or_text => self.wanted(expr, Want::argument(&Type::String, place)),
            None => {
                let diagnostic = Diagnostic::new(Code::M007, expr.span, format!("{place} needs a regular expression"))
                    .help("write it between slashes: /^a+$/");
                self.refuse(diagnostic, expr.span)
            }
        }
    }

    fn table_argument(&mut self, place: &str, expr: &'a Expr) -> Low {
        match self.table_named(place, expr).and_then(|table| self.table(table)) {
            Some(facts) => self.low(Node::TableArgument(facts.plan), Type::Table, false, expr.span),
            None => self.unknown(expr.span),
        }
    }

    /// The table a bare name stands for; `None` = reported.
    fn table_named(&mut self, place: &str, expr: &'a Expr) -> Option<usize> {
        if let ExprKind::Name(name) = &expr.kind {
            match self.scope.find(self.file, name) {
                Some(Binding::Table(table)) => return Some(table),
                None => {
                    let tables = self.scope.tables.iter().map(|(table, _)| &*table.name.value).collect::<Vec<_>>();
                    let help = suggestion(name, tables, &format!("define it: table {name} {{ \"key\" => \"value\" }}"));
                    self.sink.push(Diagnostic::new(Code::M002, expr.span, format!("unknown table `{name}`")).help(help));
                    return None;
                }
                Some(_) => {}
            }
        }
        self.sink.push(Diagnostic::new(Code::M007, expr.span, format!("{place} needs the name of a table")).help("give a table"));
        None
    }

    /// A bare word, or several joined by `or`-less lists: `uac(n, ACCOUNTDISABLE)`.
    fn word(&mut self, function: &'static Function, words: &'static [&'static str], expr: &'a Expr) -> Low {
        if let ExprKind::Name(name) = &expr.kind {
            if words.contains(&&**name) {
                return self.constant(Constant::String(name.clone()), Type::String, expr.span);
            }
            let all = format!("one of: {}", words.join(", "));
            let help = suggestion(name, words.iter().copied(), &all);
            let message = format!("`{}` does not know the word `{name}`", function.name);
            return self.refuse(Diagnostic::new(Code::M006, expr.span, message).help(help), expr.span);
        }
        let message = format!("`{}` needs a word here, without quotes", function.name);
        let help = format!("one of: {}", words.join(", "));
        self.refuse(Diagnostic::new(Code::M006, expr.span, message).help(help), expr.span)
    }

    fn intrinsic(&mut self, function: &'static Function, intrinsic: Intrinsic, arguments: &'a [CallArgument], span: Span) -> Low {
        let wanted = function.parameters.len();
        if arguments.len() != wanted || arguments.iter().any(|argument| argument.name.is_some()) {
            let message = format!("`{}` takes {wanted} argument{}", function.name, if wanted == 1 { "" } else { "s" });
            self.arguments_wrong(function, span, message);
            return self.unknown(span);
        }
        let first = &arguments[0].value;
        match intrinsic {
            Intrinsic::Has => self.has(first, span),
            Intrinsic::Present => self.present(first, span),
            Intrinsic::IsNull => self.is_null(first, span),
            Intrinsic::Default => {
                let operator = crate::span::Spanned { span, value: Operator::Coalesce };
                self.binary(&operator, first, &arguments[1].value, span)
            }
            Intrinsic::Any | Intrinsic::All => self.each(function, intrinsic, first, &arguments[1].value, span),
            Intrinsic::Nested => self.nested(function, first, span),
            Intrinsic::Lookup => match self.table_named("`lookup`", first) {
                Some(table) => self.lookup(table, &arguments[1].value, span),
                None => self.unknown(span),
            },
        }
    }

    /// The slot an expression reads whole: `$x` or `$x[*]`.
    fn slot_of(&mut self, expr: &'a Expr) -> Option<(u16, bool)> {
        let source = match &expr.kind {
            ExprKind::All(inner) => &inner.kind,
            other => other,
        };
        let ExprKind::Source(name) = source else { return None };
        let found = self.find_source(name, expr.span)?;
        let slot = self.slot(&found.known, false, expr.span);
        Some((slot, found.member.is_none()))
    }

    fn has(&mut self, expr: &'a Expr, span: Span) -> Low {
        match self.slot_of(expr) {
            Some((slot, true)) => self.low(Node::Has(slot), Type::Bool, false, span),
            _ => self.present_value(expr, span),
        }
    }

    fn present(&mut self, expr: &'a Expr, span: Span) -> Low {
        match self.slot_of(expr) {
            // All values: asking whether there is one takes none of several.
            Some((slot, true)) => {
                let all = self.add(Node::All(slot), expr.span);
                self.low(Node::Present(all), Type::Bool, false, span)
            }
            _ => self.present_value(expr, span),
        }
    }

    fn present_value(&mut self, expr: &'a Expr, span: Span) -> Low {
        let low = self.infer(expr);
        match self.known(low.node) {
            Some(Constant::Absent) if !low.is_unknown() => self.constant(Constant::Bool(false), Type::Bool, span),
            _ => self.low(Node::Present(low.node), Type::Bool, false, span),
        }
    }

    fn is_null(&mut self, expr: &'a Expr, span: Span) -> Low {
        if let Some((slot, true)) = self.slot_of(expr) {
            return self.low(Node::SlotIsNull(slot), Type::Bool, false, span);
        }
        let low = self.infer(expr);
        self.low(Node::IsNull(low.node), Type::Bool, false, span)
    }

    fn each(
        &mut self,
        function: &'static Function,
        intrinsic: Intrinsic,
        list: &'a Expr,
        condition: &'a Expr,
        span: Span,
    ) -> Low {
        let list_low = self.list_of(list, &format!("`{}`", function.name));
        let item = match &list_low.ty {
            Type::List(item) => (**item).clone(),
            _ => Type::Unknown,
        };
        let before = self.frame.it.replace(item);
        let condition = self.condition(condition);
        self.frame.it = before;
        let node = match intrinsic {
            Intrinsic::All => Node::Every { list: list_low.node, condition: condition.node },
            _ => Node::Any { list: list_low.node, condition: condition.node },
        };
        self.low(node, Type::Bool, false, span)
    }

    fn nested(&mut self, function: &'static Function, list: &'a Expr, span: Span) -> Low {
        let source = match &list.kind {
            ExprKind::All(inner) => match &inner.kind {
                ExprKind::Source(name) => Some(name),
                _ => None,
            },
            _ => None,
        };
        match source {
            Some(name) if self.schema.kind == Kind::Ldap => {
                let low = self.all_of(name, true, list.span);
                Low { span, ..low }
            }
            _ => {
                let message = format!("`{}` takes all values of an attribute of a directory", function.name);
                let diagnostic =
                    Diagnostic::new(Code::M006, list.span, message).help("write nested($memberOf[*]), in a mapping from ldap");
                self.refuse(diagnostic, span)
            }
        }
    }
}
