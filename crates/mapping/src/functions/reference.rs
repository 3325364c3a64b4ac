//! The documentation of the functions, from the registry that runs them: `docs/mapping/functions.md`, and what
//! `rosterd mapping functions --markdown` prints.

use super::{Function, Group, all};
use std::fmt::Write as _;

/// All functions as one page of Markdown, by group.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Functions of the mapping language\n\n\
         Every function is deterministic and bounded. `f(x, y)` and `x.f(y)` mean the same. Unless its description says\n\
         otherwise a function of something absent is absent. This page is printed by `rosterd mapping functions --markdown`.\n",
    );
    let mut group = None;
    for function in all() {
        if group != Some(function.group) {
            group = Some(function.group);
            // Writing to a String can't fail, here and below.
            let _ = write!(page, "\n## {}\n", title(function.group));
        }
        let _ = write!(page, "\n{}", section(function));
    }
    page
}

/// One function as a section of Markdown: signature, what it gives, what has to be known, examples.
pub fn section(function: &Function) -> String {
    let mut section = format!("### {}\n\n`{}`\n\n{}\n", function.name, function.signature, function.summary);
    for remark in remarks(function) {
        let _ = writeln!(section, "{remark}");
    }
    if !function.examples.is_empty() {
        section.push_str("\n| expression | gives |\n|---|---|\n");
    }
    for example in function.examples {
        let _ = writeln!(section, "| {} | {} |", code(example.call), code(example.gives));
    }
    section
}

/// What a group is called.
pub const fn title(group: Group) -> &'static str {
    match group {
        Group::Presence => "Presence",
        Group::String => "Text",
        Group::Regex => "Regular expressions",
        Group::List => "Lists",
        Group::DistinguishedName => "Distinguished names",
        Group::Number => "Numbers and bits",
        Group::Date => "Dates",
        Group::Binary => "Bytes and identifiers",
        Group::Structure => "Records and JSON",
        Group::PhoneAndLocale => "Telephone, country, language",
        Group::CreateOnly => "Made up on creation",
    }
}

/// What has to be known of a function before it is called, a sentence each.
pub fn remarks(function: &Function) -> Vec<String> {
    let mut remarks = Vec::new();
    if function.fallible {
        remarks.push(format!("Can fail; `{}?` gives absent instead.", function.name));
    }
    if function.create_only {
        remarks.push("Only in a rule with `create`.".to_owned());
    }
    if function.may_be_absent {
        remarks.push("May be absent though no argument is.".to_owned());
    }
    remarks
}

/// In a cell a bar would end it, and a backtick the code.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
