//! Rules: which are in force (own ones, inherited ones, overridden and removed ones), whether their targets exist, what
//! each writes and in which order they run, so that `new.x` is there when it is read. Gates as well.

use super::lower::{Checker, Low, Needs, Want};
use super::nearest::{nearest, suggestion};
use super::schema::Schema;
use crate::ast::{self, Item, RuleValue, Target};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::RULES_MAX;
use crate::plan;
use crate::span::{FileId, Name, Span, line_of};
use crate::target::{self, Kind};
use crate::types::Type;
use std::collections::HashMap;

/// A rule with the file it stands in and what it overrides.
#[derive(Clone, Debug)]
pub struct Effective<'a> {
    pub rule: &'a ast::Rule,
    pub file: FileId,
    /// Index of the overridden rule, for `inherited`.
    pub base: Option<usize>,
}

impl Effective<'_> {
    pub fn shown(&self) -> String {
        shown(&self.rule.target.path)
    }
}

/// A target as one string that no other target has.
pub fn key(path: &[Name]) -> String {
    path.iter().map(|name| &*name.value).collect::<Vec<_>>().join("\u{1f}")
}

/// A target as people write it.
pub fn shown(path: &[Name]) -> String {
    path.iter().map(|name| &*name.value).collect::<Vec<_>>().join(".")
}

/// What is in force, as indexes into [`Checker::rules`].
#[derive(Debug, Default)]
struct InForce {
    /// In the order of the text, inherited ones first.
    order: Vec<usize>,
    by_key: HashMap<String, usize>,
    seen: Vec<FileId>,
}

impl<'a> Checker<'a> {
    /// Finds the rules in force; afterwards `rules[i]` for `i` in the result are lowered in that order.
    pub fn rules_in_force(&mut self) -> Vec<usize> {
        let mut force = InForce::default();
        self.walk(FileId(0), &mut force);
        self.inside_one_another(&force);
        for (place, &index) in force.order.iter().enumerate() {
            let key = key(&self.rules[index].rule.target.path);
            self.rule_index.insert(key, u16::try_from(place).unwrap_or(u16::MAX));
        }
        force.order
    }

    fn walk(&mut self, file: FileId, force: &mut InForce) {
        if force.seen.contains(&file) {
            return;
        }
        force.seen.push(file);
        let files = self.files;
        let loaded = &files[usize::from(file.0)];
        let mut uses = loaded.uses.iter();
        for item in &loaded.ast.items {
            match item {
                Item::Use { .. } => {
                    if let Some(Some(used)) = uses.next() {
                        self.walk(*used, force);
                    }
                }
                Item::Rule(rule) => self.enter(rule, file, force),
                Item::Remove { target, .. } => self.remove(target, file, force),
                _ => {}
            }
        }
    }

    fn enter(&mut self, rule: &'a ast::Rule, file: FileId, force: &mut InForce) {
        let key = key(&rule.target.path);
        let name = shown(&rule.target.path);
        let existing = force.by_key.get(&key).copied();
        if self.rules.len() >= RULES_MAX {
            let diagnostic =
                Diagnostic::new(Code::M015, rule.span, format!("more than {RULES_MAX} rules")).help("split the mapping");
            self.sink.push(diagnostic);
            return;
        }
        let base = match existing {
            // A target that does not exist is said to be so, once.
            None if rule.replaces && self.target_type(&rule.target.path).is_some() => {
                let known: Vec<String> = force.order.iter().map(|&index| self.rules[index].shown()).collect();
                let help = suggestion(&name, known.iter().map(String::as_str), "leave `override` out");
                let message = format!("`override`, but no included rule writes `{name}`");
                self.sink.push(Diagnostic::new(Code::M022, rule.target.span, message).help(help));
                None
            }
            None => None,
            Some(index) if self.rules[index].file == file => {
                let first = self.rules[index].rule.target.span;
                let diagnostic = Diagnostic::new(Code::M009, rule.target.span, format!("`{name}` has two rules"))
                    .also(first, "first here")
                    .help("join them: a ?? b");
                self.sink.push(diagnostic);
                return;
            }
            Some(index) => {
                if !rule.replaces {
                    let at = Span { end: rule.target.span.start, ..rule.target.span };
                    let diagnostic =
                        Diagnostic::new(Code::M020, rule.target.span, format!("`{name}` replaces an inherited rule"))
                            .also(self.rules[index].rule.target.span, "inherited from here")
                            .help(format!("say so: override {name} = …"))
                            .fix(at, "override ");
                    self.sink.push(diagnostic);
                }
                Some(index)
            }
        };
        self.rules.push(Effective { rule, file, base });
        let new = self.rules.len() - 1;
        match existing.and_then(|old| force.order.iter().position(|&index| index == old)) {
            Some(place) => force.order[place] = new,
            None => force.order.push(new),
        }
        force.by_key.insert(key, new);
    }

    fn remove(&mut self, target: &'a Target, file: FileId, force: &mut InForce) {
        let key = key(&target.path);
        let inherited = force.by_key.get(&key).copied().filter(|&index| self.rules[index].file != file);
        match inherited {
            Some(index) => {
                force.by_key.remove(&key);
                force.order.retain(|&other| other != index);
            }
            None => {
                let name = shown(&target.path);
                let known: Vec<String> = force.order.iter().map(|&index| self.rules[index].shown()).collect();
                let help = suggestion(&name, known.iter().map(String::as_str), "only what `use` brought in can be removed");
                let message = format!("no included rule writes `{name}`");
                self.sink.push(Diagnostic::new(Code::M022, target.span, message).help(help));
            }
        }
    }

    /// `a.b` and `a.b.c` can't both be written.
    fn inside_one_another(&mut self, force: &InForce) {
        for &index in &force.order {
            let path = &self.rules[index].rule.target.path;
            let outer = (1..path.len()).rev().find_map(|length| force.by_key.get(&key(&path[..length])));
            if let Some(&outer) = outer {
                let (inner, outer_name) = (shown(path), self.rules[outer].shown());
                let diagnostic = Diagnostic::new(
                    Code::M009,
                    self.rules[index].rule.target.span,
                    format!("`{inner}` lies inside `{outer_name}`, which has a rule of its own"),
                )
                .also(self.rules[outer].rule.target.span, "written whole here")
                .help("write the whole as a record, or only its members");
                self.sink.push(diagnostic);
            }
        }
    }

    /// What a target wants; `None` = there is no such target.
    pub fn target_type(&self, path: &[Name]) -> Option<Type> {
        let names: Vec<&str> = path.iter().map(|name| &*name.value).collect();
        match self.to {
            Kind::Profile => target::of_profile(&names),
            Kind::Group => target::of_group(&names),
            Kind::Oidc => target::of_claim(&names),
            Kind::Saml if names == ["name_id"] => Some(Type::String),
            _ => Some(Type::Json),
        }
    }

    /// A claim that no mapping writes.
    fn refused_claim(&mut self, target: &Target) {
        let name = shown(&target.path);
        let first = target.path.first().map_or("", |name| &*name.value);
        let diagnostic = if target::RESERVED_CLAIMS.contains(&first) {
            Diagnostic::new(Code::M004, target.span, format!("`{first}` is the provider's own claim, which no mapping writes"))
                .help(format!("give it a name of yours: \"https://example.com/{first}\""))
        } else {
            Diagnostic::new(Code::M004, target.span, format!("`{}` can't be the name of a claim", name.escape_debug()))
                .help(format!("1 to {} bytes, none of them a control character", target::CLAIM_NAME_BYTES_MAX))
        };
        self.sink.push(diagnostic);
    }

    fn unknown_target(&mut self, target: &Target) {
        if self.to == Kind::Oidc {
            self.refused_claim(target);
            return;
        }
        let name = shown(&target.path);
        let mut diagnostic = Diagnostic::new(Code::M004, target.span, format!("unknown target `{name}`"));
        let group = self.to == Kind::Group;
        let mut known: Vec<&str> = if group { vec!["name"] } else { target::ROOTS.iter().map(|(name, _)| *name).collect() };
        if !group {
            known.push("groups");
        }
        let first = target.path.first().map_or("", |name| &*name.value);
        let help = if first == "roles" && !group {
            diagnostic = diagnostic.fix(target.span, "app_metadata.roles");
            "roles go to app_metadata.roles".to_owned()
        } else if target::OPEN_ROOTS.contains(&first) && target.path.len() == 1 {
            format!("name a member of it: {first}.something")
        } else if let Some(near) = nearest(&name, known) {
            diagnostic = diagnostic.fix(target.span, near);
            format!("did you mean `{near}`?")
        } else {
            let what = if group { "group" } else { "profile" };
            format!("what a {what} has no name for goes below app_metadata: app_metadata.{first}")
        };
        self.sink.push(diagnostic.help(help));
    }

    /// Lowers the rules in force, in the order of the text.
    pub fn lower_rules(&mut self, order: &[usize]) -> Vec<(plan::Rule, Needs)> {
        order.iter().map(|&index| self.lower_rule(index)).collect()
    }

    fn lower_rule(&mut self, index: usize) -> (plan::Rule, Needs) {
        let Effective { rule, file, base } = self.rules[index].clone();
        let ty = self.target_type(&rule.target.path).unwrap_or_else(|| {
            self.unknown_target(&rule.target);
            Type::Unknown
        });
        let modifiers = self.modifiers(rule, file, &ty);
        let name = shown(&rule.target.path);
        let place = format!("`{name}`");
        let want = Want { ty: &ty, place: &place, dates_as_text: true, keep: true };
        let ((value, condition), needs) = self.needing(|checker| {
            checker.apart(file, base, |checker| {
                checker.strict = modifiers.strict;
                let value = match &rule.value {
                    RuleValue::Expr(expr) => {
                        let low = checker.wanted(expr, want);
                        Ok(low)
                    }
                    RuleValue::FirstFree(candidates) => {
                        let text = want.of(&Type::String);
                        Err(candidates.iter().map(|one| checker.wanted(one, text).node).collect())
                    }
                };
                let condition = rule.condition.as_ref().map(|condition| checker.condition(condition));
                (value, condition)
            })
        });
        self.only_when_created(rule, &modifiers, &needs);
        let checks = self.checks(rule, file, &ty);
        if let (Ok(low), false) = (&value, modifiers.sensitive) {
            self.sensitive_leak(rule, low, &needs);
        }
        let condition = condition.and_then(|condition| self.rule_condition(rule, &condition));
        let may_be_absent = value.as_ref().is_ok_and(|low| low.may_be_absent);
        let lowered = plan::Rule {
            target: name.into(),
            path: rule.target.path.iter().map(|name| name.value.clone()).collect(),
            span: rule.span,
            line: self.line(rule.span),
            value: match value {
                Ok(low) => plan::RuleValue::Expr(low.node),
                Err(candidates) => plan::RuleValue::FirstFree(candidates),
            },
            condition,
            ty: if may_be_absent { ty.or_absent() } else { ty.present() },
            policy: modifiers.policy,
            absent: modifiers.absent,
            merge: modifiers.merge,
            required: modifiers.required,
            sensitive: modifiers.sensitive,
            strict: modifiers.strict,
            max_bytes: modifiers.max_bytes,
            checks,
            attributes: modifiers.attributes,
        };
        (lowered, needs)
    }

    pub fn line(&self, span: Span) -> u32 {
        self.files.get(usize::from(span.file.0)).map_or(1, |file| line_of(&file.text, span.start))
    }

    /// `when true` is no condition; `when false` never writes.
    fn rule_condition(&mut self, rule: &ast::Rule, condition: &Low) -> Option<u32> {
        match self.known_bool(condition.node) {
            Some(true) => None,
            Some(false) => {
                let span = rule.condition.as_ref().map_or(rule.span, |condition| condition.span);
                let message = format!("`{}` is never written: the condition is always false", shown(&rule.target.path));
                self.sink.push(Diagnostic::new(Code::L02, span, message).help("remove the rule, or the condition"));
                Some(condition.node)
            }
            None => Some(condition.node),
        }
    }

    fn only_when_created(&mut self, rule: &'a ast::Rule, modifiers: &super::modifiers::Modifiers, needs: &Needs) {
        if modifiers.policy == Some(target::WritePolicy::Create) {
            return;
        }
        let what = match (&rule.value, needs.create_only) {
            (RuleValue::FirstFree(_), _) => "first_free",
            (_, Some(function)) => function,
            _ => return,
        };
        let span = match &rule.value {
            RuleValue::Expr(expr) => expr.span,
            RuleValue::FirstFree(_) => rule.span,
        };
        let message = format!("`{what}` gives another value each time, so `{}` needs `create`", shown(&rule.target.path));
        self.sink.push(Diagnostic::new(Code::M011, span, message).help("add: with create"));
    }

    /// Gates in order, those of included files first.
    pub fn lower_gates(&mut self) -> Vec<plan::Gate> {
        let mut gates = Vec::new();
        let mut seen = Vec::new();
        self.gates_of(FileId(0), &mut seen, &mut gates);
        gates
    }

    fn gates_of(&mut self, file: FileId, seen: &mut Vec<FileId>, gates: &mut Vec<plan::Gate>) {
        if seen.contains(&file) {
            return;
        }
        seen.push(file);
        let files = self.files;
        let loaded = &files[usize::from(file.0)];
        let mut uses = loaded.uses.iter();
        for item in &loaded.ast.items {
            match item {
                Item::Use { .. } => {
                    if let Some(Some(used)) = uses.next() {
                        self.gates_of(*used, seen, gates);
                    }
                }
                Item::Gate(gate) => {
                    let lowered = self.gate(gate, file);
                    gates.push(lowered);
                }
                _ => {}
            }
        }
    }

    fn gate(&mut self, gate: &'a ast::Gate, file: FileId) -> plan::Gate {
        let word = if gate.deny { "deny" } else { "skip" };
        if self.to == Kind::Oidc {
            let message = format!("`{word}` is for what comes in: whom an application gets is not its claims' to say");
            let help = "say at each rule when it counts: … when …";
            self.sink.push(Diagnostic::new(Code::M024, gate.span, message).help(help));
        }
        let strict = self.strict_default(file);
        let ((condition, reason), needs) = self.needing(|checker| {
            checker.apart(file, None, |checker| {
                checker.strict = strict;
                let condition = checker.condition(&gate.condition);
                let reason = checker.wanted(&gate.reason, Want::argument(&Type::String, "`because`"));
                (condition, reason)
            })
        });
        if !needs.rules.is_empty() {
            let diagnostic =
                Diagnostic::new(Code::M021, gate.span, format!("`{word}` reads a result, but gates run before all rules"));
            self.sink.push(diagnostic.help("use what the result is made of: let x = …"));
        }
        if let Some(function) = needs.create_only {
            let diagnostic = Diagnostic::new(Code::M011, gate.span, format!("`{function}` gives another value each time"));
            self.sink.push(diagnostic.help("it only stands in a rule with create"));
        }
        if let Some(always) = self.known_bool(condition.node)
            && !condition.is_unknown()
        {
            let (message, help) = if always {
                (format!("this `{word}` always holds: nothing after it takes effect"), "write a condition")
            } else {
                (format!("this `{word}` can never hold"), "remove it, or correct the condition")
            };
            self.sink.push(Diagnostic::new(Code::L02, gate.condition.span, message).help(help));
        }
        plan::Gate {
            deny: gate.deny,
            condition: condition.node,
            reason: reason.node,
            span: gate.span,
            line: self.line(gate.span),
        }
    }

    /// The rules in an order in which each comes after what it reads (M021 for circles).
    pub fn order_of(&mut self, rules: &[(plan::Rule, Needs)]) -> Vec<u16> {
        let mut order = Vec::with_capacity(rules.len());
        let mut done = vec![false; rules.len()];
        // Rounds, each in the order of the text: every round but the last places one rule at least.
        while order.len() < rules.len() {
            let before = order.len();
            for (index, (_, needs)) in rules.iter().enumerate() {
                let ready = needs.rules.iter().all(|&needed| done.get(usize::from(needed)).copied().unwrap_or(true));
                if !done[index] && ready {
                    done[index] = true;
                    order.push(u16::try_from(index).unwrap_or(u16::MAX));
                }
            }
            if order.len() == before {
                if let Some(index) = done.iter().position(|done| !done) {
                    self.circle(rules, index, &done);
                }
                break;
            }
        }
        order
    }

    fn circle(&mut self, rules: &[(plan::Rule, Needs)], from: usize, done: &[bool]) {
        // Along what is not done one comes round.
        let mut path = vec![from];
        let mut at = from;
        let again = loop {
            let next =
                rules[at].1.rules.iter().map(|&rule| usize::from(rule)).find(|&rule| !done.get(rule).copied().unwrap_or(true));
            let Some(next) = next else { return };
            if let Some(place) = path.iter().position(|&known| known == next) {
                break place;
            }
            path.push(next);
            at = next;
        };
        let circle: Vec<&plan::Rule> = path[again..].iter().map(|&index| &rules[index].0).collect();
        let Some(first) = circle.first() else { return };
        let names: Vec<String> = circle.iter().chain([first]).map(|rule| format!("`{}`", rule.target)).collect();
        let mut diagnostic =
            Diagnostic::new(Code::M021, first.span, format!("results depend on each other: {}", names.join(" → ")));
        for rule in &circle[1..] {
            diagnostic = diagnostic.also(rule.span, "through this");
        }
        self.sink.push(diagnostic.help("read the source instead of new.… in one of them, or share a let"));
    }
}

/// Reads the header: what kind of mapping this is; `None` = reported.
pub fn header(files: &[super::include::Loaded], sink: &mut super::sink::Sink) -> Option<(Schema, Kind)> {
    // Without one the parser has said so.
    let root = files.first()?.ast.header.as_ref()?;
    let (from, to) = (kind(&root.from, sink), kind(&root.to, sink));
    let (from, to) = (from?, to?);
    let fits = match (from, to) {
        (Kind::Group, _) => false,
        (Kind::Profile, to) => !matches!(to, Kind::Profile | Kind::Group | Kind::Ldap | Kind::Oauth),
        (Kind::Ldap | Kind::Scim, Kind::Group) => true,
        (_, to) => to == Kind::Profile,
    };
    if !fits {
        let message = format!("there is no mapping from {} to {}", from.as_str(), to.as_str());
        let help = "from ldap, saml, oidc, oauth, scim or json to profile; from ldap or scim to group; from profile to saml, oidc, scim or json";
        sink.push(Diagnostic::new(Code::M018, root.from.span.to(root.to.span), message).help(help));
        return None;
    }
    for (number, file) in files.iter().enumerate().skip(1) {
        let Some(header) = &file.ast.header else { continue };
        if *header.from.value != *root.from.value || *header.to.value != *root.to.value {
            let message = format!(
                "`{}` maps from {} to {}, this mapping from {} to {}",
                file.name, header.from.value, header.to.value, root.from.value, root.to.value
            );
            let span = use_of(files, number).unwrap_or(root.span);
            sink.push(Diagnostic::new(Code::M018, span, message).help("use a file of the same kinds"));
            return None;
        }
    }
    Some((Schema { kind: from, group: to == Kind::Group }, to))
}

/// Where a file is included first.
fn use_of(files: &[super::include::Loaded], number: usize) -> Option<Span> {
    files.iter().find_map(|file| {
        let uses = file.ast.items.iter().filter_map(|item| match item {
            Item::Use { path, .. } => Some(path.span),
            _ => None,
        });
        uses.zip(&file.uses).find(|(_, used)| used.is_some_and(|id| usize::from(id.0) == number)).map(|(span, _)| span)
    })
}

fn kind(name: &Name, sink: &mut super::sink::Sink) -> Option<Kind> {
    let found = Kind::parse(&name.value);
    if found.is_none() {
        let known = Kind::ALL.iter().map(|kind| kind.as_str());
        let help = suggestion(&name.value, known, "kinds are: ldap saml oidc oauth scim json profile group");
        sink.push(Diagnostic::new(Code::M018, name.span, format!("unknown kind `{}`", name.value)).help(help));
    }
    found
}
