//! A mapping under construction, and the way to a text that compiles: what the checker refuses is taken out and listed.

use super::{Format, ImportError, Imported, Place, Untranslated, entries, write};
use crate::check::{self, Compiled, Sources};
use crate::diagnostic::{Diagnostic, Severity};
use crate::span::line_of;
use crate::syntax;
use crate::target::{self, Kind};
use serde_json::{Map, Value};

/// Rules of one import, a bound of the language.
const RULES_MAX: usize = crate::limits::RULES_MAX;
/// Of one rule's expression.
const CODE_BYTES_MAX: usize = 8 * 1024;
/// Roots that a metadata object must not have (profile.md §6), and what the store itself keeps.
const RESERVED: &[&str] = &[
    "__tenant",
    "_id",
    "clientID",
    "created_at",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "last_ip",
    "lastLogin",
    "last_login",
    "loginsCount",
    "logins_count",
    "metadata",
    "multifactor",
    "multifactor_last_modified",
    "updated_at",
    "last_password_reset",
    "blocked_for",
    "password",
];

#[derive(Debug)]
pub struct Draft {
    from: Kind,
    prefixes: Vec<(String, String)>,
    attributes: Vec<(String, &'static str)>,
    default: Option<&'static str>,
    gates: Vec<Gate>,
    rules: Vec<Rule>,
    pub untranslated: Vec<Untranslated>,
    differences: Vec<String>,
}

/// An entry for which `condition` holds is not taken.
#[derive(Debug)]
struct Gate {
    condition: String,
    /// A text or template as written.
    reason: String,
    at: Place,
    what: String,
}

/// What stands in a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Gate(usize),
    Rule(usize),
}

#[derive(Debug)]
struct Rule {
    path: Vec<String>,
    code: String,
    /// After the expression: `when …`, `with …`.
    rest: &'static str,
    at: Place,
    what: String,
}

/// Nothing is included by what an import writes.
pub struct NoSources;

impl Sources for NoSources {
    fn include(&self, _path: &str) -> Result<String, String> {
        Err("an imported mapping includes nothing".to_owned())
    }

    fn table(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("an imported mapping has no tables".to_owned())
    }
}

/// Where an attribute of a foreign profile goes.
#[derive(Debug, PartialEq)]
pub enum Destination {
    /// Path in our profile.
    Path(Vec<String>),
    /// Why nowhere, and what to do.
    Nowhere { why: String, suggestion: Option<String> },
}

/// `email` stays, `department` becomes `app_metadata.department`; a dotted name is a path below a metadata object.
pub fn destination(name: &str) -> Destination {
    let nowhere = |why: String, suggestion: Option<String>| Destination::Nowhere { why, suggestion };
    let segments: Vec<String> = name.split('.').map(str::to_owned).collect();
    let (Some(root), rest) = (segments.first(), segments.len() - 1) else { return Destination::Path(segments) };
    if segments.iter().any(|segment| segment.is_empty() || segment.contains('$')) || name.chars().any(char::is_control) {
        return nowhere(format!("`{}` is no name of an attribute", write::comment(name)), None);
    }
    if RESERVED.contains(&root.as_str()) {
        return nowhere(format!("`{root}` is kept by the store itself, a mapping can't write it"), None);
    }
    let borrowed: Vec<&str> = segments.iter().map(String::as_str).collect();
    if target::of_profile(&borrowed).is_some() && root != "session" {
        return Destination::Path(segments);
    }
    let roots = || target::ROOTS.iter().map(|(known, _)| *known).chain(["groups"]);
    if rest > 0 {
        let why = if roots().any(|known| known == root) {
            format!("`{root}` is one value, it has no `{}`", segments[1..].join("."))
        } else {
            format!("`{root}` is no object of a profile")
        };
        return nowhere(why, Some(format!("write it below app_metadata: app_metadata.{name}")));
    }
    if root == "app_metadata" || root == "user_metadata" {
        return nowhere(
            format!("`{root}` as a whole is never replaced by a mapping"),
            Some(format!("name members: {root}.title")),
        );
    }
    if let Some(meant) = roots().find(|known| strsim::damerau_levenshtein(known, root) == 1) {
        return nowhere(
            format!("a profile has no `{root}`, which looks like a slip for `{meant}`"),
            Some(format!("write `{meant}`, or app_metadata.{root} if it is meant so")),
        );
    }
    Destination::Path(vec!["app_metadata".to_owned(), root.clone()])
}

impl Draft {
    pub const fn new(from: Kind) -> Self {
        Self {
            from,
            prefixes: Vec::new(),
            attributes: Vec::new(),
            default: None,
            gates: Vec::new(),
            rules: Vec::new(),
            untranslated: Vec::new(),
            differences: Vec::new(),
        }
    }

    pub fn prefix(&mut self, name: &str, value: &str) {
        self.prefixes.push((name.to_owned(), value.to_owned()));
    }

    /// Declares a source attribute, once; `written` without `$`.
    pub fn attribute(&mut self, written: &str, ty: &'static str) {
        if !self.attributes.iter().any(|(known, _)| known == written) {
            self.attributes.push((written.to_owned(), ty));
        }
    }

    pub const fn default(&mut self, modifiers: &'static str) {
        self.default = Some(modifiers);
    }

    /// Says once where the translation differs.
    pub fn differs(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.differences.contains(&text) {
            self.differences.push(text);
        }
    }

    pub fn leave(&mut self, at: Place, what: &str, why: impl Into<String>, suggestion: Option<String>) {
        let what: String = write::comment(what).chars().take(200).collect();
        let left = Untranslated { at, what, why: why.into(), suggestion };
        // What is reached on several ways is listed once.
        if !self.untranslated.contains(&left) {
            self.untranslated.push(left);
        }
    }

    /// Entries that are not taken, in the order of asking; the same once.
    pub fn gate(&mut self, condition: String, reason: String, at: Place, what: &str) {
        if self.gates.iter().any(|gate| gate.condition == condition) {
            return;
        }
        if condition.len() > CODE_BYTES_MAX || self.gates.len() >= RULES_MAX {
            return self.leave(at, what, "the result would be too large", Some("write it by hand: skip when …".to_owned()));
        }
        self.gates.push(Gate { condition, reason, at, what: what.to_owned() });
    }

    /// One rule. A second one for the same target, or one that is too long, is left out and listed.
    pub fn rule(&mut self, path: Vec<String>, code: String, rest: &'static str, at: Place, what: &str) {
        let same = |a: &[String], b: &[String]| a.starts_with(b) || b.starts_with(a);
        if let Some(other) = self.rules.iter().find(|rule| same(&rule.path, &path)) {
            let why = format!("`{}` is written by {} already", write::target(&path), other.at);
            return self.leave(at, what, why, Some("remove one of the two".to_owned()));
        }
        if code.len() > CODE_BYTES_MAX || self.rules.len() >= RULES_MAX {
            return self.leave(at, what, "the result would be too large", Some("write it by hand, in parts".to_owned()));
        }
        self.rules.push(Rule { path, code, rest, at, what: what.to_owned() });
    }

    /// The formatted text with a test per entry, called `name`.
    pub fn finish(
        mut self,
        name: &str,
        file: &str,
        format: Format,
        captured: &[Map<String, Value>],
    ) -> Result<Imported, ImportError> {
        let compiled = loop {
            let (text, lines) = self.compose(name, file, format);
            let compiled = check::compile("imported", &text, &NoSources);
            if compiled.plan.is_some() {
                break compiled;
            }
            self.take_out(&compiled, &text, &lines)?;
        };
        let (text, _) = self.compose(name, file, format);
        let text = syntax::format(&text).map_err(|said| uncompilable(&said))?;
        let (text, tests) = match &compiled.plan {
            Some(plan) => entries::with_tests(text, plan, captured),
            None => (text, 0),
        };
        Ok(Imported { format, text, untranslated: self.untranslated, differences: self.differences, tests })
    }

    /// Takes out the gates and rules the checker refuses, and lists them.
    fn take_out(&mut self, compiled: &Compiled, text: &str, lines: &[(Item, u32)]) -> Result<(), ImportError> {
        let mut refused: Vec<(Item, &Diagnostic)> = Vec::new();
        for diagnostic in compiled.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
            let line = line_of(text, diagnostic.span.start);
            if let Some((item, _)) = lines.iter().find(|(_, at)| *at == line)
                && !refused.iter().any(|(known, _)| known == item)
            {
                refused.push((*item, diagnostic));
            }
        }
        if refused.is_empty() {
            return Err(uncompilable(&compiled.diagnostics));
        }
        refused.sort_by_key(|(item, _)| std::cmp::Reverse(*item));
        for (item, diagnostic) in refused {
            let (written, at, what) = match item {
                Item::Gate(at) => {
                    let gate = self.gates.remove(at);
                    (format!("skip when {}", gate.condition), gate.at, gate.what)
                }
                Item::Rule(at) => {
                    let rule = self.rules.remove(at);
                    (format!("{} = {}", write::target(&rule.path), rule.code), rule.at, rule.what)
                }
            };
            self.leave(at, &what, format!("`{written}` would be wrong: {}", diagnostic.message), diagnostic.help.clone());
        }
        Ok(())
    }

    /// The text, and for each gate and rule the line it stands in.
    fn compose(&self, name: &str, file: &str, format: Format) -> (String, Vec<(Item, u32)>) {
        let mut out = Lines::default();
        out.line(&format!("# From {}: {}.", write::comment(file), format.described()));
        if !self.differences.is_empty() {
            out.line("# Where it means something else than the original:");
            self.differences.iter().for_each(|text| out.line(&format!("#   - {}", write::comment(text))));
        }
        out.line(&format!("mapping {name} from {} to profile", self.from.as_str()));
        out.line("");
        for (prefix, value) in &self.prefixes {
            out.line(&format!("prefix {prefix} = {}", write::string(value)));
        }
        if !self.attributes.is_empty() {
            let list: Vec<String> = self.attributes.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
            out.line(&format!("attrs {{ {} }}", list.join(", ")));
        }
        if let Some(default) = self.default {
            out.line(&format!("default {default}"));
        }
        out.line("");
        let mut lines = Vec::with_capacity(self.gates.len() + self.rules.len());
        for (at, gate) in self.gates.iter().enumerate() {
            lines.push((Item::Gate(at), out.next));
            out.line(&format!("skip when {} because {}", gate.condition, gate.reason));
        }
        if !self.gates.is_empty() {
            out.line("");
        }
        for (at, rule) in self.rules.iter().enumerate() {
            lines.push((Item::Rule(at), out.next));
            out.line(&format!("{} = {}{}", write::target(&rule.path), rule.code, rule.rest));
        }
        if !self.untranslated.is_empty() {
            out.line("");
            out.line("# Not translated:");
            for left in &self.untranslated {
                out.line(&format!("#   {}: {}", left.at, write::comment(&left.what)));
                out.line(&format!("#     {}", write::comment(&left.why)));
                if let Some(suggestion) = &left.suggestion {
                    out.line(&format!("#     {}", write::comment(suggestion)));
                }
            }
        }
        (out.text, lines)
    }
}

struct Lines {
    text: String,
    /// The number of the line that comes next.
    next: u32,
}

impl Default for Lines {
    fn default() -> Self {
        Self { text: String::new(), next: 1 }
    }
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.next += 1;
    }
}

fn uncompilable(diagnostics: &[Diagnostic]) -> ImportError {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    ImportError::Uncompilable(errors.take(3).map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_attribute_goes_to_its_root_or_below_app_metadata() {
        let path = |name: &str| match destination(name) {
            Destination::Path(path) => write::target(&path),
            Destination::Nowhere { why, .. } => why,
        };
        assert_eq!(path("email"), "email");
        assert_eq!(path("department"), "app_metadata.department");
        assert_eq!(path("user_metadata.cost-center"), "user_metadata[\"cost-center\"]");
        assert!(path("emial").contains("slip for `email`"));
        assert!(path("identities").contains("kept by the store"));
        assert!(path("email.value").contains("one value"));
        assert!(path("app_metadata").contains("as a whole"));
        assert!(path("a..b").contains("no name"));
    }

    #[test]
    fn a_rule_that_does_not_compile_becomes_a_comment() {
        let mut draft = Draft::new(Kind::Saml);
        draft.rule(vec!["groups".into()], "$a".into(), "", Place::Path("groups".into()), "\"a\"");
        draft.rule(vec!["name".into()], "$b".into(), "", Place::Path("name".into()), "\"b\"");
        let imported = draft.finish("x", "x.json", Format::Auth0Saml, &[]).unwrap();
        assert_eq!(imported.untranslated.len(), 1);
        assert!(imported.untranslated[0].why.contains("needs list<string>"), "{:?}", imported.untranslated);
        assert!(imported.text.contains("name = $b") && imported.text.contains("#   groups: \"a\""), "{}", imported.text);
    }
}
