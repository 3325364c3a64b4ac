//! What a mapper may rely on, what stops it, and what it can't reach.

mod contract;
mod escapes;
mod limits;

use super::entry::Entry;
use super::failure::Failure;
use super::sandbox::Sandbox;
use super::{JavascriptMapping, Limits, Run};
use crate::clock::{Micros, Monotonic};
use crate::mapping::{Given, Input, Language, Mapped, Mapping as _, Published};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// 2025-11-24T16:00:00.123Z
const NOW: Micros = 1_764_000_000_123_000;

/// Time stands still unless a test moves it: a busy machine fails nothing.
fn stopped() -> Monotonic {
    Monotonic::from_fn(|| Duration::ZERO)
}

fn sandbox() -> Arc<Sandbox> {
    Sandbox::new(Limits::default(), stopped())
}

fn published(text: &str) -> Published {
    let text = text.to_owned();
    Published { name: "ad".into(), version: 7, language: Language::JavaScript, text, includes: Vec::new() }
}

fn load_in(sandbox: Arc<Sandbox>, text: &str) -> Result<JavascriptMapping, Failure> {
    JavascriptMapping::load(&published(text), sandbox)
}

/// Over the stored JSON, as provisioning calls it.
fn map(mapping: &JavascriptMapping, payload: Value) -> Mapped {
    mapping.map(&Input { payload: &object(payload), stored: None, now: NOW, seed: [0; 32] })
}

fn load(text: &str) -> JavascriptMapping {
    load_in(sandbox(), text).unwrap_or_else(|failure| panic!("{failure}"))
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("an object") };
    object
}

fn entry(raw: Value) -> Entry {
    Entry::from_json(&object(raw)).unwrap_or_else(|failure| panic!("{failure}"))
}

fn run(text: &str, raw: Value) -> Run {
    load(text).run(&entry(raw), NOW)
}

fn mapped(text: &str, raw: Value) -> Mapped {
    run(text, raw).outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

/// What a mapper with this body gives in the member `it`, where `it` is an expression over `raw_data`.
fn it(expression: &str, raw: Value) -> Value {
    let text = format!("module.exports = function (raw_data) {{ return {{ it: {expression} }}; }};");
    mapped(&text, raw).extras.get("it").cloned().unwrap_or(Value::Null)
}

fn failure(text: &str) -> Failure {
    run(text, json!({"dn": "cn=anna"})).outcome.expect_err("the script fails")
}

fn given<'m>(mapped: &'m Mapped, target: &str) -> &'m Given {
    mapped.given.iter().find(|(rule, _)| &*rule.target == target).map(|(_, given)| given).expect("the target is there")
}
