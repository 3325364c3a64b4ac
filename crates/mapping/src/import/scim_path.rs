//! A SCIM attribute path (RFC 7644 §3.5.2) as an expression of ours: `emails[type eq "work"].value`,
//! `urn:…:User:department`, `name.givenName`.

use super::write;
use crate::check::schema::{ENTERPRISE, Schema};
use crate::target::Kind;

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User:";
const FILTER_DEPTH_MAX: usize = 16;
const SCHEMA: Schema = Schema { kind: Kind::Scim, group: false };

/// A path ready to be read.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// The expression.
    pub code: String,
    /// It is a list.
    pub many: bool,
    /// An attribute no schema of ours knows, to be declared: name as written behind `$`.
    pub declare: Option<String>,
    /// The attribute alone, lower case, without filter and schema.
    pub attribute: String,
}

/// # Errors
/// What is wrong with it, in words.
pub fn read(path: &str) -> Result<Read, String> {
    let path = path.trim();
    let head = path.find('[').unwrap_or(path.len());
    let (urn, rest) = match path[..head].rfind(':') {
        Some(colon) if path.starts_with("urn:") => (Some(&path[..colon]), &path[colon + 1..]),
        Some(_) => return Err(format!("`{}` is no attribute path", write::comment(path))),
        None => (None, path),
    };
    let urn = urn.filter(|urn| !CORE.trim_end_matches(':').eq_ignore_ascii_case(urn));
    let name_end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(name_end);
    if !is_attribute(name) {
        return Err(format!("`{}` is no attribute path", write::comment(path)));
    }
    let attribute = name.to_ascii_lowercase();
    let (mut code, list, declare) = match urn {
        Some(urn) if ENTERPRISE.trim_end_matches(':').eq_ignore_ascii_case(urn) => {
            (format!("$enterprise:{}", spelled_enterprise(name)), rest.starts_with('['), None)
        }
        Some(urn) => {
            let source = write::source(urn).ok_or_else(|| format!("`{}` can't be written as a name", write::comment(urn)))?;
            (format!("{source}{}", write::member(name)), rest.starts_with('['), Some(source[1..].to_owned()))
        }
        None => match SCHEMA.find(name).filter(|_| name != "all") {
            Some(known) => (write::source(&known.name).unwrap_or_default(), known.list, None),
            None if write::is_name(name) => (format!("${name}"), rest.starts_with('['), Some(name.to_owned())),
            None => {
                let quoted = format!("\"{name}\"");
                (format!("${quoted}"), rest.starts_with('['), Some(quoted))
            }
        },
    };
    let rest = match rest.strip_prefix('[') {
        None => {
            if list {
                code.push_str("[*]");
            }
            rest
        }
        Some(filtered) => {
            let (filter, rest) =
                closing(filtered).ok_or_else(|| format!("`{}`: the bracket has no end", write::comment(path)))?;
            code = match filter.trim().parse::<u32>() {
                Ok(index) => format!("{code}[{index}]"),
                Err(_) => format!("{code}[{}]", condition(filter)?),
            };
            if filter.trim().parse::<u32>().is_ok() {
                return member(code, rest, path).map(|code| Read { code, many: false, declare, attribute });
            }
            rest
        }
    };
    member(code, rest, path).map(|code| Read { code, many: list, declare, attribute })
}

fn member(code: String, rest: &str, path: &str) -> Result<String, String> {
    let mut code = code;
    for part in rest.split('.').skip(1) {
        if !is_attribute(part) {
            return Err(format!("`{}` is no attribute path", write::comment(path)));
        }
        code.push_str(&write::member(part));
    }
    if rest.is_empty() || rest.starts_with('.') {
        Ok(code)
    } else {
        Err(format!("`{}` is no attribute path", write::comment(path)))
    }
}

fn is_attribute(name: &str) -> bool {
    let name = name.strip_prefix('$').unwrap_or(name);
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
}

/// As the schema spells it.
fn spelled_enterprise(name: &str) -> String {
    let known = ["employeeNumber", "costCenter", "organization", "division", "department", "manager"];
    known.iter().find(|known| known.eq_ignore_ascii_case(name)).map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

/// The text up to the bracket that closes, quotes aside, and what follows.
fn closing(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// A filter over members as a condition of ours. Text compares without case, as RFC 7643 has it for `type` and most.
fn condition(filter: &str) -> Result<String, String> {
    let tokens = tokens(filter)?;
    let mut parser = Filter { tokens: &tokens, at: 0, text: filter };
    let code = parser.or(0)?;
    if parser.at < tokens.len() { Err(parser.refused()) } else { Ok(code) }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
}

fn tokens(filter: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = filter.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => {
                out.push(Token::Open);
                1
            }
            ')' => {
                out.push(Token::Close);
                1
            }
            '"' => {
                let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                match texts.next() {
                    Some(Ok(text)) => out.push(Token::Text(text)),
                    _ => return Err(format!("the filter `{}` has a text without an end", write::comment(filter))),
                }
                texts.byte_offset()
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(rest.len());
                out.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(out)
}

struct Filter<'t> {
    tokens: &'t [Token],
    at: usize,
    text: &'t str,
}

impl Filter<'_> {
    fn refused(&self) -> String {
        format!("the filter `{}` is not understood", write::comment(self.text))
    }

    fn word(&self, wanted: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted))
    }

    fn or(&mut self, depth: usize) -> Result<String, String> {
        self.chain(depth, "or", |filter, depth| filter.chain(depth, "and", Self::one))
    }

    fn chain(
        &mut self,
        depth: usize,
        word: &str,
        part: fn(&mut Self, usize) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut parts = vec![part(self, depth)?];
        while self.word(word) {
            self.at += 1;
            parts.push(part(self, depth)?);
        }
        Ok(parts.join(&format!(" {word} ")))
    }

    fn one(&mut self, depth: usize) -> Result<String, String> {
        if depth > FILTER_DEPTH_MAX {
            return Err(self.refused());
        }
        let negated = self.word("not");
        if negated {
            self.at += 1;
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let inner = self.or(depth + 1)?;
            if self.tokens.get(self.at) != Some(&Token::Close) {
                return Err(self.refused());
            }
            self.at += 1;
            return Ok(if negated { format!("not ({inner})") } else { format!("({inner})") });
        }
        if negated {
            return Err(self.refused());
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<String, String> {
        let (Some(Token::Word(name)), Some(Token::Word(operator))) = (self.tokens.get(self.at), self.tokens.get(self.at + 1))
        else {
            return Err(self.refused());
        };
        if !write::is_name(name) {
            return Err(self.refused());
        }
        let operator = operator.to_ascii_lowercase();
        if operator == "pr" {
            self.at += 2;
            return Ok(format!("present({name})"));
        }
        let value = self.tokens.get(self.at + 2);
        self.at += 3;
        let lowered = |text: &str| write::string(&text.to_lowercase());
        Ok(match (operator.as_str(), value) {
            ("eq", Some(Token::Text(text))) => format!("same({name}, {})", write::string(text)),
            ("ne", Some(Token::Text(text))) => format!("not same({name}, {})", write::string(text)),
            ("sw", Some(Token::Text(text))) => format!("starts_with(lower({name}), {})", lowered(text)),
            ("ew", Some(Token::Text(text))) => format!("ends_with(lower({name}), {})", lowered(text)),
            ("co", Some(Token::Text(text))) => format!("contains(lower({name}), {})", lowered(text)),
            ("eq", Some(Token::Word(truth))) if truth == "true" || truth == "false" => format!("{name} == {truth}"),
            ("ne", Some(Token::Word(truth))) if truth == "true" || truth == "false" => format!("not ({name} == {truth})"),
            _ => return Err(self.refused()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(path: &str) -> String {
        read(path).map_or_else(|why| format!("error: {why}"), |read| read.code)
    }

    #[test]
    fn a_path_reads_what_it_names() {
        for (path, wanted) in [
            ("userName", "$userName"),
            ("USERNAME", "$userName"),
            ("name.givenName", "$name.givenName"),
            ("emails[type eq \"work\"].value", "$emails[same(type, \"work\")].value"),
            ("emails[primary eq true].value", "$emails[primary == true].value"),
            ("emails[0].value", "$emails[0].value"),
            ("emails.value", "$emails[*].value"),
            (
                "emails[type eq \"a]b\" and not (primary eq true)].value",
                "$emails[same(type, \"a]b\") and not (primary == true)].value",
            ),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "$enterprise:department"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "$enterprise:manager.value"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", "$title"),
            ("urn:acme:2.0:User:badge", "$\"urn:acme:2.0:User\".badge"),
        ] {
            assert_eq!(code(path), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        for path in ["", "emails[", "emails[type eq]", "emails[type gt \"a\"]", "a b", "emails[type eq \"w\"]x", "x:y", "a..b"] {
            assert!(code(path).starts_with("error"), "{path}: {}", code(path));
        }
        let deep = format!("emails[{}primary eq true{}].value", "(".repeat(500), ")".repeat(500));
        assert!(code(&deep).starts_with("error"));
    }
}
