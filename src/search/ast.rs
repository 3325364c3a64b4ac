//! A search as a tree. It prints in one canonical form, which reads as the same tree.

use std::fmt;

#[derive(Clone, Debug)]
pub enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// There is a value.
    Exists(Field),
    Clause {
        field: Option<Field>,
        asked: Asked,
        column: usize,
    },
}

/// The name of a field, unescaped, and where it stands.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub column: usize,
}

/// What a field is asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    Phrase(String),
    Term(Term),
    Range { from: Bound, to: Bound },
}

/// A word: its plain parts, with a wildcard between each two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term(pub Vec<String>);

/// One end of a range; `None`: open.
#[derive(Clone, Debug)]
pub struct Bound {
    pub value: Option<Edge>,
    /// Whether the value itself counts.
    pub inclusive: bool,
    pub column: usize,
}

#[derive(Clone, Debug)]
pub struct Edge {
    pub text: String,
    /// Quoted, it is text whatever it looks like.
    pub quoted: bool,
}

impl Term {
    /// The text, if there is no wildcard in it.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// `*`: anything.
    pub fn is_anything(&self) -> bool {
        self.0.len() > 1 && self.0.iter().all(String::is_empty)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], between: &str, in_or: bool| {
            for (at, part) in parts.iter().enumerate() {
                let in_brackets = matches!(part, Self::Or(_)) || matches!(part, Self::And(_)) && !in_or;
                write!(f, "{}", if at > 0 { between } else { "" })?;
                if in_brackets { write!(f, "({part})")? } else { write!(f, "{part}")? }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => list(f, parts, " AND ", false),
            Self::Or(parts) => list(f, parts, " OR ", true),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) | Self::Not(_) => write!(f, "NOT ({inner})"),
                _ => write!(f, "NOT {inner}"),
            },
            Self::Exists(field) => write!(f, "_exists_:{}", escaped(&field.name)),
            Self::Clause { field, asked, .. } => {
                if let Some(field) = field {
                    write!(f, "{}:", escaped(&field.name))?;
                }
                write!(f, "{asked}")
            }
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrase(text) => write!(f, "{}", quoted(text)),
            Self::Term(term) => write!(f, "{}", term.0.iter().map(|part| escaped(part)).collect::<Vec<_>>().join("*")),
            Self::Range { from, to } => {
                let (open, close) = (if from.inclusive { '[' } else { '{' }, if to.inclusive { ']' } else { '}' });
                write!(f, "{open}{from} TO {to}{close}")
            }
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "*"),
            Some(edge) if edge.quoted => write!(f, "{}", quoted(&edge.text)),
            Some(edge) => write!(f, "{}", escaped(&edge.text)),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Every character that could mean something else is escaped, and all of a word that is an operator.
fn escaped(text: &str) -> String {
    let is_operator = matches!(text, "AND" | "OR" | "NOT" | "TO");
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        let special = c.is_whitespace() || matches!(c, '"' | '(' | ')' | '[' | ']' | '{' | '}' | ':' | '*' | '?' | '\\');
        if special || at == 0 && (c == '-' || is_operator) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
