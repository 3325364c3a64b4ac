//! A [`UserQuery`] as SQL over `users`: a condition that is asked of each row, and, where an index can tell who may match, the ids it
//! tells. Both name the same arguments. Every condition is true or false, never NULL: `NOT` would turn that into a loss.

use super::super::Value;
use super::super::query_sql::{after_prefix, escaped};
use super::Form;
use crate::args;
use crate::model::ids::TenantId;
use crate::model::user_search::{Identity, Keys, Moment, Test, UserQuery, Whole};

/// The arguments of a statement as they come; `$1` is the tenant.
#[derive(Clone)]
pub(super) struct Builder {
    pub(super) tenant: TenantId,
    args: Vec<Value>,
}

/// What is said of a part of a query.
pub(super) struct Part {
    /// Asked of each row of `users`.
    pub(super) each: String,
    /// `SELECT … AS id FROM …`: who may match, by an index; nobody else does.
    pub(super) entries: Option<String>,
    rank: Rank,
    /// What is to be asked of those yet; nothing if they all match.
    rest: Option<String>,
    /// Where the entries are those of one value.
    pub(super) one_value: Option<OneValue>,
}

/// Entries of one value of an index lie in the order of ids.
pub(super) struct OneValue {
    /// Their column with the id.
    pub(super) id: &'static str,
    /// Whether nobody stands there twice.
    pub(super) is_unique: bool,
    /// All of them match.
    pub(super) is_all: bool,
}

/// How many an index may tell, the fewest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Few,
    OneValue,
    Some,
    Range,
    /// It is gone through as a whole.
    Through,
}

impl Part {
    fn each(each: impl Into<String>) -> Self {
        Self { each: each.into(), entries: None, rank: Rank::Through, rest: None, one_value: None }
    }

    fn found(each: impl Into<String>, entries: String, rank: Rank) -> Self {
        Self { entries: Some(entries), rank, ..Self::each(each) }
    }

    pub(super) fn is_everybody(&self) -> bool {
        self.each == "TRUE"
    }

    pub(super) fn rest(&self) -> &str {
        self.rest.as_deref().unwrap_or("TRUE")
    }
}

const VALUES: &str =
    "SELECT user_values.profile_id AS id FROM user_values WHERE user_values.tenant_id = $1 AND user_values.attribute";
// An attribute that is compared as an expression leaves the index of the profile alone to go by.
const OF_THIS: &str = "SELECT 1 FROM user_values WHERE user_values.tenant_id = users.tenant_id \
    AND user_values.profile_id = users.id AND user_values.attribute || ''";
const USERS: &str = "SELECT users.id AS id FROM users WHERE users.tenant_id = $1 AND";
/// As the index has them. What is compared with them is no column either: SQLite would take it for text, and them not.
const WHERE_FROM: &str = "(identities.connection_id || '')";
const PERSON: &str = "coalesce(identities.profile_id, '')";
const IDENTITY_OF_THIS: &str = "SELECT 1 FROM identities JOIN connections ON connections.tenant_id = identities.tenant_id \
    AND connections.id = identities.connection_id WHERE identities.tenant_id = users.tenant_id AND identities.profile_id = users.id AND";

impl Builder {
    pub(super) fn new(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), args: args![tenant] }
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    pub(super) fn form(&self, name: &str, sql: String) -> Form {
        Form { name: name.to_owned(), sql, args: self.args.clone() }
    }

    pub(super) fn query(&mut self, query: &UserQuery) -> Part {
        match query {
            UserQuery::All => Part::each("TRUE"),
            UserQuery::And(parts) => self.and(parts),
            UserQuery::Or(parts) => self.or(parts),
            UserQuery::Not(inner) => {
                let part = self.query(inner);
                Part::each(match part.each.as_str() {
                    "TRUE" => "FALSE".to_owned(),
                    each => format!("NOT ({each})"),
                })
            }
            UserQuery::Test(test) => self.test(test),
        }
    }

    /// The best index serves all of it.
    fn and(&mut self, parts: &[UserQuery]) -> Part {
        let mut said: Vec<Part> = parts.iter().map(|part| self.query(part)).filter(|part| !part.is_everybody()).collect();
        match said.len() {
            0 => return Part::each("TRUE"),
            1 => return said.remove(0),
            _ => {}
        }
        let each = format!("({})", said.iter().map(|part| part.each.as_str()).collect::<Vec<_>>().join(" AND "));
        let best = said.iter().enumerate().filter(|(_, part)| part.entries.is_some()).min_by_key(|(_, part)| part.rank);
        let Some((best, _)) = best else { return Part::each(each) };
        let found = said.swap_remove(best);
        let rest: Vec<&str> = found.rest.as_deref().into_iter().chain(said.iter().map(|part| part.each.as_str())).collect();
        let rest = Some(format!("({})", rest.join(" AND ")));
        let one_value = found.one_value.map(|one| OneValue { is_all: false, ..one });
        Part { each, rest, one_value, ..found }
    }

    /// By index only if each part is.
    fn or(&mut self, parts: &[UserQuery]) -> Part {
        let mut said: Vec<Part> = parts.iter().map(|part| self.query(part)).collect();
        if said.iter().any(Part::is_everybody) {
            // The arguments of the others are named nowhere; so everybody is asked by a form that names them.
            let each = said.iter().map(|part| part.each.as_str()).collect::<Vec<_>>().join(" OR ");
            return if said.iter().all(Part::is_everybody) { Part::each("TRUE") } else { Part::each(format!("({each})")) };
        }
        match said.len() {
            0 => return Part::each("FALSE"),
            1 => return said.remove(0),
            _ => {}
        }
        let each = format!("({})", said.iter().map(|part| part.each.as_str()).collect::<Vec<_>>().join(" OR "));
        let is_all = said.iter().all(|part| part.rest.is_none());
        let rank = said.iter().map(|part| part.rank).max().unwrap_or(Rank::Through).max(Rank::Some);
        let few = said.iter().all(|part| part.rank == Rank::Few);
        let entries: Option<Vec<String>> = said.into_iter().map(|part| part.entries).collect();
        let Some(entries) = entries else { return Part::each(each) };
        let rest = (!is_all).then(|| each.clone());
        Part { each, entries: Some(entries.join(" UNION ALL ")), rank: if few { Rank::Few } else { rank }, rest, one_value: None }
    }

    fn test(&mut self, test: &Test) -> Part {
        match test {
            Test::Value { attribute, keys } => self.value(attribute, keys),
            Test::Below(path) => {
                let (path, from, to) = (self.bind(path.as_str()), self.bind(format!("{path}.")), self.bind(format!("{path}/")));
                let each = format!(
                    "(({OF_THIS} = {path} LIMIT 1) IS NOT NULL OR ({OF_THIS} >= {from} AND user_values.attribute || '' < {to} \
                     LIMIT 1) IS NOT NULL)"
                );
                let entries = format!("{VALUES} = {path} UNION ALL {VALUES} >= {from} AND user_values.attribute < {to}");
                Part::found(each, entries, Rank::Through)
            }
            Test::UserId(keys) => self.column("users.user_id", keys, false),
            Test::Email(keys) => self.column("users.email_key", keys, true),
            Test::Organization(keys) => self.column("users.organization_id", keys, true),
            Test::Blocked => Part::found("users.blocked", format!("{USERS} users.blocked"), Rank::Some),
            Test::When(Moment::Created, whole) => self.numbers("users.created_at", *whole),
            Test::When(Moment::Updated, whole) => self.numbers("users.updated_at", *whole),
            Test::When(Moment::LastLogin, whole) => self.numbers("users.login_order", *whole),
            Test::Logins(whole) => self.numbers("users.logins_count", *whole),
            Test::Identity(identity) => self.identity(identity),
            Test::Nothing => Part::found("FALSE", format!("{USERS} FALSE"), Rank::Few),
        }
    }

    fn value(&mut self, attribute: &str, keys: &Keys) -> Part {
        // Many share a domain or a value of metadata: beside a name the index of the name goes first.
        let is_own = matches!(attribute, "name" | "given_name" | "family_name" | "nickname" | "username" | "phone_number");
        let attribute = self.bind(attribute);
        let (compared, rank) = self.keys("user_values.value_key", keys);
        let rank = if is_own { rank } else { rank.max(Rank::Some) };
        let each = format!("({OF_THIS} = {attribute} AND {compared} LIMIT 1) IS NOT NULL");
        let part = Part::found(each, format!("{VALUES} = {attribute} AND {compared}"), rank);
        let one_value =
            matches!(keys, Keys::Equal(_)).then_some(OneValue { id: "user_values.profile_id", is_unique: true, is_all: true });
        Part { one_value, ..part }
    }

    fn column(&mut self, column: &'static str, keys: &Keys, nullable: bool) -> Part {
        let (compared, rank) = self.keys(column, keys);
        let each = if nullable { format!("({column} IS NOT NULL AND {compared})") } else { compared };
        let entries = format!("{USERS} {each}");
        // A user_id is one person's; an address is that of a few.
        let rank = if rank == Rank::OneValue && column != "users.organization_id" { Rank::Few } else { rank };
        let one_value = (rank == Rank::OneValue).then_some(OneValue { id: "users.id", is_unique: true, is_all: true });
        Part { one_value, ..Part::found(each, entries, rank) }
    }

    /// One comparison of a column that is not NULL.
    fn keys(&mut self, column: &str, keys: &Keys) -> (String, Rank) {
        match keys {
            Keys::Any => (format!("{column} > ''"), Rank::Through),
            Keys::Equal(key) => (format!("{column} = {}", self.bind(key.as_str())), Rank::OneValue),
            Keys::Prefix(key) => {
                let from = self.bind(key.as_str());
                let sql = match after_prefix(key) {
                    Some(end) => format!("({column} >= {from} AND {column} < {})", self.bind(end)),
                    None => format!("{column} >= {from}"),
                };
                (sql, Rank::Some)
            }
            // LIKE would ignore the case of ASCII on SQLite, which does no harm to folded text, and only that is asked so.
            Keys::Suffix(key) => (format!("{column} LIKE {} ESCAPE '!'", self.bind(format!("%{}", escaped(key)))), Rank::Through),
            Keys::Contains(key) => {
                (format!("{column} LIKE {} ESCAPE '!'", self.bind(format!("%{}%", escaped(key)))), Rank::Through)
            }
            Keys::Between { from, to } => {
                let (above, below) = (if from.1 { ">=" } else { ">" }, if to.1 { "<=" } else { "<" });
                let (least, most) = (self.bind(from.0.as_str()), self.bind(to.0.as_str()));
                (format!("({column} {above} {least} AND {column} {below} {most})"), Rank::Range)
            }
        }
    }

    fn numbers(&mut self, column: &str, whole: Whole) -> Part {
        let (from, until) = (self.bind(whole.from), self.bind(whole.until));
        let each = format!("({column} >= {from} AND {column} < {until})");
        let entries = format!("{USERS} {each}");
        Part::found(each, entries, Rank::Range)
    }

    fn identity(&mut self, identity: &Identity) -> Part {
        match identity {
            Identity::Connection(name) => {
                let name = self.bind(name.as_str());
                let each = format!("({IDENTITY_OF_THIS} connections.name = {name} LIMIT 1) IS NOT NULL");
                let entries = format!(
                    "SELECT {PERSON} AS id FROM identities WHERE identities.tenant_id = $1 AND {WHERE_FROM} = \
                     (SELECT connections.id || '' FROM connections WHERE connections.tenant_id = $1 AND connections.name = {name}) \
                     AND {PERSON} > ''"
                );
                let one_value = Some(OneValue { id: PERSON, is_unique: false, is_all: true });
                Part { one_value, ..Part::found(each, entries, Rank::OneValue) }
            }
            Identity::Kinds(kinds) => {
                let kinds: Vec<String> = kinds.iter().map(|kind| self.bind(*kind)).collect();
                let kinds = kinds.join(", ");
                let each = format!("({IDENTITY_OF_THIS} connections.kind IN ({kinds}) LIMIT 1) IS NOT NULL");
                let entries = format!(
                    "SELECT {PERSON} AS id FROM connections CROSS JOIN identities WHERE connections.tenant_id = $1 \
                     AND connections.kind IN ({kinds}) AND identities.tenant_id = connections.tenant_id \
                     AND {WHERE_FROM} = connections.id || '' AND {PERSON} > ''"
                );
                Part::found(each, entries, Rank::Range)
            }
            Identity::OwnId(own) => self.own_id(own),
        }
    }

    /// What stands behind the first `|`: with the name of the connection in front, but for databases and for a social connection named
    /// like its kind. The primary's is that of the profile, whatever it was made of.
    fn own_id(&mut self, own: &str) -> Part {
        let (name, rest) = own.split_once('|').unwrap_or(("", own));
        let whole = self.bind(own);
        let strategies: Vec<String> = STRATEGIES.iter().map(|strategy| format!("'{strategy}|' || {whole}")).collect();
        let strategies = strategies.join(", ");
        let (name, rest) = (self.bind(name), self.bind(rest));
        // Of which connection, by which id of its own.
        let of = format!(
            "(connections.name = {name} AND (identities.external_id = {rest} OR identities.external_id IS NULL AND identities.id = {rest}) \
             OR {name} = '' AND (connections.kind = 'database' OR connections.name = connections.kind) AND identities.external_id = {rest})"
        );
        let each = format!(
            "(users.user_id IN ({strategies}) OR ({IDENTITY_OF_THIS} identities.position > 0 AND {of} LIMIT 1) IS NOT NULL)"
        );
        let entries = format!(
            "{USERS} users.user_id IN ({strategies}) UNION ALL SELECT identities.profile_id AS id FROM connections CROSS JOIN identities \
             WHERE connections.tenant_id = $1 AND (connections.name = {name} OR {name} = '' AND (connections.kind = 'database' OR \
             connections.name = connections.kind)) AND identities.tenant_id = connections.tenant_id AND identities.connection_id = \
             connections.id AND identities.external_id = {rest} AND identities.position > 0 AND identities.profile_id IS NOT NULL \
             UNION ALL SELECT identities.profile_id AS id FROM identities WHERE identities.tenant_id = $1 AND identities.id = {rest} \
             AND identities.position > 0 AND identities.external_id IS NULL AND identities.profile_id IS NOT NULL"
        );
        // Whoever an id of the same form leads to is asked once more.
        Part { rest: Some(each.clone()), ..Part::found(each, entries, Rank::Few) }
    }
}

/// First parts of a `user_id`.
const STRATEGIES: [&str; 19] = [
    "scim",
    "auth0",
    "ldap",
    "samlp",
    "google-oauth2",
    "waad",
    "windowslive",
    "github",
    "gitlab",
    "facebook",
    "linkedin",
    "apple",
    "twitter",
    "slack",
    "discord",
    "amazon",
    "salesforce",
    "oidc",
    "oauth2",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::ConnectionKind;

    #[test]
    fn every_kind_of_connection_is_looked_for_by_its_own_ids() {
        let mut known: Vec<&str> = ConnectionKind::ALL.iter().map(|kind| kind.strategy()).collect();
        let mut ours = STRATEGIES.to_vec();
        known.sort_unstable();
        ours.sort_unstable();
        assert_eq!(known, ours);
    }

    #[test]
    fn every_argument_is_named_by_both_forms_of_a_condition() {
        let value = |keys| UserQuery::Test(Test::Value { attribute: "name".into(), keys });
        let tests = [
            value(Keys::Equal("a".into())),
            value(Keys::Prefix("a".into())),
            value(Keys::Contains("abc".into())),
            UserQuery::Test(Test::Email(Keys::Equal("a".into()))),
            UserQuery::Test(Test::Below("app_metadata.a".into())),
            UserQuery::Test(Test::Logins(Whole { from: 0, until: 1 })),
            UserQuery::Test(Test::Identity(Identity::Connection("a".into()))),
            UserQuery::Test(Test::Identity(Identity::Kinds(vec!["github", "gitlab"]))),
            UserQuery::Test(Test::Identity(Identity::OwnId("a|b".into()))),
        ];
        for query in [UserQuery::And(tests.to_vec()), UserQuery::Or(tests.to_vec())].into_iter().chain(tests.clone()) {
            let mut builder = Builder::new(&TenantId::new("t"));
            let part = builder.query(&query);
            let entries = part.entries.as_ref().map(|entries| format!("{entries} {}", part.rest()));
            for text in std::iter::once(part.each.clone()).chain(entries) {
                for n in 2..=builder.args.len() {
                    let named = text
                        .match_indices(&format!("${n}"))
                        .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_ascii_digit()));
                    assert!(named, "${n} in {text}");
                }
            }
        }
    }

    #[test]
    fn values_never_stand_in_the_text() {
        let nasty = "') OR 1=1 --%_!";
        let mut builder = Builder::new(&TenantId::new("t"));
        let all = [Keys::Equal(nasty.into()), Keys::Prefix(nasty.into()), Keys::Contains(nasty.into())];
        let tests = all.map(|keys| UserQuery::Test(Test::Value { attribute: nasty.into(), keys }));
        let part = builder.query(&UserQuery::Or(tests.to_vec()));
        assert!(!part.each.contains("1=1") && !part.entries.expect("by index").contains("1=1"));
        assert!(builder.args.contains(&Value::from("%') OR 1=1 --!%!_!!%")));
    }
}
