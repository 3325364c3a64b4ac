//! A text of a mapping as it is sent: `{text, language?, includes?}`.

use crate::api::problem::Problem;
use crate::mapping::{self, Language, Published};
use crate::mapping_files;
use serde_json::{Map, Value};

/// The text under the name in the path, as it would be published after version `base`; compiled once, so that it runs.
pub(super) fn text(name: &str, body: &Map<String, Value>, also: &[&str]) -> Result<Published, Problem> {
    if !mapping_files::is_name(name) {
        return Err(Problem::no_mapping());
    }
    let known = ["text", "language", "includes"];
    if let Some(unknown) = body.keys().find(|member| !known.contains(&member.as_str()) && !also.contains(&member.as_str())) {
        return Err(Problem::member(unknown, "there is no such member"));
    }
    let Some(text) = body.get("text").and_then(Value::as_str) else {
        return Err(Problem::member("text", "the text of the mapping is needed"));
    };
    let language = match body.get("language") {
        None | Some(Value::Null) => Language::Mapping,
        Some(word) => word
            .as_str()
            .and_then(Language::parse)
            .ok_or_else(|| Problem::member("language", "`mapping` or `javascript` is wanted"))?,
    };
    let mut includes = Vec::new();
    match body.get("includes") {
        None | Some(Value::Null) => {}
        Some(Value::Object(all)) => {
            for (path, contents) in all {
                let Some(contents) = contents.as_str() else {
                    return Err(Problem::member("includes", "an object of paths and texts is wanted"));
                };
                includes.push((path.clone(), contents.to_owned()));
            }
        }
        Some(_) => return Err(Problem::member("includes", "an object of paths and texts is wanted")),
    }
    if text.contains('\0') || includes.iter().any(|(path, contents)| path.contains('\0') || contents.contains('\0')) {
        return Err(Problem::member("text", "U+0000 can't be stored"));
    }
    let published = Published { name: name.to_owned(), version: 1, language, text: text.to_owned(), includes };
    mapping::compile(&published).map_err(|reason| Problem::member("text", reason))?;
    Ok(published)
}

/// Does a profile come of it? Of a script one does.
pub(super) fn makes_profiles(text: &Published) -> bool {
    mapping::compile(text).is_ok_and(|compiled| compiled.direction().is_none_or(|(_, to)| to == "profile"))
}
