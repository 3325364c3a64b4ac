//! Lists. Making one of another is the comprehension `[e for x in l if c]`; being in one is `x in l`.

use super::build::ListBuilder;
use super::cut::to_int;
use super::order::{compare, firsts};
use super::write::{BOOL, INT, ITEM, PLAIN, SAME_LIST, example, repeated, required};
use super::{Accepts, Body, Call, Function, Group, Intrinsic};
use crate::limits::VALUE_DEPTH_MAX;
use crate::types::Type;
use crate::value::{Failure, Value};
use bumpalo::collections::Vec as ArenaVec;

pub(super) static COUNT: Function = Function {
    name: "count",
    group: Group::List,
    signature: "count(list: list<T>) -> int",
    parameters: &[required("list", Accepts::List)],
    result: INT,
    summary: "How many values a list has; for text see `len`.",
    examples: &[example(r#"count(["a", "b"])"#, "2"), example("count([])", "0")],
    body: Body::Native(|call, arguments| Ok(Value::Int(to_int(call.list(arguments, 0)?.len())))),
    ..PLAIN
};

pub(super) static UNIQUE: Function = Function {
    name: "unique",
    group: Group::List,
    signature: "unique(list: list<T>) -> list<T>",
    parameters: &[required("list", Accepts::List)],
    result: SAME_LIST,
    summary: "Each value once, where it first stood. Case counts.",
    examples: &[
        example(r#"unique(["b", "a", "b"])"#, r#"["b", "a"]"#),
        example(r#"unique(["a", "A"])"#, r#"["a", "A"]"#),
        example("unique([])", "[]"),
    ],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        let keeps = firsts(call, list, compare, false);
        if keeps.iter().all(|keep| *keep) {
            return Ok(Value::List(list));
        }
        kept(call, list.iter().zip(keeps).filter(|(_, keep)| *keep).map(|(item, _)| *item))
    }),
    ..PLAIN
};

pub(super) static SORT: Function = Function {
    name: "sort",
    group: Group::List,
    signature: "sort(list: list<T>) -> list<T>",
    parameters: &[required("list", Accepts::List)],
    result: SAME_LIST,
    summary: "In rising order: numbers by size, text by code point (capitals first), dates by time.",
    examples: &[
        example(r#"sort(["b", "a", "C"])"#, r#"["C", "a", "b"]"#),
        example("sort([10, 9])", "[9, 10]"),
        example("sort([])", "[]"),
    ],
    body: Body::Native(|call, arguments| {
        let copy = call.arena.alloc_slice_copy(call.list(arguments, 0)?);
        copy.sort_unstable_by(compare);
        Ok(Value::List(copy))
    }),
    ..PLAIN
};

pub(super) static REVERSE: Function = Function {
    name: "reverse",
    group: Group::List,
    signature: "reverse(list: list<T>) -> list<T>",
    parameters: &[required("list", Accepts::List)],
    result: SAME_LIST,
    summary: "The last value first.",
    examples: &[example(r#"reverse(["a", "b"])"#, r#"["b", "a"]"#), example("reverse([])", "[]")],
    body: Body::Native(|call, arguments| {
        let copy = call.arena.alloc_slice_copy(call.list(arguments, 0)?);
        copy.reverse();
        Ok(Value::List(copy))
    }),
    ..PLAIN
};

pub(super) static TAKE: Function = Function {
    name: "take",
    group: Group::List,
    signature: "take(list: list<T>, count: int) -> list<T>",
    parameters: &[required("list", Accepts::List), required("count", Accepts::Int)],
    result: SAME_LIST,
    summary: "The first so many values; all of them when there are fewer.",
    examples: &[example(r#"take(["a", "b", "c"], 2)"#, r#"["a", "b"]"#), example(r#"take(["a"], -1)"#, "[]")],
    body: Body::Native(|call, arguments| {
        let (taken, _) = split(call, arguments)?;
        Ok(Value::List(taken))
    }),
    ..PLAIN
};

pub(super) static DROP: Function = Function {
    name: "drop",
    group: Group::List,
    signature: "drop(list: list<T>, count: int) -> list<T>",
    parameters: &[required("list", Accepts::List), required("count", Accepts::Int)],
    result: SAME_LIST,
    summary: "Without the first so many values; the empty list when there are no more.",
    examples: &[example(r#"drop(["a", "b", "c"], 1)"#, r#"["b", "c"]"#), example(r#"drop(["a"], 5)"#, "[]")],
    body: Body::Native(|call, arguments| {
        let (_, rest) = split(call, arguments)?;
        Ok(Value::List(rest))
    }),
    ..PLAIN
};

type Halves<'a> = (&'a [Value<'a>], &'a [Value<'a>]);

fn split<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Halves<'a>, Failure<'a>> {
    let list = call.list(arguments, 0)?;
    let count = usize::try_from(call.int(arguments, 1)?.max(0)).unwrap_or(usize::MAX);
    Ok(list.split_at(count.min(list.len())))
}

pub(super) static CONCAT: Function = Function {
    name: "concat",
    group: Group::List,
    signature: "concat(parts: list<T> | T…) -> list<T>",
    parameters: &[repeated("parts", Accepts::Any)],
    result: |types| {
        let item = |ty: &Type| if let Type::List(item) = ty { (**item).clone() } else { ty.clone() };
        let mut items = types.iter().map(item).filter(|ty| !matches!(ty, Type::Nothing | Type::Unknown));
        let first = items.next().unwrap_or(Type::Json);
        if items.all(|ty| ty == first) { first.list() } else { Type::Json.list() }
    },
    summary: "Lists and single values one after the other as one list; what is absent is left out.",
    examples: &[example(r#"concat(["a"], "b", absent, ["c"])"#, r#"["a", "b", "c"]"#), example("concat(absent)", "[]")],
    body: Body::Native(|call, arguments| {
        let items = arguments.iter().flat_map(|part| match part {
            Value::List(items) => *items,
            one => std::slice::from_ref(one),
        });
        kept(call, items.copied())
    }),
    ..PLAIN
};

pub(super) static FLATTEN: Function = Function {
    name: "flatten",
    group: Group::List,
    signature: "flatten(list: list<any>) -> list<any>",
    parameters: &[required("list", Accepts::List)],
    result: |types| {
        let mut item = ITEM(types);
        while let Type::List(inner) = item {
            item = *inner;
        }
        item.list()
    },
    summary: "The values of lists within lists, however deep, as one list.",
    examples: &[example(r#"flatten([["a"], ["b", ["c"]], "d"])"#, r#"["a", "b", "c", "d"]"#), example("flatten([[], []])", "[]")],
    body: Body::Native(|call, arguments| {
        let mut list = ListBuilder::new(call);
        flatten(&mut list, call.list(arguments, 0)?, VALUE_DEPTH_MAX);
        list.finish()
    }),
    ..PLAIN
};

/// Below the depth that a source may give, lists stay as they are.
fn flatten<'a>(into: &mut ListBuilder<'_, 'a>, items: &'a [Value<'a>], depth: usize) {
    for item in items {
        match item {
            Value::List(inner) if depth > 0 => flatten(into, inner, depth - 1),
            one => into.push(*one),
        }
        if into.is_over() {
            return;
        }
    }
}

pub(super) static WITHOUT: Function = Function {
    name: "without",
    group: Group::List,
    signature: "without(list: list<T>, values: list<T> | T…) -> list<T>",
    parameters: &[required("list", Accepts::List), repeated("values", Accepts::Any)],
    result: SAME_LIST,
    summary: "Without every value equal to one of those named; a list names its values. Case counts.",
    examples: &[
        example(r#"without(["a", "b", "a"], "a")"#, r#"["b"]"#),
        example(r#"without(["a", "b", "c"], ["a", "c"])"#, r#"["b"]"#),
        example(r#"without(["a"], absent)"#, r#"["a"]"#),
    ],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        let named = arguments.get(1..).unwrap_or_default().iter().flat_map(|part| match part {
            Value::List(items) => *items,
            one => std::slice::from_ref(one),
        });
        let mut named = ArenaVec::from_iter_in(named.copied(), call.arena);
        named.sort_unstable_by(compare);
        let is_named = |item: &Value<'_>| named.binary_search_by(|other| compare(other, item)).is_ok();
        kept(call, list.iter().filter(|item| !is_named(item)).copied())
    }),
    ..PLAIN
};

pub(super) static INDEX: Function = Function {
    name: "index",
    group: Group::List,
    signature: "index(list: list<T>, value: T) -> int",
    parameters: &[required("list", Accepts::List), required("value", Accepts::Any)],
    result: INT,
    may_be_absent: true,
    summary: "Where the value first stands, from 0; absent when it is not in the list.",
    examples: &[example(r#"index(["a", "b"], "b")"#, "1"), example(r#"index(["a"], "x")"#, "absent")],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        let value = arguments.get(1).unwrap_or(&Value::Absent);
        let place = list.iter().position(|item| compare(item, value).is_eq());
        Ok(place.map_or(Value::Absent, |place| Value::Int(to_int(place))))
    }),
    ..PLAIN
};

pub(super) static SUM: Function = Function {
    name: "sum",
    group: Group::List,
    signature: "sum(list: list<int>) -> int",
    parameters: &[required("list", Accepts::List)],
    result: INT,
    summary: "All integers of a list added up; 0 for none. Text is not counted as a number: `int(x)` makes it one.",
    examples: &[example("sum([1, 2, 3])", "6"), example("sum([])", "0"), example(r#"sum(["a"])"#, "error")],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        let mut sum = 0_i64;
        for (place, _) in list.iter().enumerate() {
            let added = sum.checked_add(call.int(list, place)?);
            sum = added.ok_or_else(|| call.over(format_args!("sum beyond 64 bits")))?;
        }
        Ok(Value::Int(sum))
    }),
    ..PLAIN
};

pub(super) static MIN: Function = Function {
    name: "min",
    group: Group::List,
    signature: "min(list: list<T>) -> T",
    parameters: &[required("list", Accepts::List)],
    result: ITEM,
    may_be_absent: true,
    summary: "The value that `sort` puts first; absent for an empty list.",
    examples: &[example("min([3, 1, 2])", "1"), example("min([])", "absent")],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        Ok(list.iter().copied().min_by(compare).unwrap_or(Value::Absent))
    }),
    ..PLAIN
};

pub(super) static MAX: Function = Function {
    name: "max",
    group: Group::List,
    signature: "max(list: list<T>) -> T",
    parameters: &[required("list", Accepts::List)],
    result: ITEM,
    may_be_absent: true,
    summary: "The value that `sort` puts last; absent for an empty list.",
    examples: &[example("max([3, 1, 2])", "3"), example("max([])", "absent")],
    body: Body::Native(|call, arguments| {
        let list = call.list(arguments, 0)?;
        Ok(list.iter().copied().max_by(compare).unwrap_or(Value::Absent))
    }),
    ..PLAIN
};

pub(super) static ANY: Function = Function {
    name: "any",
    group: Group::List,
    signature: "any(list: list<T>, condition) -> bool",
    parameters: &[required("list", Accepts::List), required("condition", Accepts::Condition)],
    result: BOOL,
    summary: "Whether the condition holds for one value at least, which it calls `it`; false for an empty list.",
    examples: &[example(r#"any(["a", "b"], it == "b")"#, "true"), example(r#"any([], it == "b")"#, "false")],
    body: Body::Compiled(Intrinsic::Any),
    ..PLAIN
};

pub(super) static EVERY: Function = Function {
    name: "all",
    group: Group::List,
    signature: "all(list: list<T>, condition) -> bool",
    parameters: &[required("list", Accepts::List), required("condition", Accepts::Condition)],
    result: BOOL,
    summary: "Whether the condition holds for every value, which it calls `it`; true for an empty list.",
    examples: &[example("all([1, 2], it > 0)", "true"), example("all([1, -2], it > 0)", "false")],
    body: Body::Compiled(Intrinsic::All),
    ..PLAIN
};

pub(super) static LOOKUP: Function = Function {
    name: "lookup",
    group: Group::List,
    signature: "lookup(table, keys: list<string> | string) -> list<any> | any",
    parameters: &[required("table", Accepts::Table), required("keys", Accepts::Any)],
    result: |types| match types.get(1) {
        Some(Type::List(_)) => Type::Json.list(),
        _ => Type::Json,
    },
    may_be_absent: true,
    summary: "The table's values for these keys, in their order; a key without a row is left out unless the table says \
              otherwise. `table[key]` for one key.",
    examples: &[example(r#"lookup(size, ["s", "x"])"#, r#"["small"]"#), example(r#"lookup(size, "x")"#, "absent")],
    body: Body::Compiled(Intrinsic::Lookup),
    ..PLAIN
};

pub(super) static NESTED: Function = Function {
    name: "nested",
    group: Group::List,
    signature: "nested(groups: list<dn>) -> list<dn>",
    parameters: &[required("groups", Accepts::List)],
    result: SAME_LIST,
    summary: "Groups with those they are in, transitively. The directory reader supplies them, so the argument is an \
              attribute: `nested($memberOf[*])`.",
    examples: &[
        example(r#"[g.rdn("CN") for g in nested($memberOf[*])]"#, r#"["staff", "all"]"#),
        example("nested($unset[*])", "[]"),
    ],
    body: Body::Compiled(Intrinsic::Nested),
    ..PLAIN
};

/// A list of these, given up at the bound.
fn kept<'a>(call: &Call<'a>, items: impl Iterator<Item = Value<'a>>) -> Result<Value<'a>, Failure<'a>> {
    let mut list = ListBuilder::new(call);
    for item in items {
        list.push(item);
        if list.is_over() {
            break;
        }
    }
    list.finish()
}
