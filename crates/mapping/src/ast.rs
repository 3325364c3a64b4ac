//! A mapping as written, without spaces and comments: what the parser gives and the checker reads. Plain data with a
//! span on everything that can be wrong. Nothing here is resolved: `x` may be a `let`, a loop variable or a field.

use crate::span::{Name, Span, Spanned};
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// `None` after an error in it.
    pub header: Option<Header>,
    pub items: Vec<Item>,
}

/// `mapping NAME from KIND to KIND`
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub span: Span,
    pub name: Name,
    /// Words as written: the checker knows the kinds.
    pub from: Name,
    pub to: Name,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `use "std/ad"`
    Use {
        span: Span,
        path: Spanned<Box<str>>,
    },
    /// `prefix c = "http://…/claims/"`
    Prefix {
        span: Span,
        name: Name,
        value: Spanned<Box<str>>,
    },
    /// `const x = …` and `let x = …`; a const is known without an entry.
    Let {
        span: Span,
        constant: bool,
        name: Name,
        value: Expr,
    },
    Table(Table),
    Attrs {
        span: Span,
        attributes: Vec<Attribute>,
    },
    /// `default on_change, absent keep`
    Default {
        span: Span,
        modifiers: Vec<Modifier>,
    },
    Gate(Gate),
    Rule(Rule),
    /// `remove app_metadata.title`
    Remove {
        span: Span,
        target: Target,
    },
    Test(Test),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub span: Span,
    pub name: Name,
    pub rows: TableRows,
    pub otherwise: Option<Spanned<TableElse>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TableRows {
    /// Literals: keys of a row, its value.
    Inline(Vec<(Vec<Expr>, Expr)>),
    /// `from "x.csv" (key column, value column)`
    Csv { path: Spanned<Box<str>>, key: Name, value: Name },
}

#[derive(Clone, Debug, PartialEq)]
pub enum TableElse {
    Value(Expr),
    Absent,
    /// The key itself.
    Key,
    Error,
}

/// One declaration of `attrs { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub span: Span,
    /// `mail`, `"cn;lang-de"`, or `p:rest` with the prefix's name.
    pub name: SourceName,
    pub ty: Name,
    pub list: bool,
    pub sensitive: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    pub span: Span,
    pub deny: bool,
    pub condition: Expr,
    /// A string or a template.
    pub reason: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub span: Span,
    pub replaces: bool,
    pub target: Target,
    pub value: RuleValue,
    pub condition: Option<Expr>,
    pub modifiers: Vec<Modifier>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RuleValue {
    Expr(Expr),
    /// `first_free [a, b, c]`
    FirstFree(Vec<Expr>),
}

/// `app_metadata.title`, `"urn:oid:…"`, `app_metadata["a b"]`
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub span: Span,
    pub path: Vec<Name>,
}

/// One word (with its arguments) after `with` or `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct Modifier {
    pub span: Span,
    /// `always`, `absent`, `check`, …
    pub word: Name,
    pub argument: Option<Argument>,
    /// The text after `check …`.
    pub text: Option<Spanned<Box<str>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// `absent clear`, `check email`, `in id_token`
    Word(Name),
    /// `friendly "mail"`
    Text(Spanned<Box<str>>),
    /// `max 64kb`, in bytes
    Size(Spanned<u64>),
    /// `check /re/`, `check (len(it) < 64)`
    Expr(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    pub span: Span,
    pub name: Spanned<Box<str>>,
    /// Records of literals.
    pub given: Expr,
    pub existing: Option<Expr>,
    pub at: Option<Spanned<Timestamp>>,
    pub seed: Option<Spanned<i64>>,
    pub expect: Expect,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// Values may be literals, `absent`, `keep` or a regex.
    Record {
        exactly: bool,
        record: Expr,
    },
    Skip {
        span: Span,
        reason: Option<Spanned<Box<str>>>,
    },
    Deny {
        span: Span,
        reason: Option<Spanned<Box<str>>>,
    },
    Error {
        span: Span,
        target: Target,
        text: Option<Spanned<Box<str>>>,
    },
    /// A note of the run by its code: `warning N01`.
    Warning {
        span: Span,
        code: Name,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum SourceName {
    Plain(Name),
    Quoted(Spanned<Box<str>>),
    Prefixed { prefix: Name, rest: Name },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub span: Span,
    pub kind: ExprKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    String(Box<str>),
    Int(i64),
    Bool(bool),
    /// `/pattern/i`
    Regex {
        pattern: Box<str>,
        ignore_case: bool,
    },
    /// `hex"00ff"`
    Bytes(Box<[u8]>),
    DateTime(Timestamp),
    Duration(SignedDuration),
    Template(Vec<Part>),
    /// `$mail`, `$c:upn`, `$"cn;lang-de"`
    Source(SourceName),
    /// A let, a table, a loop variable, a field of the record in scope, or a word a function knows.
    Name(Box<str>),
    /// `f(x)`, `f?(x)`, `x.f(y)` (then `x` is the first argument)
    Call {
        name: Name,
        optional: bool,
        arguments: Vec<CallArgument>,
    },
    /// `x.name`
    Field(Box<Expr>, Name),
    /// `x[1]`, `x["key"]`, `x[type == "work"]`
    Index(Box<Expr>, Box<Expr>),
    /// `x[*]`
    All(Box<Expr>),
    List(Vec<Expr>),
    /// `[item for name in list if condition]`
    Comprehension {
        item: Box<Expr>,
        name: Name,
        list: Box<Expr>,
        condition: Option<Box<Expr>>,
    },
    Record(Vec<(Spanned<Box<str>>, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary {
        operator: Spanned<Operator>,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Match {
        subject: Box<Expr>,
        arms: Vec<Arm>,
        otherwise: Box<Expr>,
    },
    Absent,
    Keep,
    It,
    Now,
    Inherited,
    /// `new.email`: an output of this run.
    New(Vec<Name>),
    /// `old.email`: the stored profile.
    Old(Vec<Name>),
    /// Where the parser gave up; already reported.
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(Box<str>),
    /// `{expr}`, or `{expr?}`: absent is written as nothing.
    Hole {
        value: Expr,
        optional: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct CallArgument {
    /// `digits: 4`
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub span: Span,
    pub patterns: Vec<Pattern>,
    pub guard: Option<Expr>,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub span: Span,
    pub kind: PatternKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PatternKind {
    /// A literal, or a regex that matches anywhere.
    Value(Expr),
    /// Both ends included.
    Range(Expr, Expr),
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Coalesce,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `~`
    Matches,
    In,
    Like,
    Plus,
    Minus,
}
