//! A second opinion on filters: what RFC 7644 §3.4.2.2 and our policies say of one resource, written from their text.
//! It shares the syntax tree with the product and nothing else: attributes come from the published `/Schemas`, folding
//! and instants are its own.
//!
//! The policies: text that is not `caseExact` compares folded and composed, and in the order of bytes; `null`, `""`,
//! `[]` and `{}` are no values; a comparison holds if any value satisfies it; `ne` also where there is none; `eq null`
//! and `eq ""` mean "has none".

use rosterd::scim::filter::ast::{Filter, Operator, Value as Literal};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use unicode_normalization::UnicodeNormalization;

/// An attribute as it is published (RFC 7643 §7).
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: String,
    /// `string`, `boolean`, `dateTime`, `binary`, `reference`, `complex`.
    pub kind: String,
    pub multi_valued: bool,
    pub case_exact: bool,
    pub required: bool,
    /// A client may send it.
    pub writable: bool,
    /// An answer may show it.
    pub readable: bool,
    pub subs: Vec<Attribute>,
}

impl Attribute {
    fn read(published: &Value) -> Self {
        let word = |name: &str| published[name].as_str().unwrap_or_default().to_owned();
        let flag = |name: &str| published[name].as_bool().unwrap_or_default();
        Self {
            name: word("name"),
            kind: word("type"),
            multi_valued: flag("multiValued"),
            case_exact: flag("caseExact"),
            required: flag("required"),
            writable: word("mutability") != "readOnly",
            readable: word("returned") != "never",
            subs: published["subAttributes"].as_array().into_iter().flatten().map(Self::read).collect(),
        }
    }

    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.subs.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// The operators of its type (RFC 7644 table 3); none for a complex one.
    pub fn operators(&self) -> &'static [Operator] {
        use Operator::{Eq, Ge, Gt, Le, Lt, Ne};
        match self.kind.as_str() {
            "string" | "reference" => &Operator::ALL,
            "dateTime" | "integer" | "decimal" => &[Eq, Ne, Gt, Ge, Lt, Le],
            "boolean" | "binary" => &[Eq, Ne],
            _ => &[],
        }
    }
}

/// A schema, or an extension of one, with where its attributes stand in a document.
#[derive(Clone, Debug)]
pub struct Schema {
    pub urn: String,
    /// Its attributes stand under the URN, not at the top.
    pub extends: bool,
    pub attributes: Vec<Attribute>,
}

/// What one resource type has.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// RFC 7643 §3.1: part of every resource, published in no schema.
    pub common: Vec<Attribute>,
    pub schemas: Vec<Schema>,
}

impl Catalogue {
    /// From the answer of `/Schemas`: the schema of that name with its extensions.
    pub fn read(schemas: &Value, core: &str, extensions: &[&str]) -> Self {
        let find = |name: &str, extends: bool| {
            let published = schemas["Resources"].as_array().into_iter().flatten().find(|schema| schema["name"] == name);
            let published = published.unwrap_or_else(|| panic!("/Schemas holds no {name}"));
            let attributes = published["attributes"].as_array().into_iter().flatten().map(Attribute::read).collect();
            Schema { urn: published["id"].as_str().expect("a URN").to_owned(), extends, attributes }
        };
        let schemas = std::iter::once(find(core, false)).chain(extensions.iter().map(|name| find(name, true))).collect();
        Self { common: common(), schemas }
    }

    /// The attribute a path names, the one its comparisons mean, and the members that lead there.
    fn find(&self, path: &str) -> (&Attribute, Vec<String>) {
        for schema in &self.schemas {
            let prefix = format!("{}:", schema.urn.to_ascii_lowercase());
            if path.to_ascii_lowercase().starts_with(&prefix) {
                return within(&schema.attributes, &path[prefix.len()..], schema.extends.then_some(&schema.urn))
                    .unwrap_or_else(|| panic!("{path} is in no schema"));
            }
        }
        within(&self.common, path, None)
            .or_else(|| {
                let of = |schema: &'_ Schema| schema.extends.then(|| schema.urn.clone());
                self.schemas.iter().find_map(|schema| within(&schema.attributes, path, of(schema).as_ref()))
            })
            .unwrap_or_else(|| panic!("{path} is in no schema"))
    }

    /// Whether the resource satisfies the filter.
    pub fn holds(&self, filter: &Filter, resource: &Map<String, Value>) -> bool {
        match filter {
            Filter::And(left, right) => self.holds(left, resource) && self.holds(right, resource),
            Filter::Or(left, right) => self.holds(left, resource) || self.holds(right, resource),
            Filter::Not(inner) => !self.holds(inner, resource),
            Filter::Present(path) => {
                let (_, members) = self.find(path.as_str());
                values(resource, &members).into_iter().any(has_value)
            }
            Filter::Compare(path, operator, literal) => {
                let (attribute, members) = self.find(path.as_str());
                compare(attribute, &values(resource, &members), *operator, literal)
            }
            Filter::Element(path, inner) => {
                let (attribute, members) = self.find(path.as_str());
                let elements = values(resource, &members);
                elements.into_iter().filter_map(Value::as_object).any(|element| in_element(attribute, inner, element))
            }
        }
    }
}

/// RFC 7643 §3.1, with the types its text gives.
fn common() -> Vec<Attribute> {
    let attribute = |name: &str, kind: &str, case_exact: bool, subs: Value| {
        let published =
            json!({"name": name, "type": kind, "caseExact": case_exact, "mutability": "readOnly", "subAttributes": subs});
        Attribute::read(&published)
    };
    let sub = |name: &str, kind: &str, case_exact: bool| json!({"name": name, "type": kind, "caseExact": case_exact, "mutability": "readOnly"});
    let meta = json!([
        sub("resourceType", "string", true),
        sub("created", "dateTime", false),
        sub("lastModified", "dateTime", false),
        sub("location", "reference", true),
        sub("version", "string", true),
    ]);
    vec![
        Attribute { multi_valued: true, ..attribute("schemas", "reference", false, Value::Null) },
        attribute("id", "string", true, Value::Null),
        Attribute { writable: true, ..attribute("externalId", "string", true, Value::Null) },
        attribute("meta", "complex", false, meta),
    ]
}

fn within<'a>(attributes: &'a [Attribute], path: &str, below: Option<&String>) -> Option<(&'a Attribute, Vec<String>)> {
    let (name, sub) = path.split_once('.').map_or((path, None), |(name, sub)| (name, Some(sub)));
    let attribute = attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
    let mut members: Vec<String> = below.cloned().into_iter().chain([attribute.name.clone()]).collect();
    let Some(sub) = sub else { return Some((attribute, members)) };
    let sub = attribute.sub(sub)?;
    members.push(sub.name.clone());
    Some((sub, members))
}

/// One element against a filter whose paths are relative to it.
fn in_element(list: &Attribute, filter: &Filter, element: &Map<String, Value>) -> bool {
    let find = |path: &str| {
        let sub = list.sub(path).unwrap_or_else(|| panic!("{} has no {path}", list.name));
        (sub, values(element, std::slice::from_ref(&sub.name)))
    };
    match filter {
        Filter::And(left, right) => in_element(list, left, element) && in_element(list, right, element),
        Filter::Or(left, right) => in_element(list, left, element) || in_element(list, right, element),
        Filter::Not(inner) => !in_element(list, inner, element),
        Filter::Present(path) => find(path.as_str()).1.into_iter().any(has_value),
        Filter::Compare(path, operator, literal) => {
            let (sub, values) = find(path.as_str());
            compare(sub, &values, *operator, literal)
        }
        Filter::Element(..) => panic!("brackets don't nest"),
    }
}

/// The values at the end of a path; lists on the way are opened.
fn values<'v>(object: &'v Map<String, Value>, members: &[String]) -> Vec<&'v Value> {
    let (name, rest) = members.split_first().expect("a path");
    let elements: Vec<&Value> = match object.get(name) {
        None => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().collect(),
        Some(value) => vec![value],
    };
    if rest.is_empty() {
        return elements;
    }
    elements.into_iter().filter_map(Value::as_object).flat_map(|inner| values(inner, rest)).collect()
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => elements.iter().any(has_value),
        Value::Object(object) => object.values().any(has_value),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(attribute: &Attribute, values: &[&Value], operator: Operator, literal: &Literal) -> bool {
    let nothing = *literal == Literal::Null || *literal == Literal::String(String::new());
    if nothing && matches!(operator, Operator::Eq | Operator::Ne) {
        let present = values.iter().any(|value| has_value(value));
        return present == (operator == Operator::Ne);
    }
    // A list or a complex value is compared by its `value`.
    if attribute.kind == "complex" {
        let sub = attribute.sub("value").expect("a default sub-attribute");
        let inner: Vec<&Value> = values.iter().filter_map(|value| value.get(&sub.name)).collect();
        return compare(sub, &inner, operator, literal);
    }
    let assigned: Vec<&Value> = values.iter().copied().filter(|value| has_value(value)).collect();
    if assigned.is_empty() {
        return operator == Operator::Ne;
    }
    assigned.into_iter().any(|value| satisfies(attribute, value, operator, literal))
}

fn satisfies(attribute: &Attribute, value: &Value, operator: Operator, literal: &Literal) -> bool {
    let order = match (attribute.kind.as_str(), value, literal) {
        ("boolean", Value::Bool(value), Literal::Boolean(literal)) => value.cmp(literal),
        ("boolean", Value::Bool(value), Literal::String(literal)) => value.cmp(&literal.eq_ignore_ascii_case("true")),
        ("dateTime", Value::String(value), Literal::String(literal)) => instant(value).cmp(&instant(literal)),
        ("string" | "reference" | "binary", Value::String(value), Literal::String(literal)) => {
            let exact = attribute.case_exact || attribute.kind == "binary";
            let key = |text: &str| if exact { text.to_owned() } else { fold(text) };
            let (value, literal) = (key(value), key(literal));
            match operator {
                Operator::Co => return value.contains(&literal),
                Operator::Sw => return value.starts_with(&literal),
                Operator::Ew => return value.ends_with(&literal),
                _ => value.as_bytes().cmp(literal.as_bytes()),
            }
        }
        other => panic!("{} is no such type: {other:?}", attribute.name),
    };
    match operator {
        Operator::Eq => order == Ordering::Equal,
        Operator::Ne => order != Ordering::Equal,
        Operator::Gt => order == Ordering::Greater,
        Operator::Ge => order != Ordering::Less,
        Operator::Lt => order == Ordering::Less,
        Operator::Le => order != Ordering::Greater,
        Operator::Co | Operator::Sw | Operator::Ew => panic!("{} is no text", attribute.name),
    }
}

/// Unicode's full case folding, composed: down, up and down again, letter by letter so that no letter knows its place
/// in a word. The dotless i folds to itself.
pub fn fold(text: &str) -> String {
    let folded = text.nfc().flat_map(|letter| {
        let letters: Vec<char> = match letter {
            'ı' => vec!['ı'],
            _ => letter.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect(),
        };
        letters
    });
    folded.collect::<String>().nfc().collect()
}

/// Microseconds since 1970 of `YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm)`.
pub fn instant(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap_or_else(|_| panic!("{text} is no time"));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let zone = text[19..].find(['Z', '+', '-']).expect("a zone") + 19;
    let fraction = format!("{:0<6}", text[19..zone].trim_start_matches('.'));
    let offset = match &text[zone..zone + 1] {
        "Z" => 0,
        sign => {
            let minutes = number(zone + 1, zone + 3) * 60 + number(zone + 4, zone + 6);
            if sign == "-" { -minutes } else { minutes }
        }
    };
    // Days of the proleptic Gregorian calendar, with the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 719_469;
    let seconds = ((days * 24 + number(11, 13)) * 60 + number(14, 16) - offset) * 60 + number(17, 19);
    seconds * 1_000_000 + fraction[..6].parse::<i64>().expect("digits")
}
