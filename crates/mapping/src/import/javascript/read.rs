//! JavaScript text to [`super::tree`]. The one file that knows the names of tree-sitter's nodes. Refuses: text that is
//! no JavaScript, and more depth than a person writes.

use super::tree::{Function, Kind, Node, Piece, Statement, StatementKind};
use crate::import::ImportError;
use tree_sitter::Node as Syntax;

/// Expressions and blocks in one another.
const DEPTH_MAX: usize = 100;
const TEXT_SHOWN: usize = 100;

/// # Errors
/// [`ImportError::Syntax`] with the first place that is no JavaScript; [`ImportError::Depth`].
pub fn script(text: &str) -> Result<Vec<Statement>, ImportError> {
    let mut parser = tree_sitter::Parser::new();
    let refused = |message: String| ImportError::Syntax { line: 1, column: 1, message };
    parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).map_err(|error| refused(error.to_string()))?;
    let tree = parser.parse(text, None).ok_or_else(|| refused("it can't be read".to_owned()))?;
    let root = tree.root_node();
    if root.has_error() {
        return Err(first_error(root, text));
    }
    Reader { text }.statements(root, 0)
}

/// Goes down where the error is; each step is one level, so the depth of the text costs no stack.
fn first_error(root: Syntax<'_>, text: &str) -> ImportError {
    let mut at = root;
    loop {
        let mut cursor = at.walk();
        let next = at.children(&mut cursor).find(|child| child.has_error() || child.is_missing());
        match next {
            Some(child) => at = child,
            None => break,
        }
    }
    let position = at.start_position();
    let message = if at.is_missing() {
        format!("`{}` is missing", at.kind())
    } else {
        let found = text.get(at.byte_range()).unwrap_or_default();
        format!("`{}` makes no sense here", shown(found))
    };
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    ImportError::Syntax { line: number(position.row), column: number(position.column), message }
}

/// One line of it, not too long.
fn shown(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(TEXT_SHOWN) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}

struct Reader<'t> {
    text: &'t str,
}

type Read<T> = Result<T, ImportError>;

fn named(node: Syntax<'_>) -> Vec<Syntax<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

impl Reader<'_> {
    fn slice(&self, node: Syntax<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn line(node: Syntax<'_>) -> u32 {
        u32::try_from(node.start_position().row + 1).unwrap_or(u32::MAX)
    }

    fn below(node: Syntax<'_>, depth: usize) -> Read<usize> {
        if depth >= DEPTH_MAX { Err(ImportError::Depth { line: Self::line(node), depth_max: DEPTH_MAX }) } else { Ok(depth + 1) }
    }

    fn statements(&self, parent: Syntax<'_>, depth: usize) -> Read<Vec<Statement>> {
        named(parent).into_iter().map(|child| self.statement(child, depth)).collect()
    }

    fn statement(&self, node: Syntax<'_>, depth: usize) -> Read<Statement> {
        let depth = Self::below(node, depth)?;
        let kind = match node.kind() {
            "expression_statement" => match named(node).first() {
                Some(inner) => StatementKind::Expr(self.node(*inner, depth)?),
                None => StatementKind::Empty,
            },
            "variable_declaration" | "lexical_declaration" => self.declaration(node, depth)?,
            "function_declaration" => {
                let name = node.child_by_field_name("name").map_or("", |name| self.slice(name));
                match self.function(node, depth)? {
                    Some(function) => StatementKind::Function(name.into(), function),
                    None => StatementKind::Other("a function with destructured parameters", Vec::new()),
                }
            }
            "return_statement" => {
                let value = named(node).first().map(|inner| self.node(*inner, depth)).transpose()?;
                StatementKind::Return(value)
            }
            "throw_statement" => match named(node).first() {
                Some(inner) => StatementKind::Throw(self.node(*inner, depth)?),
                None => StatementKind::Empty,
            },
            "if_statement" => {
                let condition = self.field(node, "condition", depth)?;
                let then = self.branch(node.child_by_field_name("consequence"), depth)?;
                let otherwise = match node.child_by_field_name("alternative") {
                    Some(clause) => self.statements(clause, depth)?,
                    None => Vec::new(),
                };
                StatementKind::If(condition, then, otherwise)
            }
            "statement_block" => StatementKind::Block(self.statements(node, depth)?),
            "empty_statement" | "hash_bang_line" => StatementKind::Empty,
            other => StatementKind::Other(statement_name(other), self.inside(node, depth)?),
        };
        Ok(Statement { line: Self::line(node), text: shown(self.slice(node)).into(), kind })
    }

    fn branch(&self, node: Option<Syntax<'_>>, depth: usize) -> Read<Vec<Statement>> {
        node.map_or_else(|| Ok(Vec::new()), |node| Ok(vec![self.statement(node, depth)?]))
    }

    /// Statements and expressions below one that is not understood: what it may assign has to be known.
    fn inside(&self, node: Syntax<'_>, depth: usize) -> Read<Vec<Statement>> {
        let mut out = Vec::new();
        for child in named(node) {
            let is_statement = child.kind().ends_with("statement") || child.kind().ends_with("declaration");
            if is_statement || child.kind() == "statement_block" {
                out.push(self.statement(child, depth)?);
            } else if child.kind().ends_with("clause") || child.kind().starts_with("switch") {
                out.extend(self.inside(child, Self::below(child, depth)?)?);
            } else {
                let node = self.node(child, depth)?;
                out.push(Statement { line: node.line, text: node.text.clone(), kind: StatementKind::Expr(node) });
            }
        }
        Ok(out)
    }

    fn declaration(&self, node: Syntax<'_>, depth: usize) -> Read<StatementKind> {
        let mut out = Vec::new();
        for declarator in named(node) {
            let Some(name) = declarator.child_by_field_name("name") else { continue };
            if name.kind() != "identifier" {
                return Ok(StatementKind::Other("a destructuring declaration", self.inside(declarator, depth)?));
            }
            let value = declarator.child_by_field_name("value").map(|value| self.node(value, depth)).transpose()?;
            out.push((self.slice(name).into(), value));
        }
        Ok(StatementKind::Declare(out))
    }

    /// `None`: parameters that are no plain names.
    fn function(&self, node: Syntax<'_>, depth: usize) -> Read<Option<Function>> {
        let parameters = match (node.child_by_field_name("parameter"), node.child_by_field_name("parameters")) {
            (Some(one), _) => vec![one],
            (None, Some(list)) => named(list),
            (None, None) => Vec::new(),
        };
        if parameters.iter().any(|parameter| parameter.kind() != "identifier") {
            return Ok(None);
        }
        let parameters = parameters.into_iter().map(|parameter| self.slice(parameter).into()).collect();
        let Some(body) = node.child_by_field_name("body") else { return Ok(None) };
        let body = if body.kind() == "statement_block" {
            self.statements(body, depth)?
        } else {
            let value = self.node(body, depth)?;
            vec![Statement { line: value.line, text: value.text.clone(), kind: StatementKind::Return(Some(value)) }]
        };
        Ok(Some(Function { parameters, body }))
    }

    fn field(&self, node: Syntax<'_>, name: &str, depth: usize) -> Read<Node> {
        match node.child_by_field_name(name) {
            Some(child) => self.node(child, depth),
            None => Ok(Node { line: Self::line(node), text: "".into(), kind: Kind::Undefined }),
        }
    }

    fn boxed(&self, node: Syntax<'_>, name: &str, depth: usize) -> Read<Box<Node>> {
        Ok(Box::new(self.field(node, name, depth)?))
    }

    fn all(&self, nodes: Vec<Syntax<'_>>, depth: usize) -> Read<Vec<Node>> {
        nodes.into_iter().map(|node| self.node(node, depth)).collect()
    }

    fn operator(&self, node: Syntax<'_>) -> Box<str> {
        node.child_by_field_name("operator").map_or("=", |operator| self.slice(operator)).into()
    }

    fn node(&self, node: Syntax<'_>, depth: usize) -> Read<Node> {
        let depth = Self::below(node, depth)?;
        let kind = match node.kind() {
            // Brackets say nothing of their own.
            "parenthesized_expression" => match *named(node) {
                [inner] => return self.node(inner, depth),
                _ => Kind::Other("a sequence", Vec::new()),
            },
            "identifier" | "this" => Kind::Name(self.slice(node).into()),
            "undefined" => Kind::Undefined,
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "number" => number(self.slice(node)).map_or(Kind::Other("a number", Vec::new()), Kind::Number),
            "string" => self.string(node),
            "template_string" => self.template(node, depth)?,
            "regex" => Kind::Regex {
                pattern: node.child_by_field_name("pattern").map_or("", |pattern| self.slice(pattern)).into(),
                flags: node.child_by_field_name("flags").map_or("", |flags| self.slice(flags)).into(),
            },
            "member_expression" => {
                let property = node.child_by_field_name("property").map_or("", |property| self.slice(property));
                Kind::Member(self.boxed(node, "object", depth)?, property.into())
            }
            "subscript_expression" => {
                let (base, index) = (self.boxed(node, "object", depth)?, self.boxed(node, "index", depth)?);
                match index.kind {
                    Kind::Text(name) => Kind::Member(base, name),
                    _ => Kind::Index(base, index),
                }
            }
            "call_expression" => self.call(node, "function", depth)?,
            "new_expression" => match self.call(node, "constructor", depth)? {
                Kind::Call(callee, arguments) => Kind::New(callee, arguments),
                other => other,
            },
            "object" => self.object(node, depth)?,
            "array" => Kind::Array(self.all(named(node), depth)?),
            "function_expression" | "arrow_function" | "function" => match self.function(node, depth)? {
                Some(function) => Kind::Function(function),
                None => Kind::Other("a function with destructured parameters", Vec::new()),
            },
            "binary_expression" => {
                Kind::Binary(self.operator(node), self.boxed(node, "left", depth)?, self.boxed(node, "right", depth)?)
            }
            "unary_expression" => Kind::Unary(self.operator(node), self.boxed(node, "argument", depth)?),
            "ternary_expression" => Kind::Ternary(
                self.boxed(node, "condition", depth)?,
                self.boxed(node, "consequence", depth)?,
                self.boxed(node, "alternative", depth)?,
            ),
            "assignment_expression" | "augmented_assignment_expression" => {
                Kind::Assign(self.operator(node), self.boxed(node, "left", depth)?, self.boxed(node, "right", depth)?)
            }
            other => Kind::Other(expression_name(other), self.all(named(node), depth)?),
        };
        Ok(Node { line: Self::line(node), text: shown(self.slice(node)).into(), kind })
    }

    fn call(&self, node: Syntax<'_>, callee: &str, depth: usize) -> Read<Kind> {
        let arguments = match node.child_by_field_name("arguments") {
            Some(list) if list.kind() == "arguments" => self.all(named(list), depth)?,
            Some(_) => return Ok(Kind::Other("a tagged template", Vec::new())),
            None => Vec::new(),
        };
        Ok(Kind::Call(self.boxed(node, callee, depth)?, arguments))
    }

    fn object(&self, node: Syntax<'_>, depth: usize) -> Read<Kind> {
        let mut members = Vec::new();
        for child in named(node) {
            match child.kind() {
                "pair" => {
                    let key = child.child_by_field_name("key");
                    let name = match key.map(|key| (key.kind(), key)) {
                        Some(("property_identifier" | "number", key)) => Some(self.slice(key).into()),
                        Some(("string", key)) => match self.string(key) {
                            Kind::Text(text) => Some(text),
                            _ => None,
                        },
                        _ => None,
                    };
                    let Some(name) = name else { return Ok(Kind::Other("an object with computed names", Vec::new())) };
                    members.push((name, self.field(child, "value", depth)?));
                }
                "shorthand_property_identifier" => {
                    let name: Box<str> = self.slice(child).into();
                    let value = Node { line: Self::line(child), text: name.clone(), kind: Kind::Name(name.clone()) };
                    members.push((name, value));
                }
                "spread_element" => return Ok(Kind::Other("an object with `...`", Vec::new())),
                _ => return Ok(Kind::Other("an object with methods", Vec::new())),
            }
        }
        Ok(Kind::Object(members))
    }

    fn string(&self, node: Syntax<'_>) -> Kind {
        let mut out = String::new();
        for piece in named(node) {
            let text = self.slice(piece);
            if piece.kind() == "escape_sequence" {
                match unescaped(text) {
                    Some(letter) => out.push_str(&letter),
                    None => return Kind::Other("a string with half a character", Vec::new()),
                }
            } else {
                out.push_str(text);
            }
        }
        Kind::Text(out.into())
    }

    fn template(&self, node: Syntax<'_>, depth: usize) -> Read<Kind> {
        let mut pieces = Vec::new();
        for piece in named(node) {
            match piece.kind() {
                "template_substitution" => {
                    let Some(inner) = named(piece).first().copied() else { continue };
                    pieces.push(Piece::Hole(self.node(inner, depth)?));
                }
                "escape_sequence" => match unescaped(self.slice(piece)) {
                    Some(letter) => pieces.push(Piece::Text(letter.into())),
                    None => return Ok(Kind::Other("a string with half a character", Vec::new())),
                },
                _ => pieces.push(Piece::Text(self.slice(piece).into())),
            }
        }
        Ok(Kind::Template(pieces))
    }
}

/// What an escape in a string stands for. `None`: half of a surrogate pair.
fn unescaped(escape: &str) -> Option<String> {
    let rest = escape.strip_prefix('\\')?;
    let first = rest.chars().next()?;
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from);
    match first {
        'n' => Some("\n".into()),
        't' => Some("\t".into()),
        'r' => Some("\r".into()),
        'b' => Some("\u{8}".into()),
        'f' => Some("\u{c}".into()),
        'v' => Some("\u{b}".into()),
        '0' if rest.len() == 1 => Some("\0".into()),
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some(String::new()),
        'x' => hex(&rest[1..]),
        'u' => hex(rest[1..].trim_matches(['{', '}'])),
        '0'..='9' => None,
        other => Some(other.to_string()),
    }
}

fn number(text: &str) -> Option<f64> {
    let digits = text.replace('_', "");
    #[expect(clippy::cast_precision_loss, reason = "a JavaScript number is a double")]
    match digits.get(..2) {
        Some("0x" | "0X") => i64::from_str_radix(&digits[2..], 16).ok().map(|n| n as f64),
        Some("0b" | "0B") => i64::from_str_radix(&digits[2..], 2).ok().map(|n| n as f64),
        Some("0o" | "0O") => i64::from_str_radix(&digits[2..], 8).ok().map(|n| n as f64),
        _ => digits.parse().ok(),
    }
}

fn statement_name(kind: &str) -> &'static str {
    match kind {
        "for_statement" | "for_in_statement" | "while_statement" | "do_statement" => "a loop",
        "try_statement" => "try … catch",
        "switch_statement" => "a switch",
        "throw_statement" => "throw",
        "class_declaration" => "a class",
        "import_statement" | "export_statement" => "a module of the newer kind",
        _ => "a statement of this kind",
    }
}

fn expression_name(kind: &str) -> &'static str {
    match kind {
        "await_expression" => "await",
        "update_expression" => "counting",
        "sequence_expression" => "a sequence",
        "spread_element" => "`...`",
        "class" => "a class",
        "object_pattern" | "array_pattern" => "destructuring",
        _ => "an expression of this kind",
    }
}
