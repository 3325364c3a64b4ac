//! What tokens and nodes there are. Tokens carry their pattern; what lies between the quotes of a string is found by
//! [`super::token`], which keeps account of holes.

/// A `rowan` tree over [`SyntaxKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {}

pub type SyntaxNode = rowan::SyntaxNode<Language>;
pub type SyntaxToken = rowan::SyntaxToken<Language>;
pub type SyntaxElement = rowan::SyntaxElement<Language>;

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident)*) => {
        #[derive(logos::Logos, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum SyntaxKind { $($(#[$meta])* $name),* }

        const KINDS: &[SyntaxKind] = &[$(SyntaxKind::$name),*];
    };
}

kinds! {
    #[regex(r"[ \t\r\u{FEFF}]+")]
    Whitespace
    #[token("\n")]
    Newline
    #[regex(r"#[^\n]*", allow_greedy = true)]
    Comment

    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Name
    /// `$mail`, `$c:upn`, `$edu:1.3.9`: behind a prefix a dot belongs to the name where a digit follows, else to what is
    /// done with the value (`$enterprise:manager.value`).
    #[regex(r"\$[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z0-9_]+(-+[A-Za-z0-9_]+|\.[0-9][A-Za-z0-9_]*)*)?")]
    Source
    /// `$"cn;lang-de"`
    #[regex(r#"\$"([^"\\\n]|\\[^\n])*""#)]
    QuotedSource
    #[regex(r#"\$"([^"\\\n]|\\[^\n])*\\?"#)]
    UnclosedSource

    #[token("\"")]
    StringStart
    /// Between quotes and holes, escapes as written.
    StringText
    HoleStart
    HoleEnd
    StringEnd
    #[regex(r#"r"[^"\n]*""#)]
    RawString
    #[regex(r#"hex"[^"\n]*""#)]
    Bytes
    /// `r"…` or `hex"…` without its end.
    #[regex(r#"(r|hex)"[^"\n]*"#)]
    UnclosedLiteral
    #[regex(r"'[^'\n]*'?")]
    SingleQuoted
    #[regex(r"/([^/\\\n]|\\[^\n])*/[A-Za-z]*")]
    Regex
    #[regex(r"/([^/\\\n]|\\[^\n])*\\?")]
    UnclosedRegex
    #[regex(r"[0-9][0-9_]*", priority = 20)]
    Int
    #[regex(r"0x[0-9A-Fa-f_]+", priority = 20)]
    HexInt
    #[regex(r"([0-9]+[dhms])+", priority = 20)]
    Duration
    #[regex(r"[0-9]+(b|kb|mb|gb)", priority = 20)]
    Size
    #[regex(r"[0-9][0-9A-Za-z_]*", priority = 1)]
    BadNumber
    #[regex(r"@([0-9A-Za-z:+-]|\.[0-9])*")]
    DateTime

    #[token("(")]
    LeftParen
    #[token(")")]
    RightParen
    #[token("[")]
    LeftBracket
    #[token("]")]
    RightBracket
    #[token("{")]
    LeftBrace
    #[token("}")]
    RightBrace
    #[token(",")]
    Comma
    #[token(";")]
    Semicolon
    #[token(":")]
    Colon
    #[token(".")]
    Dot
    #[token("..")]
    DotDot
    #[token("|")]
    Pipe
    #[token("?")]
    Question
    #[token("??")]
    Coalesce
    #[token("=")]
    Equal
    #[token("=>")]
    Arrow
    #[token("<=>")]
    Bridge
    #[token("==")]
    EqualEqual
    #[token("!=")]
    NotEqual
    #[token("<")]
    Less
    #[token("<=")]
    LessOrEqual
    #[token(">")]
    Greater
    #[token(">=")]
    GreaterOrEqual
    #[token("~")]
    Tilde
    #[token("+")]
    Plus
    #[token("-")]
    Minus
    #[token("*")]
    Star
    /// What other languages write for `and`, `or`, `not`.
    #[token("&&")]
    AndAnd
    #[token("||")]
    OrOr
    #[token("!")]
    Bang
    /// Letters and signs outside ASCII.
    #[regex(r"[^\x00-\x7F\u{FEFF}]+")]
    Foreign
    Unknown
    /// A file over the size limit, as one token.
    Oversized
    /// Nothing more in this item. Never in a tree.
    End

    File
    Header
    /// `entra-saml`: tokens without space between them.
    HeaderName
    Use
    Prefix
    Const
    Let
    Table
    TableRow
    TableCsv
    TableElse
    Attrs
    Attribute
    Default
    Gate
    Rule
    FirstFree
    When
    With
    Modifier
    Remove
    Target
    Test
    TestPart
    Expect
    Error

    Literal
    String
    Hole
    SourceName
    NameUse
    Call
    MethodCall
    Arguments
    Argument
    Field
    Index
    All
    List
    Comprehension
    Record
    RecordEntry
    Paren
    Not
    Negative
    Binary
    If
    Match
    Arm
    Pattern
    Otherwise
    /// `new.x.y`, `old.x`
    Stored
}

use SyntaxKind as K;

impl SyntaxKind {
    pub const fn is_trivia(self) -> bool {
        matches!(self, K::Whitespace | K::Newline | K::Comment)
    }

    /// A node that stands for a value.
    pub const fn is_expression(self) -> bool {
        matches!(
            self,
            K::Literal
                | K::String
                | K::SourceName
                | K::NameUse
                | K::Call
                | K::MethodCall
                | K::Field
                | K::Index
                | K::All
                | K::List
                | K::Comprehension
                | K::Record
                | K::Paren
                | K::Not
                | K::Negative
                | K::Binary
                | K::If
                | K::Match
                | K::Stored
        )
    }
}

impl From<SyntaxKind> for rowan::SyntaxKind {
    fn from(kind: SyntaxKind) -> Self {
        Self(kind as u16)
    }
}

impl rowan::Language for Language {
    type Kind = SyntaxKind;

    fn kind_from_raw(raw: rowan::SyntaxKind) -> SyntaxKind {
        KINDS.get(usize::from(raw.0)).copied().unwrap_or(K::Error)
    }

    fn kind_to_raw(kind: SyntaxKind) -> rowan::SyntaxKind {
        kind.into()
    }
}
