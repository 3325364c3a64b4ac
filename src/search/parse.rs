//! Text to tree. The text is read once, from the left; every limit is looked at on the way.

use super::ast::{Asked, Bound, Edge, Field, Node, Term};
use super::{BYTES_MAX, CLAUSES_MAX, DEPTH_MAX, Refused, WILDCARDS_MAX, excerpt};

/// Reads a search; `None` where there is nothing but white space.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(text: &str) -> Result<Option<Node>, Refused> {
    if text.len() > BYTES_MAX {
        return Err(Refused::at(1, format!("a search has at most {BYTES_MAX} bytes, this one {}", text.len())));
    }
    let mut parser = Parser { chars: text.chars().collect(), at: 0, clauses: 0, wildcards: 0 };
    parser.blank();
    if parser.peek().is_none() {
        return Ok(None);
    }
    let node = parser.or(0)?;
    match parser.peek() {
        None => Ok(Some(node)),
        Some(c) => Err(parser.refused(format!("`{c}` closes or ends nothing here"))),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    clauses: usize,
    wildcards: usize,
}

/// A word as it stands there.
struct Word {
    term: Term,
    /// Begins with, or is, what it is without any escape: only then it may be an operator.
    raw: String,
    column: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn refused(&self, says: impl Into<String>) -> Refused {
        Refused::at(self.at + 1, says)
    }

    /// Takes the operator if it stands here as a word of its own.
    fn takes(&mut self, operator: &str) -> bool {
        self.blank();
        let end = self.at + operator.len();
        let stands = self.chars.get(self.at..end).is_some_and(|word| word.iter().copied().eq(operator.chars()));
        let ends = self.chars.get(end).is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"'));
        if stands && ends {
            self.at = end;
        }
        stands && ends
    }

    fn or(&mut self, depth: usize) -> Result<Node, Refused> {
        let mut parts = vec![self.and(depth)?];
        while self.takes("OR") {
            parts.push(self.and(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Or(parts) })
    }

    fn and(&mut self, depth: usize) -> Result<Node, Refused> {
        let mut parts = vec![self.not(depth)?];
        loop {
            let here = self.at;
            if self.takes("OR") {
                self.at = here;
                break;
            }
            if !self.takes("AND") && matches!(self.peek(), None | Some(')')) {
                break;
            }
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::And(parts) })
    }

    fn not(&mut self, depth: usize) -> Result<Node, Refused> {
        if self.takes("NOT") {
            self.blank();
            return Ok(Node::Not(Box::new(self.clause(depth)?)));
        }
        if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| !c.is_whitespace()) {
            self.at += 1;
            return Ok(Node::Not(Box::new(self.clause(depth)?)));
        }
        self.clause(depth)
    }

    fn opened(&mut self, depth: usize) -> Result<usize, Refused> {
        if depth >= DEPTH_MAX {
            return Err(self.refused(format!("parentheses are at most {DEPTH_MAX} deep")));
        }
        self.at += 1;
        Ok(depth + 1)
    }

    fn closed(&mut self, opened: usize) -> Result<(), Refused> {
        self.blank();
        if self.peek() != Some(')') {
            return Err(Refused::at(opened, "this parenthesis is not closed"));
        }
        self.at += 1;
        Ok(())
    }

    fn clause(&mut self, depth: usize) -> Result<Node, Refused> {
        self.blank();
        let column = self.at + 1;
        match self.peek() {
            None => Err(self.refused("the search ends where a term is wanted")),
            Some('(') => {
                let depth = self.opened(depth)?;
                let inner = self.or(depth)?;
                self.closed(column)?;
                Ok(inner)
            }
            Some('"') => {
                let asked = Asked::Phrase(self.phrase()?);
                self.counted(None, asked, column)
            }
            Some('[' | '{') => Err(self.refused("a range stands behind a field and a colon")),
            Some(_) => {
                let word = self.word(false)?;
                if self.peek() != Some(':') {
                    if matches!(word.raw.as_str(), "AND" | "OR" | "NOT" | "TO") {
                        return Err(Refused::at(column, format!("`{}` stands where a term is wanted", word.raw)));
                    }
                    return self.counted(None, Asked::Term(word.term), column);
                }
                self.at += 1;
                self.of_field(word, depth)
            }
        }
    }

    /// What stands behind `word:`.
    fn of_field(&mut self, word: Word, depth: usize) -> Result<Node, Refused> {
        let field = named(&word)?;
        self.blank();
        if field.name == "_exists_" {
            let word = self.word(false)?;
            self.count(word.column)?;
            return Ok(Node::Exists(named(&word)?));
        }
        self.value(&field, depth)
    }

    fn value(&mut self, field: &Field, depth: usize) -> Result<Node, Refused> {
        self.blank();
        let column = self.at + 1;
        let asked = match self.peek() {
            None => return Err(self.refused(format!("a value of `{}` is wanted", excerpt(&field.name)))),
            Some('(') => {
                let depth = self.opened(depth)?;
                let inner = self.values(field, depth)?;
                self.closed(column)?;
                return Ok(inner);
            }
            Some('[' | '{') => self.range()?,
            Some('"') => Asked::Phrase(self.phrase()?),
            Some(_) => {
                let word = self.word(false)?;
                if matches!(word.raw.as_str(), "AND" | "OR" | "NOT" | "TO") {
                    return Err(Refused::at(
                        column,
                        format!("`{}` stands where a value is wanted; in quotes it is one", word.raw),
                    ));
                }
                Asked::Term(word.term)
            }
        };
        self.counted(Some(field.clone()), asked, column)
    }

    /// The same with operators between values: `field:(a OR b)`.
    fn values(&mut self, field: &Field, depth: usize) -> Result<Node, Refused> {
        let mut either = Vec::new();
        loop {
            let mut all = Vec::new();
            loop {
                let negated = self.takes("NOT");
                let value = self.value(field, depth)?;
                all.push(if negated { Node::Not(Box::new(value)) } else { value });
                let here = self.at;
                if self.takes("OR") {
                    self.at = here;
                    break;
                }
                if !self.takes("AND") && matches!(self.peek(), None | Some(')')) {
                    break;
                }
            }
            either.push(if all.len() == 1 { all.remove(0) } else { Node::And(all) });
            if !self.takes("OR") {
                return Ok(if either.len() == 1 { either.remove(0) } else { Node::Or(either) });
            }
        }
    }

    fn counted(&mut self, field: Option<Field>, asked: Asked, column: usize) -> Result<Node, Refused> {
        self.count(column)?;
        Ok(Node::Clause { field, asked, column })
    }

    fn count(&mut self, column: usize) -> Result<(), Refused> {
        self.clauses += 1;
        if self.clauses > CLAUSES_MAX {
            return Err(Refused::at(column, format!("a search has at most {CLAUSES_MAX} comparisons")));
        }
        Ok(())
    }

    /// `"…"`, unescaped.
    fn phrase(&mut self) -> Result<String, Refused> {
        let opened = self.at + 1;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(Refused::at(opened, "this quote is not closed")),
                Some('"') => break,
                Some('\\') => {
                    self.at += 1;
                    text.push(self.peek().ok_or_else(|| Refused::at(opened, "this quote is not closed"))?);
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(text)
    }

    /// A word up to what can't be in one. In a range a colon can.
    fn word(&mut self, in_range: bool) -> Result<Word, Refused> {
        let column = self.at + 1;
        let (mut parts, mut raw) = (vec![String::new()], String::new());
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() || matches!(c, '"' | '(' | ')' | '[' | ']' | '{' | '}') => break,
                ':' if !in_range => break,
                '\\' => {
                    raw.push(c);
                    self.at += 1;
                    let Some(escaped) = self.peek() else { return Err(self.refused("nothing stands behind this `\\`")) };
                    parts.last_mut().expect("there is always one").push(escaped);
                }
                '*' => {
                    self.wildcards += usize::from(!in_range);
                    if self.wildcards > WILDCARDS_MAX {
                        return Err(self.refused(format!("a search has at most {WILDCARDS_MAX} wildcards")));
                    }
                    parts.push(String::new());
                }
                '?' => return Err(self.refused("`?` is no wildcard here; `\\?` means the character")),
                c => parts.last_mut().expect("there is always one").push(c),
            }
            raw.push(c);
            self.at += 1;
        }
        if raw.is_empty() {
            let says = self.peek().map_or_else(
                || "the search ends where a word is wanted".to_owned(),
                |c| format!("`{c}` stands where a word is wanted"),
            );
            return Err(self.refused(says));
        }
        Ok(Word { term: Term(parts), raw, column })
    }

    fn range(&mut self) -> Result<Asked, Refused> {
        let opened = self.at + 1;
        let inclusive = self.peek() == Some('[');
        self.at += 1;
        let mut from = self.bound()?;
        from.inclusive = inclusive;
        if !self.takes("TO") {
            return Err(self.refused("`TO` is wanted between the ends of a range"));
        }
        let mut to = self.bound()?;
        self.blank();
        to.inclusive = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(Refused::at(opened, "this range is not closed")),
        };
        self.at += 1;
        Ok(Asked::Range { from, to })
    }

    fn bound(&mut self) -> Result<Bound, Refused> {
        self.blank();
        let column = self.at + 1;
        let value = if self.peek() == Some('"') {
            Some(Edge { text: self.phrase()?, quoted: true })
        } else {
            let word = self.word(true)?;
            match word.term.plain() {
                Some(text) if word.raw != "TO" => Some(Edge { text: text.to_owned(), quoted: false }),
                None if word.raw == "*" => None,
                _ => return Err(Refused::at(column, "the end of a range is a value, or `*` where it is open")),
            }
        };
        Ok(Bound { value, inclusive: true, column })
    }
}

fn named(word: &Word) -> Result<Field, Refused> {
    match word.term.plain() {
        Some(name) if !name.is_empty() => Ok(Field { name: name.to_owned(), column: word.column }),
        _ => Err(Refused::at(word.column, "the name of a field has no wildcard")),
    }
}
