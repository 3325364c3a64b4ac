//! Compiles a [`Query`] to a condition with bound values, over `identities` or `groups`.
//!
//! Owns: which field is found where, what can be decided in SQL. Refuses: putting a value into the text, guessing. What can't be decided here is left out in a way that keeps
//! every match (`exact` is then false) and the caller asks [`Query`] itself over the documents that remain.
//!
//! The enclosing statement says `FROM identities` or `FROM groups` (no alias, or a part of it by that name) `WHERE
//! tenant_id = $1 AND connection_id = $2 AND listed`; the condition relies on that order. Where an index tells who may
//! match, a subquery collects their ids from it, no more than a set number, and the rest is asked of each of them. Where
//! none does, the condition is asked row by row and says so ([`Compiled::walks`]): the caller decides over how many rows.
//! Every condition is true or false, never NULL: `NOT` would turn that into a loss.
//!
//! Semantics, those of [`Query`]: an expression holds if any value satisfies it, `NotEqual` also for a field without a
//! value; text compares by its folded form unless `case_exact`, and by bytes.

use super::Value;
use crate::model::fold::{CUT, KEPT_MAX, fold, value_key};
use crate::model::query::{Comparison, Field, Index, Kind, Literal, Query};

/// A cut key still begins with this many bytes of its value (a character of up to four bytes is never split), so that
/// ranges up to this length are decided rightly.
const RANGE_MAX: usize = KEPT_MAX - 3;

/// What a query is asked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Rows of `identities`, with `identity_values` beside them.
    Users,
    /// Rows of `groups`, with `members` beside them.
    Groups,
}

/// A condition to stand after `AND`, and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// None: every row.
    pub condition: Option<String>,
    /// For `$first_arg` and what follows, without gaps.
    pub args: Vec<Value>,
    /// Whether the condition holds for the matches and nothing else. If not, it holds for them and for more.
    pub exact: bool,
    /// No index tells who may match: a statement with the condition looks at rows until it has enough, or at all.
    pub walks: bool,
    /// Who may match is collected from a range of an index.
    pub range: Option<Range>,
    /// It names one row by a unique key.
    pub by_key: bool,
}

/// Entries of an index that a condition collects.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The ids, no more than `most` and one.
    pub ids: String,
    /// Were there more, matches would be missing.
    pub most: i64,
    /// All entries are one value's and all are matches: a page that is not full has them all.
    pub is_page: bool,
}

/// Compiles `query`; its first argument is `$first_arg`, after `$1` the tenant and `$2` the connection. The text
/// depends on the shape alone, so it is prepared once. `entries_max`: how much may be collected from an index.
pub fn compile(query: &Query, target: Target, first_arg: usize, entries_max: i64) -> Compiled {
    debug_assert!(first_arg > 2, "$1 is the tenant, $2 the connection");
    let mut compiler = Compiler { target, first_arg, args: Vec::new() };
    let Some(part) = compiler.query(query, Scope::Resource) else {
        return Compiled { condition: None, args: Vec::new(), exact: false, walks: false, range: None, by_key: false };
    };
    let (exact, args) = (part.exact, compiler.args);
    let Some(found) = part.found else {
        let condition = (part.each != TRUE).then_some(part.each);
        return Compiled { walks: condition.is_some(), condition, args, exact, range: None, by_key: false };
    };
    let (table, limit) = (target.table(), entries_max.saturating_add(1));
    let by_key = found.direct.is_some();
    let (looked_up, range) = match (found.direct, found.number) {
        (Some(direct), _) => (direct, None),
        (None, Number::Few) => (format!("{table}.id IN ({})", found.entries), None),
        (None, number) => {
            let ids = format!("SELECT found.id FROM ({} LIMIT {limit}) AS found", found.entries);
            let is_page = number == Number::OneValue && exact && found.rest == TRUE;
            (format!("{table}.id IN ({ids})"), Some(Range { ids, most: entries_max, is_page }))
        }
    };
    // Within CASE, so that no index serves the rest: SQLite would take a wide range of its for the better one.
    let rest = if found.rest == TRUE { found.rest } else { format!("CASE WHEN {} THEN TRUE ELSE FALSE END", found.rest) };
    Compiled { condition: Some(all_of(vec![looked_up, rest])), args, exact, walks: false, range, by_key }
}

const TRUE: &str = "TRUE";

/// SQL that holds for every match; `exact`: and for nothing else.
struct Part {
    /// Asked of each row.
    each: String,
    exact: bool,
    /// The same by an index.
    found: Option<Found>,
}

impl Part {
    fn exactly(each: impl Into<String>) -> Self {
        Self { each: each.into(), exact: true, found: None }
    }

    /// Nothing matches.
    fn nothing(target: Target) -> Self {
        Self { found: Some(Found::by_key(target, "FALSE")), ..Self::exactly("FALSE") }
    }
}

/// How an index tells who may match.
struct Found {
    /// A condition on a unique key, where that is all.
    direct: Option<String>,
    /// `SELECT … AS id FROM …`: the ids by an index, without a limit.
    entries: String,
    number: Number,
    /// What is to be asked of each of them yet.
    rest: String,
}

/// How many an index may tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    /// One for each term.
    Few,
    /// Those with one value.
    OneValue,
    Many,
}

impl Found {
    fn by_key(target: Target, condition: &str) -> Self {
        let entries = format!("{} AND {condition}", target.ids());
        Self { direct: Some(condition.to_owned()), entries, number: Number::Few, rest: TRUE.to_owned() }
    }

    fn by_entries(entries: String, number: Number) -> Self {
        Self { direct: None, entries, number, rest: TRUE.to_owned() }
    }
}

/// The conjunction, in brackets where it is one.
fn all_of(mut said: Vec<String>) -> String {
    said.retain(|sql| sql != TRUE);
    match said.len() {
        0 => TRUE.to_owned(),
        1 => said.remove(0),
        _ => format!("({})", said.join(" AND ")),
    }
}

impl Target {
    fn table(self) -> &'static str {
        match self {
            Self::Users => "identities",
            Self::Groups => "groups",
        }
    }

    fn ids(self) -> &'static str {
        match self {
            Self::Users => {
                "SELECT identities.id AS id FROM identities WHERE identities.tenant_id = $1 AND identities.connection_id = $2 \
                 AND identities.listed"
            }
            Self::Groups => {
                "SELECT groups.id AS id FROM groups WHERE groups.tenant_id = $1 AND groups.connection_id = $2 AND groups.listed"
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Resource,
    /// Inside one element of a list: the side table says which values exist, not which stand together.
    Element,
}

/// Where the values of a field are.
enum Place {
    Column { sql: &'static str, nullable: bool, folded: bool },
    Rows(Rows),
}

/// Rows of a side table.
struct Rows {
    /// `SELECT 1 FROM … WHERE …` for the row at hand.
    of_this: String,
    /// `SELECT … AS id FROM … WHERE …` for all rows of the connection.
    ids: String,
    column: &'static str,
    /// Long values are there by [`value_key`].
    cut: bool,
}

impl Rows {
    /// Whether the row at hand has such a value. No EXISTS: PostgreSQL would read all values once for it.
    fn has(&self, condition: &str) -> String {
        format!("({} AND {condition} LIMIT 1) IS NOT NULL", self.of_this)
    }

    fn has_any(&self) -> String {
        format!("({} LIMIT 1) IS NOT NULL", self.of_this)
    }

    fn entries(&self, condition: &str) -> String {
        format!("{} AND {condition}", self.ids)
    }
}

struct Compiler {
    target: Target,
    first_arg: usize,
    args: Vec<Value>,
}

impl Compiler {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.first_arg + self.args.len() - 1)
    }

    /// None: nothing can be said in SQL. Then no argument of it is left behind.
    fn query(&mut self, query: &Query, scope: Scope) -> Option<Part> {
        let before = self.args.len();
        let part = match query {
            Query::All => Some(Part::exactly(TRUE)),
            Query::And(parts) => Some(self.and(parts, scope)),
            Query::Or(parts) => self.or(parts, scope),
            Query::Not(inner) => self.not(inner, scope),
            Query::Present(field) => self.present(field),
            Query::Compare(field, comparison, literal) => self.compare(field, *comparison, literal, scope),
            Query::Element { matches, .. } => self.query(matches, Scope::Element),
        };
        if part.is_none() {
            self.args.truncate(before);
        }
        part
    }

    /// What can be said of some parts narrows the whole, and the best index of theirs serves it.
    fn and(&mut self, parts: &[Query], scope: Scope) -> Part {
        // In an element two values may be there and yet belong to two elements.
        let mut exact = scope == Scope::Resource || parts.len() < 2;
        let mut said = Vec::new();
        for part in parts {
            match self.query(part, scope) {
                Some(part) => {
                    exact &= part.exact;
                    said.push(part);
                }
                None => exact = false,
            }
        }
        let numbers = said.iter().enumerate().filter_map(|(at, part)| part.found.as_ref().map(|found| (found.number, at)));
        let best = numbers.min().map(|(_, at)| at);
        let each = all_of(said.iter().map(|part| part.each.clone()).collect());
        let found = best.and_then(|best| {
            let mut found = said[best].found.take()?;
            let others = said.into_iter().enumerate().filter(|(at, _)| *at != best).map(|(_, part)| part.each);
            found.rest = all_of(std::iter::once(found.rest).chain(others).collect());
            Some(found)
        });
        Part { each, exact, found }
    }

    /// Only if something is said of every part; by index only if each is.
    fn or(&mut self, parts: &[Query], scope: Scope) -> Option<Part> {
        let mut exact = true;
        let mut said = Vec::new();
        for part in parts {
            let part = self.query(part, scope)?;
            exact &= part.exact;
            said.push(part);
        }
        if said.len() == 1 {
            return said.pop();
        }
        if said.is_empty() {
            return Some(Part::nothing(self.target));
        }
        let each = format!("({})", said.iter().map(|part| part.each.as_str()).collect::<Vec<_>>().join(" OR "));
        let found = said.into_iter().map(|part| part.found).collect::<Option<Vec<_>>>().map(|all| {
            let is_all = all.iter().all(|found| found.rest == TRUE);
            let number = if all.iter().all(|found| found.number == Number::Few) { Number::Few } else { Number::Many };
            let entries: Vec<String> = all.into_iter().map(|found| found.entries).collect();
            let mut found = Found::by_entries(entries.join(" UNION ALL "), number);
            if !is_all {
                found.rest.clone_from(&each);
            }
            found
        });
        Some(Part { each, exact, found })
    }

    /// The opposite of more than the matches is less than what is wanted, so only the exact can be negated.
    fn not(&mut self, inner: &Query, scope: Scope) -> Option<Part> {
        if scope == Scope::Element {
            return None;
        }
        let part = self.query(inner, scope)?;
        part.exact.then(|| Part::exactly(format!("NOT ({})", part.each)))
    }

    fn present(&mut self, field: &Field) -> Option<Part> {
        match (self.target, &field.index) {
            (_, Index::CreatedAt | Index::UpdatedAt) => return Some(Part::exactly(TRUE)),
            (Target::Users, Index::Active) => return Some(Part::exactly("identities.active IS NOT NULL")),
            _ => {}
        }
        Some(Part::exactly(match self.place(field)? {
            Place::Column { nullable: false, .. } => String::from(TRUE),
            Place::Column { sql, .. } => format!("{sql} IS NOT NULL"),
            Place::Rows(rows) => rows.has_any(),
        }))
    }

    fn compare(&mut self, field: &Field, comparison: Comparison, literal: &Literal, scope: Scope) -> Option<Part> {
        match (&field.index, literal) {
            (Index::Active, Literal::Boolean(active)) => self.active(comparison, *active),
            (Index::CreatedAt, Literal::Instant(at)) => self.instant(self.column("created_at"), comparison, *at),
            (Index::UpdatedAt, Literal::Instant(at)) => self.instant(self.column("updated_at"), comparison, *at),
            (_, Literal::Text(text)) if field.kind == Kind::Text => self.text(field, comparison, text, scope),
            _ => None,
        }
    }

    fn column(&self, name: &'static str) -> &'static str {
        match (self.target, name) {
            (Target::Users, "created_at") => "identities.created_at",
            (Target::Users, _) => "identities.updated_at",
            (Target::Groups, "created_at") => "groups.created_at",
            (Target::Groups, _) => "groups.updated_at",
        }
    }

    /// NULL: the resource does not say, and equals neither.
    fn active(&mut self, comparison: Comparison, active: bool) -> Option<Part> {
        if self.target != Target::Users {
            return None;
        }
        let arg = self.bind(active);
        match comparison {
            Comparison::Equal => Some(Part::exactly(format!("(identities.active IS NOT NULL AND identities.active = {arg})"))),
            Comparison::NotEqual => Some(Part::exactly(format!("(identities.active IS NULL OR identities.active <> {arg})"))),
            _ => None,
        }
    }

    /// Documents print whole milliseconds, columns may hold more: the column is compared as if cut to milliseconds.
    fn instant(&mut self, column: &str, comparison: Comparison, at: i64) -> Option<Part> {
        let floor = at.div_euclid(1_000).saturating_mul(1_000);
        let whole = floor == at;
        let next = floor.saturating_add(1_000);
        let ceiling = if whole { at } else { next };
        let sql = match comparison {
            Comparison::Equal | Comparison::NotEqual if !whole => {
                let equal = comparison == Comparison::Equal;
                return Some(if equal { Part::nothing(self.target) } else { Part::exactly(TRUE) });
            }
            Comparison::Equal => format!("({column} >= {} AND {column} < {})", self.bind(floor), self.bind(next)),
            Comparison::NotEqual => format!("({column} < {} OR {column} >= {})", self.bind(floor), self.bind(next)),
            Comparison::Greater => format!("{column} >= {}", self.bind(next)),
            Comparison::GreaterOrEqual => format!("{column} >= {}", self.bind(ceiling)),
            Comparison::Less => format!("{column} < {}", self.bind(ceiling)),
            Comparison::LessOrEqual => format!("{column} < {}", self.bind(next)),
            Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => return None,
        };
        Some(Part::exactly(sql))
    }

    fn place(&mut self, field: &Field) -> Option<Place> {
        let column = |sql, nullable, folded| Some(Place::Column { sql, nullable, folded });
        match (self.target, &field.index) {
            (Target::Users, Index::Id) => column("identities.id", false, false),
            (Target::Users, Index::ExternalId) => column("identities.external_id", true, false),
            (Target::Users, Index::UserName) => column("identities.user_name_key", true, true),
            (Target::Groups, Index::Id) => column("groups.id", false, false),
            (Target::Groups, Index::ExternalId) => column("groups.external_id", true, false),
            (Target::Groups, Index::GroupName) => column("groups.name_key", false, true),
            (Target::Users, Index::Values(attribute)) if field.kind == Kind::Text => {
                let attribute = self.bind(attribute.as_str());
                Some(Place::Rows(Rows {
                    of_this: format!("{VALUES_OF_THIS}{attribute}"),
                    ids: format!("{IDS_BY_VALUE}{attribute}"),
                    column: "identity_values.value_key",
                    cut: true,
                }))
            }
            (Target::Groups, Index::MembersOfGroup) => Some(Place::Rows(Rows {
                of_this: format!("{MEMBERS_OF_THIS}{VISIBLE}"),
                ids: format!("{IDS_BY_MEMBER}{VISIBLE}"),
                column: "members.member_id",
                cut: false,
            })),
            // `groups` of a user shows nested ones too: no row says that.
            _ => None,
        }
    }

    fn text(&mut self, field: &Field, comparison: Comparison, text: &str, scope: Scope) -> Option<Part> {
        // An empty literal asks about values that are not stored; U+0000 is in no database.
        if text.is_empty() || text.contains('\0') {
            return None;
        }
        match self.place(field)? {
            Place::Column { sql, nullable, folded } => {
                let key = if folded { fold(text) } else { text.to_owned() };
                // A field that is asked by another case rule than its column keeps can't be decided here.
                if folded == field.case_exact {
                    return None;
                }
                let compared = self.comparison(sql, comparison, &key, !folded);
                let each = match comparison {
                    Comparison::NotEqual if nullable => format!("({sql} IS NULL OR {compared})"),
                    _ if nullable => format!("({sql} IS NOT NULL AND {compared})"),
                    _ => compared,
                };
                let found = match comparison {
                    Comparison::Equal => Some(Found::by_key(self.target, &each)),
                    Comparison::StartsWith => Some(Found::by_entries(format!("{} AND {each}", self.target.ids()), Number::Many)),
                    _ => None,
                };
                Some(Part { each, exact: true, found })
            }
            Place::Rows(rows) => self.text_in_rows(field, comparison, text, scope, &rows),
        }
    }

    fn text_in_rows(&mut self, field: &Field, comparison: Comparison, text: &str, scope: Scope, rows: &Rows) -> Option<Part> {
        let key = if rows.cut { value_key(text, field.case_exact) } else { text.to_owned() };
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if rows.cut && !equality && (key.contains(CUT) || key.len() > RANGE_MAX) {
            return None;
        }
        // A group may have any number of members, and no index of theirs serves it.
        if !rows.cut && matches!(comparison, Comparison::Contains | Comparison::EndsWith) {
            return None;
        }
        let compared = self.comparison(rows.column, comparison, &key, field.case_exact || !rows.cut);
        match comparison {
            // An element without a value differs as well, and no row tells of it.
            Comparison::NotEqual if scope == Scope::Element => None,
            Comparison::NotEqual => Some(Part::exactly(format!("({} OR NOT ({}))", rows.has(&compared), rows.has_any()))),
            Comparison::Contains | Comparison::EndsWith => {
                // What was cut off may hold it: such rows stay, and the caller looks.
                let cut = self.bind(format!("%{CUT}%"));
                let each = rows.has(&format!("({compared} OR {} LIKE {cut})", rows.column));
                Some(Part { each, exact: false, found: None })
            }
            Comparison::Equal | Comparison::StartsWith => {
                let number = if comparison == Comparison::Equal { Number::OneValue } else { Number::Many };
                let found = Some(Found::by_entries(rows.entries(&compared), number));
                Some(Part { each: rows.has(&compared), exact: true, found })
            }
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::Less | Comparison::LessOrEqual => {
                Some(Part::exactly(rows.has(&compared)))
            }
        }
    }

    /// One comparison of `column`, which is not NULL, with `key`, which has the column's form.
    fn comparison(&mut self, column: &str, comparison: Comparison, key: &str, case_exact: bool) -> String {
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::StartsWith => {
                let from = self.bind(key);
                return match after_prefix(key) {
                    Some(end) => format!("({column} >= {from} AND {column} < {})", self.bind(end)),
                    None => format!("{column} >= {from}"),
                };
            }
            // LIKE would ignore the case of ASCII on SQLite, which does no harm to folded text only.
            Comparison::Contains if case_exact => {
                let needle = self.bind(key);
                return format!("replace({column}, {needle}, '') <> {column}");
            }
            Comparison::EndsWith if case_exact => {
                let tail = self.bind(key);
                return format!(
                    "(length({column}) >= length({tail}) AND substr({column}, length({column}) - length({tail}) + 1) = {tail})"
                );
            }
            Comparison::Contains => return format!("{column} LIKE {} ESCAPE '!'", self.bind(format!("%{}%", escaped(key)))),
            Comparison::EndsWith => return format!("{column} LIKE {} ESCAPE '!'", self.bind(format!("%{}", escaped(key)))),
        };
        format!("{column} {sign} {}", self.bind(key))
    }
}

const VALUES_OF_THIS: &str = "SELECT 1 FROM identity_values WHERE identity_values.tenant_id = identities.tenant_id \
    AND identity_values.identity_id = identities.id AND identity_values.connection_id = identities.connection_id \
    AND identity_values.attribute = ";
const IDS_BY_VALUE: &str = "SELECT identity_values.identity_id AS id FROM identity_values \
    WHERE identity_values.tenant_id = $1 AND identity_values.connection_id = $2 AND identity_values.attribute = ";

const MEMBERS_OF_THIS: &str =
    "SELECT 1 FROM members WHERE members.tenant_id = groups.tenant_id AND members.group_id = groups.id AND ";
const IDS_BY_MEMBER: &str = "SELECT members.group_id AS id FROM members WHERE members.tenant_id = $1 AND ";
/// Members that a client can see.
const VISIBLE: &str = "(EXISTS (SELECT 1 FROM identities WHERE identities.tenant_id = members.tenant_id \
    AND identities.id = members.member_id AND identities.listed) \
    OR EXISTS (SELECT 1 FROM groups AS nested WHERE nested.tenant_id = members.tenant_id \
    AND nested.id = members.member_id AND nested.listed))";

/// The wildcards of LIKE as plain characters.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len() + 2), |mut out, c| {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
        out
    })
}

/// The least text that is greater than every text with this prefix, by bytes of UTF-8 (which is by code point). None
/// if there is none.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn field(index: Index, case_exact: bool) -> Field {
        Field { path: vec![String::from("x")], kind: Kind::Text, case_exact, index }
    }

    fn user_name(comparison: Comparison, text: &str) -> Query {
        Query::Compare(field(Index::UserName, false), comparison, Literal::Text(text.to_owned()))
    }

    fn email(comparison: Comparison, text: &str) -> Query {
        let index = Index::Values(String::from("emails.value"));
        Query::Compare(field(index, false), comparison, Literal::Text(text.to_owned()))
    }

    fn document() -> Query {
        Query::Compare(field(Index::Document, false), Comparison::Equal, Literal::Text(String::from("x")))
    }

    fn users(query: &Query) -> Compiled {
        compile(query, Target::Users, 3, 100)
    }

    #[test]
    fn a_user_name_is_one_look_up_of_the_folded_key() {
        let compiled = users(&user_name(Comparison::Equal, "BJensen"));
        assert_eq!(
            compiled.condition.as_deref(),
            Some("(identities.user_name_key IS NOT NULL AND identities.user_name_key = $3)")
        );
        assert_eq!((compiled.args, compiled.exact), (args!["bjensen"], true));
    }

    #[test]
    fn values_never_stand_in_the_text() {
        let nasty = "') OR 1=1 --%_!";
        for comparison in [Comparison::Equal, Comparison::Contains, Comparison::StartsWith, Comparison::EndsWith] {
            let compiled = users(&Query::Or(vec![user_name(comparison, nasty), email(comparison, nasty)]));
            assert!(!compiled.condition.unwrap().contains("1=1"));
        }
    }

    #[test]
    fn wildcards_are_plain_characters() {
        assert_eq!(users(&user_name(Comparison::Contains, "50%_!")).args, args!["%50!%!_!!%"]);
    }

    #[test]
    fn what_sql_cannot_decide_widens_and_never_loses() {
        let narrow = user_name(Comparison::Equal, "x");
        let both = users(&Query::And(vec![document(), narrow.clone()]));
        assert!(both.condition.is_some() && !both.exact && both.args.len() == 1);
        let either = users(&Query::Or(vec![narrow.clone(), document()]));
        assert_eq!((either.condition, either.exact, either.args), (None, false, vec![]));
        let opposite = users(&Query::Not(Box::new(Query::And(vec![document(), narrow]))));
        assert_eq!((opposite.condition, opposite.exact, opposite.args), (None, false, vec![]));
    }

    #[test]
    fn one_element_with_two_conditions_is_narrowed_by_its_value() {
        let element = |matches| Query::Element { list: field(Index::Document, false), matches: Box::new(matches) };
        let two = users(&element(Query::And(vec![document(), email(Comparison::Equal, "a@x.example")])));
        assert!(two.condition.unwrap().contains("value_key = $4") && !two.exact);
        let one = users(&element(email(Comparison::Equal, "a@x.example")));
        assert!(one.condition.is_some() && one.exact);
        let differs = users(&element(email(Comparison::NotEqual, "a@x.example")));
        assert_eq!((differs.condition, differs.exact), (None, false));
    }

    #[test]
    fn everything_and_nothing() {
        assert_eq!(
            users(&Query::All),
            Compiled { condition: None, args: vec![], exact: true, walks: false, range: None, by_key: false }
        );
        assert_eq!(users(&Query::Or(vec![])).condition.as_deref(), Some("FALSE"));
    }

    #[test]
    fn a_prefix_is_a_range() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
    }

    #[test]
    fn instants_compare_by_the_millisecond_that_is_printed() {
        let at = |comparison, at| {
            let field = Field { kind: Kind::Instant, ..field(Index::CreatedAt, false) };
            let compiled = users(&Query::Compare(field, comparison, Literal::Instant(at)));
            (compiled.condition.unwrap_or_default().replace("identities.created_at", "c"), compiled.args)
        };
        assert_eq!(at(Comparison::Equal, 5_000), (String::from("(c >= $3 AND c < $4)"), args![5_000, 6_000]));
        assert_eq!(at(Comparison::Equal, 5_001), (String::from("FALSE"), vec![]));
        assert_eq!(at(Comparison::Greater, 5_000), (String::from("c >= $3"), args![6_000]));
        assert_eq!(at(Comparison::GreaterOrEqual, 5_001), (String::from("c >= $3"), args![6_000]));
        assert_eq!(at(Comparison::Less, 5_001), (String::from("c < $3"), args![6_000]));
        assert_eq!(at(Comparison::LessOrEqual, 5_001), (String::from("c < $3"), args![6_000]));
    }
}
