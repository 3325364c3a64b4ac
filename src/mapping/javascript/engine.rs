//! One run of a script in QuickJS: a fresh context, the prelude, the module, the call. Lives on the thread of a
//! [`Sandbox`](super::sandbox::Sandbox); knows JavaScript and its limits, not what a profile is.
//!
//! Nothing of the host can be called from a script: the prelude is JavaScript, input and output are texts.

use super::failure::{Failure, Position};
use super::{FILE, Limits};
use crate::clock::{Micros, Monotonic};
use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::{Context, Ctx, Exception, Function, Object, Runtime, Value};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const PRELUDE: &str = include_str!("prelude.js");
const DATE: &str = include_str!("date.js");
const BUFFER: &str = include_str!("buffer.js");

/// What stands before the script, on its first line, as CommonJS has it. No `require`.
const BEFORE: &str = "(function (exports, module) {";

/// More time to read the console of a script that ran out of it.
const AFTERMATH: Duration = Duration::from_millis(5);

/// No Proxy (a mapper's input and output are plain), no WeakRef (shows the collector at work), no Performance (a clock).
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// A script in the form that is evaluated.
#[derive(Debug)]
pub(super) struct Script(String);

impl Script {
    /// A byte order mark is skipped, as Node does.
    pub(super) fn new(text: &str, limits: &Limits) -> Result<Self, Failure> {
        if text.len() > limits.script_bytes_max {
            return Err(Failure::TooLong { bytes: text.len(), bytes_max: limits.script_bytes_max });
        }
        if text.contains('\0') {
            return Err(Failure::NotText);
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self(format!("{BEFORE}{text}\n}})")))
    }
}

/// What a run gave: the profile as JSON text (empty after loading alone), and what the script wrote on its console.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outcome: Result<String, Failure>,
    pub(super) trace: String,
}

/// A QuickJS runtime with its limits.
pub(super) struct Engine {
    limits: Limits,
    monotonic: Monotonic,
    deadline: Rc<Cell<Duration>>,
    /// None at first and after a failure: what a script did to the heap it filled is not looked into.
    runtime: Option<Runtime>,
}

impl Engine {
    pub(super) fn new(limits: Limits, monotonic: Monotonic) -> Self {
        Self { limits, monotonic, deadline: Rc::default(), runtime: None }
    }

    /// Runs the module and, with an input, calls what it exports.
    pub(super) fn run(&mut self, script: &Script, input: Option<&str>, now: Micros) -> Ran {
        let ran = self
            .attempt(script, input, now)
            .unwrap_or_else(|error| Ran { outcome: Err(Failure::Engine { reason: error.to_string() }), trace: String::new() });
        match &self.runtime {
            // The context is gone; its cycles go too, so that every entry has the whole memory.
            Some(runtime) if ran.outcome.is_ok() => runtime.run_gc(),
            _ => self.runtime = None,
        }
        ran
    }

    fn attempt(&mut self, script: &Script, input: Option<&str>, now: Micros) -> rquickjs::Result<Ran> {
        self.allow(Duration::MAX);
        let context = Context::custom::<Intrinsics>(self.runtime()?)?;
        context.with(|ctx| {
            // Date counts in whole milliseconds.
            let prelude: Function = evaluate(&ctx, PRELUDE, "prelude.js")?;
            let kit: Object = prelude.call((now.div_euclid(1_000) as f64, DATE, BUFFER))?;
            self.allow(self.limits.time);
            let outcome = self.outcome(&ctx, &kit, script, input);
            self.allow(AFTERMATH);
            let trace = kit.get::<_, Function>("trace").and_then(|trace| trace.call(()));
            // A script out of memory may leave too little to read its console.
            Ok(Ran { outcome, trace: trace.unwrap_or_default() })
        })
    }

    fn outcome<'js>(&self, ctx: &Ctx<'js>, kit: &Object<'js>, script: &Script, input: Option<&str>) -> Result<String, Failure> {
        let caught = |error| self.failure(ctx, &error);
        let body: Value = evaluate(ctx, &script.0, FILE).map_err(caught)?;
        // A long script takes a while to read; that is bounded by its length and not held against the entry.
        self.allow(self.limits.time);
        let load: Function = kit.get("load").map_err(caught)?;
        let loaded: Vec<String> = load.call((rquickjs::prelude::This(kit.clone()), body)).map_err(caught)?;
        match &parts(&loaded)[..] {
            ["mapper", _] => {}
            ["no mapper", kind] => return Err(Failure::NoMapper { kind: (*kind).to_owned() }),
            other => return Err(self.said(other)),
        }
        let Some(input) = input else { return Ok(String::new()) };
        let call: Function = kit.get("call").map_err(caught)?;
        call.call::<_, ()>((rquickjs::prelude::This(kit.clone()), input)).map_err(caught)?;
        let answer: Function = kit.get("answer").map_err(caught)?;
        loop {
            let answer: Option<Vec<String>> = answer.call(()).map_err(caught)?;
            match answer.as_deref().map(parts).as_deref() {
                Some(["profile", json]) => return Ok((*json).to_owned()),
                Some(["no profile", kind]) => return Err(Failure::NoProfile { kind: (*kind).to_owned() }),
                Some(other) => return Err(self.said(other)),
                // Perhaps its callback waits behind a promise.
                None if self.is_over() => return Err(self.too_long(Position::default())),
                None if !ctx.execute_pending_job() => return Err(Failure::NoAnswer),
                None => {}
            }
        }
    }

    /// The runtime, made when there is none.
    fn runtime(&mut self) -> rquickjs::Result<&Runtime> {
        if self.runtime.is_none() {
            let runtime = Runtime::new()?;
            runtime.set_memory_limit(self.limits.memory_bytes_max);
            runtime.set_max_stack_size(self.limits.stack_bytes_max);
            let (deadline, monotonic) = (Rc::clone(&self.deadline), self.monotonic.clone());
            runtime.set_interrupt_handler(Some(Box::new(move || monotonic.elapsed() >= deadline.get())));
            self.runtime = Some(runtime);
        }
        Ok(self.runtime.as_ref().expect("made above"))
    }

    fn allow(&self, time: Duration) {
        self.deadline.set(self.monotonic.elapsed().saturating_add(time));
    }

    fn is_over(&self) -> bool {
        self.monotonic.elapsed() >= self.deadline.get()
    }

    fn too_long(&self, at: Position) -> Failure {
        Failure::Time { ms: self.limits.time.as_millis(), at }
    }

    /// An error that left JavaScript: a syntax error, or one that no `catch` catches.
    fn failure(&self, ctx: &Ctx<'_>, error: &rquickjs::Error) -> Failure {
        if !error.is_exception() {
            return Failure::Engine { reason: error.to_string() };
        }
        let over = self.is_over();
        self.allow(AFTERMATH);
        let value = ctx.catch();
        // QuickJS throws null when there is no memory left for the error either.
        let other = if value.is_null() { "out of memory" } else { "an object that is no Error" };
        let (message, stack) = match value.into_object().and_then(Exception::from_object) {
            Some(exception) => (exception.message().unwrap_or_default(), exception.stack().unwrap_or_default()),
            None => (other.to_owned(), String::new()),
        };
        match message.as_str() {
            "interrupted" if over => self.too_long(position(&stack)),
            _ => self.thrown(&message, &stack),
        }
    }

    /// What the prelude caught.
    fn said(&self, answer: &[&str]) -> Failure {
        match answer {
            ["thrown", message, stack] => self.thrown(message, stack),
            other => Failure::Engine { reason: format!("the prelude answered {other:?}") },
        }
    }

    fn thrown(&self, message: &str, stack: &str) -> Failure {
        let at = position(stack);
        match message {
            "out of memory" => Failure::Memory { bytes_max: self.limits.memory_bytes_max, at },
            "Maximum call stack size exceeded" => Failure::Stack { bytes_max: self.limits.stack_bytes_max, at },
            _ => Failure::Thrown { message: message.chars().take(self.limits.message_chars_max).collect(), at },
        }
    }
}

fn parts(answer: &[String]) -> Vec<&str> {
    answer.iter().map(String::as_str).collect()
}

/// Sloppy mode for the script, as CommonJS has it; the prelude asks for strict mode itself.
fn evaluate<'js, V: rquickjs::FromJs<'js>>(ctx: &Ctx<'js>, text: &str, file: &str) -> rquickjs::Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file.to_owned());
    ctx.eval_with_options(text, options)
}

/// The innermost frame in the script: `    at f (profileMapper.js:3:14)`.
fn position(stack: &str) -> Position {
    let numbers = stack.split(FILE).skip(1).find_map(|rest| {
        let (line, rest) = rest.strip_prefix(':')?.split_once(':')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some((line.parse::<u32>().ok()?, rest[..digits].parse::<u32>().ok()?))
    });
    let before = u32::try_from(BEFORE.len()).unwrap_or_default();
    Position(numbers.map(|(line, column)| (line, if line == 1 { column.saturating_sub(before).max(1) } else { column })))
}
