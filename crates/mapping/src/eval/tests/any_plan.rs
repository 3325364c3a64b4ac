//! Any plan, type-correct or not, on any entry: ends, without a panic, with one result per rule.

use super::*;
use crate::plan::{Comparison, Conversion, Part};
use proptest::prelude::*;

const CONVERSIONS: [Conversion; 17] = [
    Conversion::Int,
    Conversion::Bool,
    Conversion::Text,
    Conversion::Display,
    Conversion::List,
    Conversion::Record,
    Conversion::Binary,
    Conversion::GuidText,
    Conversion::GuidBytes,
    Conversion::SidText,
    Conversion::SidBytes,
    Conversion::FileTimeToDateTime,
    Conversion::GenTimeToDateTime,
    Conversion::TextToDateTime,
    Conversion::DateTimeToText,
    Conversion::BinaryToText,
    Conversion::Wrap,
];

/// A node over those before it, chosen by numbers.
fn node(build: &mut Build, (kind, x, y, z): (u8, u32, u32, u32)) {
    let before = u32::try_from(build.plan.nodes.len()).unwrap();
    let of = |n: u32| n % before;
    let to = CONVERSIONS[x as usize % CONVERSIONS.len()];
    let slot = u16::try_from(x % 3).unwrap();
    let local = u16::try_from(z % 2).unwrap();
    let node = match kind % 30 {
        0 => Node::Constant(Constant::Int(i64::from(x) - 2)),
        1 => Node::Constant(Constant::String(["", "a", "é", "TRUE", "0"][x as usize % 5].into())),
        2 => Node::One { slot, strict: x.is_multiple_of(7) },
        3 => Node::All(slot),
        4 => Node::Local(local),
        5 => Node::It,
        6 => Node::Field(of(x), "a".into()),
        7 => Node::Item(of(x), of(y)),
        8 => Node::Member(of(x), of(y)),
        9 => Node::Filter { list: of(x), local, condition: of(y) },
        10 => Node::Comprehension { list: of(x), local, condition: Some(of(y)), item: of(z), unique: true },
        11 => Node::Comprehension { list: of(x), local, condition: None, item: of(y), unique: z.is_multiple_of(2) },
        12 => Node::Any { list: of(x), condition: of(y) },
        13 => Node::Every { list: of(x), condition: of(y) },
        14 => Node::List([of(x), of(y), of(z)].into()),
        15 => Node::Record([("a".into(), of(x)), ("b".into(), of(y))].into()),
        16 => Node::Template([of(x), of(y)].map(|value| Part::Hole { value, optional: z.is_multiple_of(2) }).into()),
        17 => Node::Not(of(x)),
        18 => Node::And(of(x), of(y)),
        19 => Node::Coalesce(of(x), of(y)),
        20 => Node::If { condition: of(x), then: of(y), otherwise: of(z) },
        21 => Node::Compare { operator: Comparison::LessOrEqual, left: of(x), right: of(y) },
        22 => Node::In { needle: of(x), list: of(y) },
        23 => Node::Add(of(x), of(y)),
        24 => Node::Subtract(of(x), of(y)),
        25 => Node::Negative(of(x)),
        26 => Node::Convert { to, value: of(y), optional: z.is_multiple_of(2) },
        27 => Node::ConvertEach { to, list: of(y) },
        28 => Node::Call { function: [&LOWER, &FAIL, &DOUBLE][x as usize % 3], arguments: [of(y)].into(), optional: false },
        _ => {
            build.plan.lets.push(("l".into(), of(x)));
            Node::Let(u16::try_from(build.plan.lets.len() - 1).unwrap())
        }
    };
    build.node(node);
}

fn entry() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[a-zé0-9=:-]{0,40}".prop_map(Json::from),
        Just(json!("S-1-5-21-1")),
        Just(json!("20260131120000Z")),
    ];
    let value = leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[ab]", inner, 0..2).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    });
    [value.clone(), value.clone(), value].prop_map(|[a, b, c]| json!({"a": a, "b": b, "c": c}))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_plan_on_any_entry_ends_with_one_result_per_rule(
        shape in prop::collection::vec(any::<(u8, u32, u32, u32)>(), 1..40),
        entry in entry(),
    ) {
        let mut build = Build::new();
        build.plan.locals = 2;
        build.text("start");
        for numbers in shape {
            node(&mut build, numbers);
        }
        let last = u32::try_from(build.plan.nodes.len() - 1).unwrap();
        build.rule("whole", last);
        build.rule("half", last / 2).required = true;
        let plain = build.text("v");
        build.rule("plain", plain);
        let found = build.run(&entry);
        prop_assert_eq!(&found["plain"], &json!("v"));
        prop_assert_eq!(found.as_object().unwrap().len(), 3);
        // The same again, word for word: nothing depends on anything but its arguments.
        prop_assert_eq!(build.run(&entry), found);
    }
}
