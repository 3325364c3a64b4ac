//! The mapping language behind the trait [`Mapping`]: a compiled text and its rules as provenance names them. Owns the
//! way in (a JSON document into the plan's slots) and out (results as JSON); the language itself is a crate.

use super::{Claim, ClaimPlace, Given, Input, Mapped, Mapping, Published, Reads, Rule};
use jiff::Timestamp;
use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::diagnostic::{Diagnostic, Severity};
use rosterd_mapping::eval::{self, Environment, Evaluator, NoTrace};
use rosterd_mapping::output::to_json;
use rosterd_mapping::plan::{Evaluation, Node, NodeId, Plan, RuleValue, SlotId};
use rosterd_mapping::source::{Names, json};
use rosterd_mapping::span::line_of;
use rosterd_mapping::target::{Absent, Kind, Merge};
use rosterd_mapping::tester;
use rosterd_mapping::trace::hides;
use rosterd_mapping::types::Type;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// Mistakes shown where a text does not compile.
const SHOWN_MAX: usize = 3;

/// A text of the mapping language, ready to run.
#[derive(Debug)]
pub struct Compiled {
    published: Published,
    plan: Plan,
    names: Names,
    /// As the plan's rules, in its order.
    rules: Vec<Rule>,
    /// Likewise, of a mapping to `oidc`.
    claims: Vec<Claim>,
    /// Targets whose values are sensitive, or made of something that is.
    hidden: Vec<Arc<str>>,
}

/// What a published version includes, by path.
struct Included<'p>(&'p [(String, String)]);

impl Sources for Included<'_> {
    fn include(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(known, _)| known == path);
        found.map(|(_, contents)| contents.clone()).ok_or_else(|| format!("{path} was not published with it"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        self.include(path).map(String::into_bytes)
    }
}

impl Compiled {
    /// Compiles a text with what it includes.
    ///
    /// # Errors
    /// The first mistakes, a line each: code, line, message.
    pub fn load(published: &Published) -> Result<Self, String> {
        let file = format!("{}.mapping", published.name);
        let compiled = check::compile(&file, &published.text, &Included(&published.includes));
        let Some(plan) = compiled.plan else { return Err(mistakes(&compiled)) };
        let above = lines_above(&plan);
        let rules = plan.rules.iter().map(|rule| Rule {
            target: Arc::from(&*rule.target),
            line: rule.line + above[usize::from(rule.span.file.0)],
            policy: rule.policy,
            absent: rule.absent,
            merge: rule.merge,
            required: rule.required,
        });
        let hidden = plan.rules.iter().filter(|rule| hides(&plan, rule)).map(|rule| Arc::from(&*rule.target)).collect();
        let (rules, claims) = (rules.collect(), claims(&plan));
        Ok(Self { rules, claims, hidden, names: Names::new(&plan), plan, published: published.clone() })
    }

    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn into_plan(self) -> Plan {
        self.plan
    }

    fn result(&self, evaluation: &Evaluation<'_>) -> Mapped {
        use rosterd_mapping::plan::Given as Gave;
        if let Some(hit) = &evaluation.gate {
            let gate = &self.plan.gates[usize::from(hit.gate)];
            if let Some(failure) = &hit.failure {
                let mut refused = refused(if gate.deny { "deny" } else { "skip" }, gate.line, failure.message);
                refused.given.extend(self.barred(hit.bars));
                return refused;
            }
            let reason = hit.reason.to_owned();
            return match gate.deny {
                true => Mapped { gate: Some(super::Gate::Deny { reason }), ..Mapped::default() },
                false => {
                    let given = self.barred(hit.bars).into_iter().collect();
                    Mapped { given, gate: Some(super::Gate::Skip { reason }), ..Mapped::default() }
                }
            };
        }
        let given = self.rules.iter().zip(evaluation.given.iter()).map(|(rule, given)| match given {
            // Not an attribute's error: `absent reject` refuses the record, which is the policy's to say.
            Gave::Failed { failure, .. } if failure.code == Code::M110 && rule.absent == Absent::Reject => Given::Absent,
            Gave::Value(value) => Given::Value(to_json(*value)),
            Gave::Absent => Given::Absent,
            Gave::Keep => Given::Keep,
            Gave::FirstFree(candidates) => Given::FirstFree(candidates.iter().map(|&text| text.to_owned()).collect()),
            Gave::Failed { failure, .. } => Given::Error(failure.message.to_owned()),
        });
        Mapped { given: self.rules.iter().cloned().zip(given).collect(), ..Mapped::default() }
    }

    /// The one result that counts of a record that is left out: its source bars the person. That it does not says nothing.
    fn barred(&self, bars: bool) -> Option<(Rule, Given)> {
        let rule = self.rules.iter().find(|rule| &*rule.target == "blocked").filter(|_| bars)?;
        Some((rule.clone(), Given::Value(true.into())))
    }
}

/// Names of the tests in a text that fail; none of one that does not compile.
pub fn failing_tests(published: &Published) -> Vec<String> {
    let file = format!("{}.mapping", published.name);
    let compiled = check::compile(&file, &published.text, &Included(&published.includes));
    let run = compiled.plan.as_ref().map(|plan| tester::run_tests(plan, &compiled.tests, &[]));
    let failed = run.into_iter().flat_map(|run| run.tests).filter(|test| !test.mismatches.is_empty());
    failed.map(|test| test.name.clone()).collect()
}

/// The first errors, on one line each: `acme.mapping:9: M003 unknown source attribute …`.
fn mistakes(compiled: &check::Compiled) -> String {
    let errors = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let line = |diagnostic: &Diagnostic| {
        let file = compiled.files.get(usize::from(diagnostic.span.file.0));
        let (name, line) = file.map_or(("", 1), |(name, text)| (&**name, line_of(text, diagnostic.span.start)));
        format!("{name}:{line}: {} {}", diagnostic.code, diagnostic.message)
    };
    errors.take(SHOWN_MAX).map(line).collect::<Vec<_>>().join("; ")
}

/// A record that could not be looked at as a whole: refused, with one reason.
fn refused(what: &str, line: u32, reason: &str) -> Mapped {
    let rule = Rule { target: what.into(), line, policy: None, absent: Absent::Keep, merge: Merge::Replace, required: true };
    Mapped { given: vec![(rule, Given::Error(reason.to_owned()))], ..Mapped::default() }
}

/// What a mapping towards applications writes.
fn claims(plan: &Plan) -> Vec<Claim> {
    let claim = |rule: &rosterd_mapping::plan::Rule| {
        let word = |name: &str| rule.attributes.iter().find(|(word, _)| &**word == name).map(|(_, value)| value.to_string());
        let place = word("in");
        Claim {
            path: rule.path.iter().map(ToString::to_string).collect(),
            scope: word("scope"),
            place: [ClaimPlace::IdToken, ClaimPlace::Userinfo].into_iter().find(|one| place.as_deref() == Some(one.as_str())),
        }
    };
    if plan.to == Kind::Oidc { plan.rules.iter().map(claim).collect() } else { Vec::new() }
}

/// Lines of the listing above each file's first.
fn lines_above(plan: &Plan) -> Vec<u32> {
    let mut above = 0;
    let mut all = Vec::with_capacity(plan.files.len());
    for (_, text) in &plan.files {
        all.push(above);
        above += u32::try_from(text.lines().count()).unwrap_or(u32::MAX / 2);
    }
    all
}

/// The slots that gates and rules for anything but `groups` look at.
fn slots_beside_groups(plan: &Plan) -> HashSet<SlotId> {
    let (mut waiting, mut seen, mut slots) = (Vec::new(), HashSet::new(), HashSet::new());
    let of_rule = |rule: &rosterd_mapping::plan::Rule, waiting: &mut Vec<NodeId>| {
        match &rule.value {
            RuleValue::Expr(id) => waiting.push(*id),
            RuleValue::FirstFree(ids) => waiting.extend(ids.iter().copied()),
        }
        waiting.extend(rule.condition);
        waiting.extend(rule.checks.iter().map(|check| check.condition));
    };
    waiting.extend(plan.gates.iter().flat_map(|gate| [gate.condition, gate.reason]));
    plan.rules.iter().filter(|rule| &*rule.target != "groups").for_each(|rule| of_rule(rule, &mut waiting));
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = &plan.nodes[id as usize];
        match node {
            Node::One { slot, .. } | Node::All(slot) | Node::Has(slot) | Node::SlotIsNull(slot) => drop(slots.insert(*slot)),
            Node::Let(at) => waiting.push(plan.lets[usize::from(*at)].1),
            Node::New(at) => of_rule(&plan.rules[usize::from(*at)], &mut waiting),
            _ => node.each_child(|child| waiting.push(child)),
        }
    }
    slots
}

/// What a plan looks at; names that begin with `$` are no attributes of the source.
pub fn reads(plan: &Plan) -> Reads {
    let is_binary = |ty: &Type| matches!(ty.item(), Type::Binary | Type::Guid | Type::Sid);
    let binary = plan.slots.iter().filter(|slot| is_binary(&slot.ty.ty)).map(|slot| slot.name.to_string()).collect();
    if plan.slots.iter().any(|slot| &*slot.name == "$all") {
        return Reads { attributes: None, binary };
    }
    let mut attributes: Vec<String> = Vec::new();
    for slot in plan.slots.iter().filter(|slot| !slot.name.starts_with('$')) {
        if !attributes.iter().any(|known| known.eq_ignore_ascii_case(&slot.name)) {
            attributes.push(slot.name.to_string());
        }
    }
    Reads { attributes: Some(attributes), binary }
}

thread_local! {
    /// The memory of a run, kept by each worker from record to record.
    static EVALUATOR: RefCell<Evaluator> = RefCell::default();
}

impl Mapping for Compiled {
    fn name(&self) -> &str {
        &self.published.name
    }

    fn version(&self) -> i64 {
        self.published.version
    }

    fn text(&self) -> String {
        self.published.listing()
    }

    fn reads(&self) -> Reads {
        reads(&self.plan)
    }

    fn reads_beside_groups(&self) -> Reads {
        let Reads { attributes, binary } = self.reads();
        let slots = slots_beside_groups(&self.plan);
        let is_read =
            |name: &String| slots.iter().any(|slot| self.plan.slots[usize::from(*slot)].name.eq_ignore_ascii_case(name));
        Reads { attributes: attributes.map(|names| names.into_iter().filter(is_read).collect()), binary }
    }

    fn direction(&self) -> Option<(&'static str, &'static str)> {
        Some((self.plan.from.as_str(), self.plan.to.as_str()))
    }

    fn rules(&self) -> Option<&[Rule]> {
        Some(&self.rules)
    }

    fn claims(&self) -> &[Claim] {
        &self.claims
    }

    fn hides(&self, target: &str) -> bool {
        self.hidden.iter().any(|hidden| **hidden == *target)
    }

    fn reads_stored(&self) -> bool {
        !self.plan.old.is_empty()
    }

    fn follows_the_clock(&self) -> bool {
        self.plan.nodes.iter().any(|node| match node {
            Node::Now => true,
            Node::Call { function, .. } => function.name == "expired",
            _ => false,
        })
    }

    fn map(&self, input: &Input<'_>) -> Mapped {
        EVALUATOR.with_borrow_mut(|evaluator| {
            let arena = evaluator.fresh();
            let entry = match json::read_map(arena, &self.names, input.payload) {
                Ok(entry) => entry,
                Err(error) => return refused("entry", 0, &error.to_string()),
            };
            let now = Timestamp::from_microsecond(input.now).unwrap_or(Timestamp::UNIX_EPOCH);
            let environment = Environment { seed: input.seed, stored: input.stored, ..Environment::at(now) };
            self.result(&eval::run(arena, &self.plan, &entry, &environment, &mut NoTrace))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Language;

    fn compiled(rule: &str) -> Compiled {
        let text = format!("mapping m from ldap to profile\n{rule}\n");
        let language = Language::Mapping;
        Compiled::load(&Published { name: "m".into(), version: 1, language, text, includes: Vec::new() }).expect("compiles")
    }

    #[test]
    fn a_mapping_that_asks_for_the_time_says_so() {
        assert!(!compiled("name = $cn").follows_the_clock());
        for rule in [
            "blocked = expired($accountExpires)",
            "app_metadata.now = now",
            "deny when expired($accountExpires) because \"over\"",
        ] {
            assert!(compiled(rule).follows_the_clock(), "{rule}");
        }
        assert_eq!(compiled("name = $cn").direction(), Some(("ldap", "profile")));
        assert!(compiled("name = $cn ?? old.name").reads_stored() && !compiled("name = $cn").reads_stored());
    }

    #[test]
    fn of_what_is_left_out_nothing_counts_but_that_its_source_bars_the_person() {
        let gates =
            "skip when $title == \"temp\" because \"temps wait\"\nskip when int($departmentNumber) > 3 because \"many\"\n";
        let mapping = compiled(&format!("{gates}name = $cn\nblocked = $employeeType == \"off\""));
        let map = |entry: serde_json::Value| {
            let serde_json::Value::Object(payload) = entry else { panic!("an object") };
            mapping.map(&Input { payload: &payload, stored: None, now: 0, seed: [0; 32] })
        };
        let before: serde_json::Map<String, serde_json::Value> = [("name".to_owned(), "Ann".into())].into_iter().collect();
        let skipped = map(serde_json::json!({"cn": "Anna", "title": "temp", "employeeType": "off"}));
        assert!(matches!(skipped.gate, Some(crate::mapping::Gate::Skip { .. })));
        assert_eq!((skipped.given.len(), skipped.is_true("blocked")), (1, true));
        assert_eq!(skipped.to_text(Some(&before)), r#"{"name":"Ann","blocked":true}"#);
        let kept = map(serde_json::json!({"cn": "Anna", "title": "temp", "employeeType": "on"}));
        assert_eq!((kept.given.len(), kept.to_text(Some(&before)).as_str()), (0, r#"{"name":"Ann"}"#));
        assert_eq!(kept.to_text(None), "{}");
        let undecided = map(serde_json::json!({"cn": "Anna", "departmentNumber": "many", "employeeType": "off"}));
        assert!(undecided.given[0].0.required && undecided.is_true("blocked"), "{undecided:?}");
        let undecided = map(serde_json::json!({"cn": "Anna", "departmentNumber": "many", "employeeType": "on"}));
        assert!(undecided.given[0].0.required && !undecided.is_true("blocked"), "{undecided:?}");
    }

    #[test]
    fn what_is_read_for_groups_alone_is_told_apart() {
        let groups = "groups = [ g.rdn(\"cn\") for g in $memberOf[*] if g.under(\"dc=x\") ]";
        let plain = compiled(&format!("attrs {{ memberOf: dn list }}\nlet upper = upper($sn)\nname = upper\n{groups}"));
        assert_eq!(plain.reads_beside_groups().attributes, Some(vec!["sn".into()]));
        let roles =
            compiled(&format!("attrs {{ memberOf: dn list }}\n{groups}\nskip when count($memberOf[*]) == 0 because \"x\""));
        assert_eq!(roles.reads_beside_groups().attributes, Some(vec!["memberOf".into()]));
    }
}
