//! The examples in the documentation are true: every one is run against the bodies. A reader of its own for the few
//! forms examples are made of keeps this test free of the parser and evaluator, which run them as well.

use super::json::write_value;
use super::testing::run;
use super::{Accepts, Body, Function, Presence, all, build::TextBuilder, find, nearest};
use crate::value::{Regex, Value};
use bumpalo::Bump;
use jiff::SignedDuration;

struct Reader<'a, 's> {
    arena: &'a Bump,
    rest: &'s str,
}

/// `Err(true)`: an instruction or an operator, nothing this reader can run. `Err(false)`: the call failed.
type Outcome<'a> = Result<Value<'a>, bool>;

impl<'a> Reader<'a, '_> {
    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let found = self.rest.starts_with(token);
        if found {
            self.rest = &self.rest[token.len()..];
        }
        found
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &str {
        let (token, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    fn quoted(&mut self, end: char, raw: bool) -> String {
        let mut text = String::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' if raw => match letters.next().unwrap().1 {
                    // A raw string ends at the quote; a regex may hold an escaped slash.
                    '/' if end == '/' => text.push('/'),
                    other => text.extend(['\\', other]),
                },
                '\\' => match letters.next().unwrap().1 {
                    'n' => text.push('\n'),
                    'u' => {
                        let digits: String = letters.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                    }
                    other => text.push(other),
                },
                _ if letter == end => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                _ => text.push(letter),
            }
        }
        panic!("no end of text")
    }

    fn items(&mut self, end: &str, mut each: impl FnMut(&mut Self) -> Result<(), bool>) -> Result<(), bool> {
        while !self.take(end) {
            each(self)?;
            self.take(",");
        }
        Ok(())
    }

    fn value(&mut self) -> Outcome<'a> {
        let value = if self.take("r\"") {
            Value::String(self.arena.alloc_str(&self.quoted('"', true)))
        } else if self.take("hex\"") {
            let digits = self.quoted('"', false);
            let bytes = digits.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
            Value::Binary(self.arena.alloc_slice_fill_iter(bytes.collect::<Vec<_>>()))
        } else if self.take("\"") {
            Value::String(self.arena.alloc_str(&self.quoted('"', false)))
        } else if self.take("/") {
            let pattern = self.quoted('/', true);
            Value::Regex(self.arena.alloc(Regex::compile(&pattern, false).unwrap()))
        } else if self.take("@") {
            Value::DateTime(self.until(|c| matches!(c, ',' | ')')).parse().unwrap())
        } else if self.take("[") {
            let mut list = Vec::new();
            self.items("]", |reader| reader.value().map(|item| list.push(item)))?;
            Value::List(self.arena.alloc_slice_copy(&list))
        } else if self.take("{") {
            let mut record = Vec::new();
            self.items("}", |reader| {
                let name = reader.arena.alloc_str(reader.rest.trim_start().split_once(':').unwrap().0);
                reader.rest = reader.rest.split_once(':').unwrap().1;
                record.push((&*name, reader.value()?));
                Ok(())
            })?;
            Value::Record(self.arena.alloc_slice_copy(&record))
        } else {
            self.word_or_number()?
        };
        let after = self.rest.trim_start();
        let ends = after.is_empty() || after.starts_with([',', ')', ']', '}']);
        if ends { Ok(value) } else { Err(true) }
    }

    fn word_or_number(&mut self) -> Outcome<'a> {
        let is_negative = self.take("-");
        let token = self.until(|c| !c.is_ascii_alphanumeric() && c != '_').to_owned();
        if let Ok(number) = format!("{}{token}", if is_negative { "-" } else { "" }).parse() {
            return Ok(Value::Int(number));
        }
        if let Some((hours, _)) = [(24, 'd'), (1, 'h')].iter().find(|(_, unit)| token.ends_with(*unit))
            && let Ok(count) = token[..token.len() - 1].parse::<i64>()
        {
            return Ok(Value::Duration(SignedDuration::from_hours(hours * if is_negative { -count } else { count })));
        }
        let optional = self.take("?");
        if self.take("(") {
            let Some(function) = find(&token) else { panic!("unknown function {token}") };
            return self.call(function, optional);
        }
        Ok(match token.as_str() {
            "" => return Err(true),
            "true" | "false" => Value::Bool(token == "true"),
            "absent" => Value::Absent,
            word => Value::String(self.arena.alloc_str(word)),
        })
    }

    fn call(&mut self, function: &Function, optional: bool) -> Outcome<'a> {
        let is_repeated = |presence| presence == Presence::Repeated;
        let fixed = function.parameters.iter().filter(|parameter| !is_repeated(parameter.presence)).count();
        let mut arguments = vec![Value::Absent; fixed];
        let mut place = 0;
        self.items(")", |reader| {
            let names = function.parameters.iter().filter(|parameter| parameter.presence == Presence::Named);
            let named = names.map(|parameter| parameter.name).find(|name| reader.take(&format!("{name}:")));
            let at = named.map_or(place, |name| function.parameters.iter().position(|p| p.name == name).unwrap());
            let value = reader.value()?;
            if at < fixed {
                arguments[at] = value;
            } else {
                arguments.push(value);
            }
            place += usize::from(named.is_none());
            Ok(())
        })?;
        if matches!(function.body, Body::Compiled(_)) {
            return Err(true);
        }
        assert!(!optional || function.fallible, "{} has no `?` twin", function.name);
        match run(self.arena, function, &arguments) {
            Ok(value) => Ok(value),
            Err(_) if optional => Ok(Value::Absent),
            Err(_) => Err(false),
        }
    }
}

#[test]
fn every_example_holds() {
    let mut run = 0;
    let mut wrong = Vec::new();
    for function in all() {
        assert!(function.examples.len() >= 2, "{} has fewer than two examples", function.name);
        for example in function.examples {
            let arena = Bump::new();
            let given = match (Reader { arena: &arena, rest: example.call }).value() {
                Err(true) => {
                    assert!(matches!(function.body, Body::Compiled(_)), "not understood: {}", example.call);
                    continue;
                }
                Err(false) => "error".to_owned(),
                Ok(Value::Absent) => "absent".to_owned(),
                Ok(value) => {
                    let call = super::testing::context(&arena);
                    let mut out = TextBuilder::new(&call);
                    write_value(&mut out, &value);
                    out.finish_str().unwrap().to_owned()
                }
            };
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            let is_equal =
                if json(example.gives).is_some() { json(example.gives) == json(&given) } else { example.gives == given };
            if !is_equal {
                wrong.push(format!("{} gives {given}, not {}", example.call, example.gives));
            }
            run += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(run > 200, "only {run} examples were run");
}

#[test]
fn a_function_is_found_by_its_name_and_suggested_for_a_misspelt_one() {
    assert_eq!(find("lower").map(|function| function.name), Some("lower"));
    assert!(find("Lower").is_none());
    for (wrong, right) in [("lowr", "lower"), ("startswith", "starts_with"), ("bas64", "base64"), ("to_filetme", "to_filetime")] {
        assert_eq!(nearest(wrong).map(|function| function.name), Some(right), "{wrong}");
    }
    assert!(nearest("zzzzqqq").is_none());
}

#[test]
fn every_function_is_described_completely() {
    let mut names: Vec<_> = all().iter().map(|function| function.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len(), "a name stands twice");
    for function in all() {
        let name = function.name;
        assert!(function.signature.starts_with(&format!("{name}(")), "{name}: signature");
        assert!(function.summary.ends_with('.'), "{name}: summary");
        for parameter in function.parameters {
            let in_signature = function.signature.contains(parameter.name);
            assert!(in_signature, "{name}: `{}` is not in the signature", parameter.name);
            let is_condition = parameter.accepts == Accepts::Condition;
            assert!(!is_condition || matches!(function.body, Body::Compiled(_)), "{name}: a condition needs the compiler");
        }
        let mut order = function.parameters.iter().map(|parameter| parameter.presence);
        let rest = order.by_ref().skip_while(|presence| !matches!(presence, Presence::Repeated));
        assert!(rest.count() <= 1, "{name}: repeated parameters come last");
    }
}

#[test]
fn functions_that_can_fail_and_only_those_have_a_failing_example_or_none() {
    for function in all() {
        let fails = function.examples.iter().any(|example| example.gives == "error");
        // Bounds (M190) are not a reason for a twin.
        let by_bound = ["pad_left", "add", "add_months", "sum"].contains(&function.name);
        assert_eq!(fails && !by_bound, function.fallible, "{}", function.name);
    }
}
