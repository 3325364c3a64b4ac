//! Random resources and random filters over them, all from one seed.

use super::filter_oracle::{Attribute, Catalogue, Schema};
use base64::Engine;
use rosterd::scim::filter::ast::{Filter, Operator, Value as Literal};
use rosterd::scim::path::AttributePath;
use serde_json::{Map, Value, json};

/// A source of choices that a seed repeats (SplitMix64).
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it fits")
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Values that have broken somebody's filter.
const NASTY: [&str; 46] = [
    "a",
    "A",
    "ab",
    "AB",
    "abc",
    "Abd",
    "bjensen",
    "BJensen",
    "bjensen@example.com",
    "bjens%",
    "bjens_n",
    "%",
    "_",
    "\\",
    "\\%",
    "!",
    "!%",
    "a!b",
    "'",
    "''; --",
    "\"",
    "\"quoted\"",
    "*",
    "a*",
    "straße",
    "STRASSE",
    "STRAẞE",
    "İstanbul",
    "i̇stanbul",
    "ISTANBUL",
    "ıstanbul",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "σίσυφοσ",
    "É",
    "é",
    "e\u{301}",
    "E\u{301}a",
    "😀",
    "😀😁",
    "\u{10ffff}",
    "a\u{1f}b",
    "10",
    "9",
    "2026-01-01T00:00:00Z",
    " with  spaces ",
];

/// A text: from the pool, two of it, or one too long for an index key, with neighbours that differ only at the end.
pub fn text(dice: &mut Dice) -> String {
    match dice.below(20) {
        0..13 => (*dice.one_of(&NASTY)).to_owned(),
        13..17 => format!("{}{}", dice.one_of(&NASTY), dice.one_of(&NASTY)),
        17 => format!("{}{}", "lü".repeat(170 + dice.below(3)), dice.one_of(&NASTY)),
        18 => format!("{}{}", "x".repeat(446 + dice.below(4)), dice.one_of(&NASTY)),
        _ => format!("{}Y", "Lü".repeat(290)),
    }
}

/// What a client would send as a new resource: every writable attribute of the schemas, or not.
pub fn resource(dice: &mut Dice, catalogue: &Catalogue) -> Map<String, Value> {
    let mut document = Map::new();
    let mut urns = Vec::new();
    for schema in &catalogue.schemas {
        let mut part = Map::new();
        for attribute in schema.attributes.iter().filter(|attribute| attribute.writable && attribute.name != "members") {
            let likely = if attribute.required { 100 } else { 45 };
            if dice.percent(likely) {
                part.insert(attribute.name.clone(), value(dice, attribute));
            }
        }
        urns.push(schema.urn.clone());
        if schema.extends {
            document.insert(schema.urn.clone(), part.into());
        } else {
            document.extend(part);
        }
    }
    document.insert("schemas".into(), urns.into());
    document
}

fn value(dice: &mut Dice, attribute: &Attribute) -> Value {
    if !attribute.multi_valued {
        return single(dice, attribute);
    }
    let mut elements: Vec<Value> = (0..dice.below(4)).map(|_| single(dice, attribute)).collect();
    // At most one primary element (RFC 7643 §2.4).
    for element in elements.iter_mut().skip(1) {
        if element["primary"] == true {
            element["primary"] = false.into();
        }
    }
    elements.into()
}

fn single(dice: &mut Dice, attribute: &Attribute) -> Value {
    match attribute.kind.as_str() {
        "complex" => {
            let mut object = Map::new();
            for sub in attribute.subs.iter().filter(|sub| sub.writable) {
                if dice.percent(60) {
                    object.insert(sub.name.clone(), single(dice, sub));
                }
            }
            object.into()
        }
        "boolean" => dice.percent(50).into(),
        "binary" => base64::engine::general_purpose::STANDARD.encode(&dice.next().to_le_bytes()[..dice.below(3) + 1]).into(),
        _ if attribute.required => text(dice).into(),
        _ if dice.percent(8) => "".into(),
        _ if attribute.name == "type" && dice.percent(60) => (*dice.one_of(&["work", "home", "Work", "other"])).into(),
        _ => text(dice).into(),
    }
}

/// One way to an attribute of a resource type.
#[derive(Clone, Debug)]
pub struct Place {
    schema: Option<(String, bool)>,
    pub attribute: Attribute,
    pub sub: Option<Attribute>,
}

impl Place {
    /// Every attribute and sub-attribute an answer may show.
    pub fn all(catalogue: &Catalogue) -> Vec<Self> {
        let of = |schema: Option<&Schema>, attributes: &[Attribute]| {
            let schema = schema.map(|schema| (schema.urn.clone(), schema.extends));
            let mut places = Vec::new();
            for attribute in attributes.iter().filter(|attribute| attribute.readable) {
                places.push(Self { schema: schema.clone(), attribute: attribute.clone(), sub: None });
                for sub in &attribute.subs {
                    places.push(Self { schema: schema.clone(), attribute: attribute.clone(), sub: Some(sub.clone()) });
                }
            }
            places
        };
        let schemas = catalogue.schemas.iter().flat_map(|schema| of(Some(schema), &schema.attributes));
        of(None, &catalogue.common).into_iter().chain(schemas).collect()
    }

    /// What the values of the place are; for a list its default sub-attribute.
    pub fn target(&self) -> &Attribute {
        self.sub.as_ref().or_else(|| self.attribute.sub("value")).unwrap_or(&self.attribute)
    }

    /// `name.familyName`, `urn:…:User:manager.value`.
    pub fn name(&self) -> String {
        let urn = self.schema.iter().filter(|(_, extends)| *extends).map(|(urn, _)| format!("{urn}:"));
        let sub = self.sub.iter().map(|sub| format!(".{}", sub.name));
        urn.chain([self.attribute.name.clone()]).chain(sub).collect()
    }

    /// The same in one of the spellings that are allowed: any case, core attributes with their URN, extension
    /// attributes without it.
    fn path(&self, dice: &mut Dice) -> AttributePath {
        let mut text = self.name();
        if let Some((urn, extends)) = &self.schema {
            match (*extends, dice.below(5)) {
                (false, 0) => text = format!("{urn}:{text}"),
                (true, 0) => text = text[urn.len() + 1..].to_owned(),
                _ => {}
            }
        }
        if dice.percent(15) {
            text = if dice.percent(50) { text.to_ascii_lowercase() } else { text.to_ascii_uppercase() };
        }
        AttributePath::parse(&text).expect("a path")
    }
}

/// Makes filters over resources that exist, so that they find something.
pub struct Maker<'a> {
    pub places: &'a [Place],
    /// The resources as they are answered.
    pub resources: &'a [Map<String, Value>],
}

impl Maker<'_> {
    /// One comparison (or `pr`, without an operator) of one place.
    pub fn leaf(&self, dice: &mut Dice, place: &Place, operator: Option<Operator>) -> Filter {
        let path = place.path(dice);
        match operator {
            None => Filter::Present(path),
            Some(operator) => Filter::Compare(path, operator, self.literal(dice, place, operator)),
        }
    }

    /// Any filter, at most `depth` deep.
    pub fn filter(&self, dice: &mut Dice, depth: usize) -> Filter {
        match if depth == 0 { 9 } else { dice.below(10) } {
            0..2 => Filter::And(Box::new(self.filter(dice, depth - 1)), Box::new(self.filter(dice, depth - 1))),
            2..4 => Filter::Or(Box::new(self.filter(dice, depth - 1)), Box::new(self.filter(dice, depth - 1))),
            4..6 => Filter::Not(Box::new(self.filter(dice, depth - 1))),
            6..8 => self.element(dice, depth - 1),
            _ => {
                let place = dice.one_of(self.places);
                let operator = self.operator(dice, place.target());
                self.leaf(dice, place, operator)
            }
        }
    }

    fn operator(&self, dice: &mut Dice, target: &Attribute) -> Option<Operator> {
        let operators = target.operators();
        if operators.is_empty() || dice.percent(12) { None } else { Some(*dice.one_of(operators)) }
    }

    /// `list[…]`, over one with sub-attributes.
    pub fn element(&self, dice: &mut Dice, depth: usize) -> Filter {
        let lists: Vec<&Place> =
            self.places.iter().filter(|place| place.sub.is_none() && !place.attribute.subs.is_empty()).collect();
        let list = *dice.one_of(&lists);
        let inner = self.in_element(dice, list, depth);
        Filter::Element(list.path(dice), Box::new(inner))
    }

    fn in_element(&self, dice: &mut Dice, list: &Place, depth: usize) -> Filter {
        match if depth == 0 { 9 } else { dice.below(10) } {
            0..3 => {
                Filter::And(Box::new(self.in_element(dice, list, depth - 1)), Box::new(self.in_element(dice, list, depth - 1)))
            }
            3..5 => {
                Filter::Or(Box::new(self.in_element(dice, list, depth - 1)), Box::new(self.in_element(dice, list, depth - 1)))
            }
            5 => Filter::Not(Box::new(self.in_element(dice, list, depth - 1))),
            _ => {
                let sub = dice.one_of(&list.attribute.subs).clone();
                let path = AttributePath::parse(&sub.name).expect("a path");
                let operator = self.operator(dice, &sub);
                let place = Place { sub: Some(sub), ..list.clone() };
                match operator {
                    None => Filter::Present(path),
                    Some(operator) => Filter::Compare(path, operator, self.literal(dice, &place, operator)),
                }
            }
        }
    }

    /// A value to compare with: one that some resource has, a part of one, the same in another case, or any other.
    fn literal(&self, dice: &mut Dice, place: &Place, operator: Operator) -> Literal {
        let target = place.target();
        let equality = matches!(operator, Operator::Eq | Operator::Ne);
        if equality && dice.percent(4) {
            return Literal::Null;
        }
        match target.kind.as_str() {
            "boolean" if dice.percent(20) => Literal::String((*dice.one_of(&["True", "false"])).to_owned()),
            "boolean" => Literal::Boolean(dice.percent(50)),
            "dateTime" => {
                let printed = self.existing(dice, place);
                Literal::String(near(dice, &printed))
            }
            _ => {
                let partial = matches!(operator, Operator::Co | Operator::Sw | Operator::Ew);
                if !partial && dice.percent(3) {
                    return Literal::String(String::new());
                }
                let existing = self.existing(dice, place);
                let mut literal = if existing.is_empty() || dice.percent(35) { text(dice) } else { existing };
                if partial && dice.percent(80) {
                    literal = part(dice, &literal, operator);
                }
                if dice.percent(30) {
                    literal = if dice.percent(50) { literal.to_uppercase() } else { literal.to_lowercase() };
                }
                if literal.is_empty() { Literal::String("a".into()) } else { Literal::String(literal) }
            }
        }
    }

    /// A text that stands at the place in some resource; empty if the dice found none.
    fn existing(&self, dice: &mut Dice, place: &Place) -> String {
        let mut names: Vec<&str> = place.schema.iter().filter(|(_, extends)| *extends).map(|(urn, _)| urn.as_str()).collect();
        names.push(&place.attribute.name);
        if place.target().name != place.attribute.name || place.sub.is_some() {
            names.push(&place.target().name);
        }
        for _ in 0..12 {
            let mut value = json!(dice.one_of(self.resources));
            for name in &names {
                value = value[*name].take();
                if let Value::Array(elements) = &value {
                    value = if elements.is_empty() { Value::Null } else { dice.one_of(elements).clone() };
                }
            }
            if let Value::String(text) = value {
                return text;
            }
        }
        String::new()
    }
}

fn part(dice: &mut Dice, text: &str, operator: Operator) -> String {
    let letters: Vec<char> = text.chars().collect();
    let long = 1 + dice.below(letters.len().clamp(1, 24));
    let start = match operator {
        Operator::Sw => 0,
        Operator::Ew => letters.len().saturating_sub(long),
        _ => dice.below(letters.len().max(1)),
    };
    letters.into_iter().skip(start).take(long).collect()
}

/// An instant, in one of the forms clients write: at it or beside it, with more or fewer digits, in another zone.
fn near(dice: &mut Dice, printed: &str) -> String {
    let printed = if printed.is_empty() { "2025-11-24T16:00:00.000Z" } else { printed };
    let (whole, millis) = (&printed[..19], &printed[20..23]);
    match dice.below(6) {
        0 => printed.to_owned(),
        1 => format!("{whole}Z"),
        2 => format!("{whole}.{millis}000Z"),
        3 => format!("{whole}.{millis}001Z"),
        4 => format!("{whole}.{millis}+00:00"),
        _ => format!("{whole}.{millis}-02:30"),
    }
}
