//! Precedence as a table, and the work the parser does on texts made to hurt.

use super::Parser;
use crate::ast::{Expr, ExprKind, Item, Part, RuleValue};
use crate::limits::FILE_BYTES_MAX;
use crate::span::FileId;
use crate::syntax::{parse, token};

/// The expression with brackets around everything.
fn shape(expr: &Expr) -> String {
    let all = |exprs: &[Expr]| exprs.iter().map(shape).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Int(number) => number.to_string(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::String(text) => format!("{text:?}"),
        ExprKind::Name(name) => name.to_string(),
        ExprKind::Absent => "absent".to_owned(),
        ExprKind::Not(operand) => format!("(not {})", shape(operand)),
        ExprKind::Negative(operand) => format!("(neg {})", shape(operand)),
        ExprKind::Binary { operator, left, right } => format!("({:?} {} {})", operator.value, shape(left), shape(right)),
        ExprKind::Field(record, name) => format!("(field {} {})", shape(record), name.value),
        ExprKind::Index(list, index) => format!("(index {} {})", shape(list), shape(index)),
        ExprKind::All(list) => format!("(all {})", shape(list)),
        ExprKind::List(values) => format!("[{}]", all(values)),
        ExprKind::Call { name, optional, arguments } => {
            let values: Vec<Expr> = arguments.iter().map(|argument| argument.value.clone()).collect();
            format!("({}{} {})", name.value, if *optional { "?" } else { "" }, all(&values))
        }
        ExprKind::If { condition, then, otherwise } => {
            format!("(if {} {} {})", shape(condition), shape(then), shape(otherwise))
        }
        ExprKind::Comprehension { item, name, list, condition } => format!(
            "(for {} {} {}{})",
            name.value,
            shape(list),
            shape(item),
            condition.as_ref().map(|condition| format!(" if {}", shape(condition))).unwrap_or_default()
        ),
        ExprKind::New(path) => path.iter().fold("new".to_owned(), |text, name| format!("{text}.{}", name.value)),
        ExprKind::Template(parts) => {
            let part = |part: &Part| match part {
                Part::Text(text) => format!("{text:?}"),
                Part::Hole { value, optional } => format!("{}{}", shape(value), if *optional { "?" } else { "" }),
            };
            format!("<{}>", parts.iter().map(part).collect::<Vec<_>>().join(" "))
        }
        other => format!("{other:?}"),
    }
}

fn shape_of(expression: &str) -> String {
    let parsed = parse(&format!("mapping m from ldap to profile\nx = {expression}"), FileId(0));
    assert_eq!(parsed.diagnostics, [], "{expression}");
    match &parsed.file.items[..] {
        [Item::Rule(rule)] => match &rule.value {
            RuleValue::Expr(expr) => shape(expr),
            RuleValue::FirstFree(_) => panic!("{expression}"),
        },
        items => panic!("{expression}: {items:?}"),
    }
}

#[test]
fn precedence() {
    for (expression, expected) in [
        ("a or b and c", "(Or a (And b c))"),
        ("a and b or c", "(Or (And a b) c)"),
        ("a or b or c", "(Or (Or a b) c)"),
        ("not a and b", "(And (not a) b)"),
        ("not a == b", "(not (Equal a b))"),
        ("not not a", "(not (not a))"),
        ("a and not b or c", "(Or (And a (not b)) c)"),
        ("a == b and c != d", "(And (Equal a b) (NotEqual c d))"),
        ("a + 1 < b - 2", "(Less (Plus a 1) (Minus b 2))"),
        ("a - b - c", "(Minus (Minus a b) c)"),
        ("a ?? b ?? c", "(Coalesce (Coalesce a b) c)"),
        ("a ?? b + c", "(Coalesce a (Plus b c))"),
        ("(a ?? b) == c", "(Equal (Coalesce a b) c)"),
        ("a ?? (b and c)", "(Coalesce a (And b c))"),
        ("a in [b, c]", "(In a [b c])"),
        ("a like \"x*\" or a ~ b", "(Or (Like a \"x*\") (Matches a b))"),
        ("a <= b", "(LessOrEqual a b)"),
        ("-1", "-1"),
        ("-a + b", "(Plus (neg a) b)"),
        ("a - -1", "(Minus a -1)"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-a.b", "(neg (field a b))"),
        ("a.b.c", "(field (field a b) c)"),
        ("a.f(b)", "(f a b)"),
        ("a.f?(b).g()", "(g (f? a b))"),
        ("f?(a)", "(f? a)"),
        ("f(a, b,)", "(f a b)"),
        ("a[0].b[*]", "(all (field (index a 0) b))"),
        ("a[-1]", "(index a -1)"),
        ("a[b == c].d", "(field (index a (Equal b c)) d)"),
        ("a[b].f(c)[\"k\"]", "(index (f (index a b) c) \"k\")"),
        ("if a then b else if c then d else e", "(if a b (if c d e))"),
        ("if a or b then c else d ?? e", "(if (Or a b) c (Coalesce d e))"),
        ("[ a + b for a in c if a > 1 and d ]", "(for a c (Plus a b) if (And (Greater a 1) d))"),
        ("[]", "[]"),
        ("new.a.b", "new.a.b"),
        ("new.a.f(b)", "(f new.a b)"),
        ("\"x{a ?? b}{c?}\"", "<\"x\" (Coalesce a b) c?>"),
        ("\"\\{\\u{41}\\\"\\n\"", "\"{A\\\"\\n\""),
        ("r\"\\d{1}\"", "\"\\\\d{1}\""),
        ("0x1F + 1_000", "(Plus 31 1000)"),
    ] {
        assert_eq!(shape_of(expression), expected, "{expression}");
    }
}

#[test]
fn a_line_end_ends_an_item_except_in_brackets_before_operators_and_behind_them() {
    for expression in ["a\n  ?? b", "a ??\n  b", "(a\n?? b)", "\n  a ?? b", "a # c\n  ?? b"] {
        assert_eq!(shape_of(expression), "(Coalesce a b)", "{expression}");
    }
    assert_eq!(shape_of("if a\n then b\n else c"), "(if a b c)");
    let parsed = parse("mapping m from ldap to profile\nx = $a\nwhen $b\nwith create,\n  required\ny = [\n1\n]", FileId(0));
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.file.items.len(), 2);
}

#[test]
fn words_of_the_language_may_name_targets() {
    let text = "mapping m from profile to oidc\ntest = 1\ndefault.x = 2\nlet = 3\nin = 4\nwhen = 5\nuse[\"a\"] = 6\nmatch = 7";
    let parsed = parse(text, FileId(0));
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.file.items.len(), 7);
    assert!(parsed.file.items.iter().all(|item| matches!(item, Item::Rule(_))));
}

/// Texts of the full size that would cost a careless parser more than their length.
fn hostile() -> Vec<(&'static str, String)> {
    let header = "mapping m from ldap to profile\n";
    [
        ("open parentheses", "x = ", "("),
        ("open lists", "x = ", "["),
        ("open records", "x = ", "{a:"),
        ("open calls", "x = ", "f("),
        ("open indexes", "x = a", "[a"),
        ("open holes", "x = ", "\"{"),
        ("quotes", "x = ", "\""),
        ("strings without end", "", "x = \"a\n"),
        ("raw strings without end", "", "x = r\"a\n"),
        ("slashes", "x = ", "/ "),
        ("backslashes", "x = \"", "\\"),
        ("negations", "x = ", "not "),
        ("signs", "x = ", "-"),
        ("sums", "x = 1", " + 1"),
        ("fallbacks", "x = 1", " ?? 1"),
        ("other people's operators", "x = 1", " && 1"),
        ("fields", "x = a", ".a"),
        ("calls behind values", "x = a", ".f()"),
        ("choices", "x = ", "if a then "),
        ("matches", "x = ", "match "),
        ("paths", "", "a."),
        ("lines that may be paths", "", "a.\n"),
        ("lines that may be targets", "", "a[\"b\"]"),
        ("errors", "", "x = = \n"),
        ("errors in one line", "", "x = = ;"),
        ("semicolons", "", ";"),
        ("closing brackets", "", ")]}"),
        ("headers", "", "mapping "),
        ("attributes", "attrs { ", "a:b-"),
        ("short attributes", "attrs { ", "a: b "),
        ("prefixed attributes", "attrs { ", "a:b:c "),
        ("rows", "table t { ", "1|"),
        ("tests", "test \"t\" { ", "given {} "),
        ("modifiers", "x = 1 with ", "a, "),
        ("a long list", "x = [", "1, "),
        ("comments", "", "#\n"),
        ("line ends", "", "\n"),
        ("small rules", "", "a=1\n"),
        ("letters of other alphabets", "", "ß"),
        ("a comment of them", "#", "ß"),
        ("a string of them", "x = \"", "ß"),
        ("a regular expression of them", "x = /", "ß"),
        ("an attribute name of them", "x = $\"", "ß"),
        ("raw text of them", "x = r\"", "ß"),
        ("digits", "x = ", "1"),
        ("durations", "x = ", "1d"),
        ("dates", "x = @", "1."),
        ("names", "x = ", "a"),
        ("prefixed names", "x = $a:", "a.-"),
        ("spaces", "x = ", "\t\u{feff}"),
        ("templates", "x = \"", "{a}"),
    ]
    .map(|(title, start, piece)| {
        let room = FILE_BYTES_MAX - header.len() - start.len();
        (title, format!("{header}{start}{}", piece.repeat(room / piece.len())))
    })
    .into()
}

#[test]
fn hostile_texts_of_full_size_cost_work_in_proportion_to_their_length() {
    for (title, text) in hostile() {
        let tokens = token::tokens(&text);
        let mut parser = Parser::new(&text, &tokens, FileId(0));
        parser.file();
        let looks = parser.looks.get();
        assert!(looks <= 64 * tokens.len(), "{title}: {looks} looks at {} tokens", tokens.len());
    }
}

#[test]
fn hostile_texts_of_full_size_are_read_formatted_and_rendered_without_harm() {
    for (title, text) in hostile() {
        let parsed = parse(&text, FileId(0));
        assert_eq!(parsed.tree.text().to_string(), text, "{title}");
        let files = [crate::diagnostic::render::Source { name: "m", text: &text }];
        crate::diagnostic::render::terminal(&parsed.diagnostics, &files, false);
        if let Ok(once) = crate::syntax::format(&text) {
            assert!(crate::syntax::format(&once).as_ref() == Ok(&once), "{title}");
        }
    }
}
