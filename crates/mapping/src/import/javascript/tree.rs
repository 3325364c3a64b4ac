//! A script as far as the importer looks at it: plain data with lines. What is none of these is `Other`.

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// From 1.
    pub line: u32,
    /// The text, for reports: one line, shortened.
    pub text: Box<str>,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Name(Box<str>),
    Text(Box<str>),
    Number(f64),
    Bool(bool),
    Null,
    Undefined,
    Regex {
        pattern: Box<str>,
        flags: Box<str>,
    },
    /// `x.name`, `x?.name`, `x['name']`
    Member(Box<Node>, Box<str>),
    /// `x[i]`
    Index(Box<Node>, Box<Node>),
    Call(Box<Node>, Vec<Node>),
    New(Box<Node>, Vec<Node>),
    Object(Vec<(Box<str>, Node)>),
    Array(Vec<Node>),
    Function(Function),
    Binary(Box<str>, Box<Node>, Box<Node>),
    Unary(Box<str>, Box<Node>),
    Ternary(Box<Node>, Box<Node>, Box<Node>),
    Template(Vec<Piece>),
    /// `=`, `||=`, `+=` …
    Assign(Box<str>, Box<Node>, Box<Node>),
    /// What it is in words, and what stands in it.
    Other(&'static str, Vec<Node>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(Box<str>),
    Hole(Node),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub parameters: Vec<Box<str>>,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub line: u32,
    pub text: Box<str>,
    pub kind: StatementKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    Declare(Vec<(Box<str>, Option<Node>)>),
    Function(Box<str>, Function),
    Expr(Node),
    If(Node, Vec<Statement>, Vec<Statement>),
    Block(Vec<Statement>),
    Return(Option<Node>),
    Throw(Node),
    Empty,
    /// What it is in words, and what stands in it.
    Other(&'static str, Vec<Statement>),
}

impl Node {
    /// What stands in it, one level down.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Name(_) | Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::Undefined => Vec::new(),
            Kind::Regex { .. } | Kind::Function(_) => Vec::new(),
            Kind::Member(base, _) | Kind::Unary(_, base) => vec![base],
            Kind::Index(a, b) | Kind::Binary(_, a, b) | Kind::Assign(_, a, b) => vec![a, b],
            Kind::Ternary(a, b, c) => vec![a, b, c],
            Kind::Call(callee, arguments) | Kind::New(callee, arguments) => std::iter::once(&**callee).chain(arguments).collect(),
            Kind::Object(members) => members.iter().map(|(_, value)| value).collect(),
            Kind::Array(items) | Kind::Other(_, items) => items.iter().collect(),
            Kind::Template(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Hole(node) => Some(node),
                    Piece::Text(_) => None,
                })
                .collect(),
        }
    }

    pub fn is_name(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Name(own) if **own == *name)
    }
}

/// Every expression of these statements with everything in it, functions' bodies included.
pub fn visit<'n>(statements: &'n [Statement], see: &mut dyn FnMut(&'n Node)) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Declare(declared) => {
                declared.iter().filter_map(|(_, value)| value.as_ref()).for_each(|n| visit_node(n, see));
            }
            StatementKind::Function(_, function) => visit(&function.body, see),
            StatementKind::Expr(node) | StatementKind::Return(Some(node)) | StatementKind::Throw(node) => visit_node(node, see),
            StatementKind::If(condition, then, otherwise) => {
                visit_node(condition, see);
                visit(then, see);
                visit(otherwise, see);
            }
            StatementKind::Block(inner) | StatementKind::Other(_, inner) => visit(inner, see),
            StatementKind::Return(None) | StatementKind::Empty => {}
        }
    }
}

fn visit_node<'n>(node: &'n Node, see: &mut dyn FnMut(&'n Node)) {
    see(node);
    if let Kind::Function(function) = &node.kind {
        visit(&function.body, see);
    }
    for child in node.children() {
        visit_node(child, see);
    }
}
