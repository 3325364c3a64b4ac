//! Mappings inside Markdown: what is fenced as `mapping`, made a whole one.
//!
//! After `mapping` may stand: a kind (`ldap`, `saml`, `oidc`, `oauth`, `scim`, `json`) or `to-KIND`, which give a text without
//! a header one (`json` without a word); `group`, a mapping of groups; `expression`, a value alone; `error M003`, a text that is there to show what
//! is refused.

use rosterd_mapping::check::{self, Compiled, Sources};
use rosterd_mapping::diagnostic::render::{self, Source};

/// The only file a snippet may read: a table of groups.
pub const TABLE: &str = "object_id,name\n11111111-1111-1111-1111-111111111111,wiki\n";

/// What `use` may bring in.
pub const BASE: &str = r#"mapping base from ldap to profile
let short = lower($uid)
name = $displayName
nickname = short
groups = [ g.rdn("CN") for g in $memberOf[*] if g.under("OU=Apps,DC=x") ]
"#;

pub struct Files;

impl Sources for Files {
    fn include(&self, path: &str) -> Result<String, String> {
        if path == "base.mapping" { Ok(BASE.to_owned()) } else { Err(format!("{path} is not there")) }
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == "tables/groups.csv" { Ok(TABLE.into()) } else { Err(format!("{path} is not there")) }
    }
}

/// One fenced text.
#[derive(Clone, Debug)]
pub struct Snippet {
    pub line: usize,
    pub words: Vec<String>,
    pub text: String,
}

impl Snippet {
    pub fn is_expression(&self) -> bool {
        self.words.iter().any(|word| word == "expression")
    }

    /// The code of the diagnostic it is there to show.
    pub fn refused(&self) -> Option<&str> {
        let at = self.words.iter().position(|word| word == "error")?;
        self.words.get(at + 1).map(String::as_str)
    }

    /// With a header, and as a rule of `app_metadata.example` if it is an expression.
    pub fn whole(&self) -> String {
        let first = self.text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        if first.is_some_and(|line| line.starts_with("mapping ")) {
            return self.text.clone();
        }
        let (mut from, mut to) = ("json", "profile");
        for word in &self.words {
            match word.as_str() {
                "ldap" | "saml" | "oidc" | "oauth" | "scim" | "json" => from = word,
                "group" => (from, to) = ("ldap", "group"),
                "expression" | "error" => {}
                other => match other.strip_prefix("to-") {
                    Some(kind) => (from, to) = ("profile", kind),
                    None => assert!(self.refused() == Some(other), "line {}: what is `{other}`?", self.line),
                },
            }
        }
        let target = if to == "profile" { "app_metadata.example" } else { "example" };
        let header = format!("mapping example from {from} to {to}");
        if self.is_expression() {
            format!("{header}\n{target} = (\n{}\n)\n", self.text.trim_end())
        } else {
            format!("{header}\n{}", self.text)
        }
    }
}

/// All that is fenced as `mapping`, in order.
pub fn of(page: &str) -> Vec<Snippet> {
    let mut snippets = Vec::new();
    let mut open: Option<Snippet> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => {
                let is_mapping = |snippet: &Snippet| snippet.words.first().is_some_and(|word| word == "mapping");
                snippets.extend(open.take().filter(is_mapping));
            }
            (Some(snippet), _) => {
                snippet.text.push_str(line);
                snippet.text.push('\n');
            }
            (None, Some(info)) => {
                let words = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Snippet { line: number + 1, words, text: String::new() });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    for snippet in &mut snippets {
        snippet.words.remove(0);
    }
    snippets
}

/// Compiles; `Err` is what the compiler says.
pub fn compile(text: &str) -> Result<Compiled, String> {
    let compiled = check::compile("snippet.mapping", text, &Files);
    if compiled.plan.is_some() {
        return Ok(compiled);
    }
    let files: Vec<Source<'_>> = compiled.files.iter().map(|(name, text)| Source { name, text }).collect();
    Err(render::terminal(&compiled.diagnostics, &files, false))
}
