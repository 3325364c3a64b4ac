//! Measures one contender: `measure --contender NAME --input ENTRIES --seconds S [--output FILE]`. Prints one JSON object
//! with entries per CPU second for the three measures; `--output` gets all results once, as NDJSON.

use mapping_bench::{Contender, NAMES, contender, entries};
use std::hint::black_box;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("measure: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (mut name, mut input, mut output, mut seconds) = (String::from("typed"), None, None, 2.0);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--contender" => name = value,
            "--input" => input = Some(value),
            "--output" => output = Some(value),
            "--seconds" => seconds = value.parse().map_err(|_| format!("--seconds: `{value}` is no number"))?,
            _ => return Err(format!("unknown option {option}")),
        }
    }
    let mut subject = contender(&name).ok_or_else(|| format!("--contender: `{name}` is none of {}", NAMES.join(", ")))?;
    let input = input.ok_or("--input is missing")?;
    let lines = entries(&input).map_err(|error| format!("{input}: {error}"))?;
    if lines.is_empty() {
        return Err(format!("{input}: no entry"));
    }
    subject.load(lines);

    let mut text = Vec::with_capacity(1 << 16);
    if let Some(path) = output {
        write_results(&mut *subject, lines, &path)?;
    }
    let map = measure(seconds, lines.len(), || (0..lines.len()).for_each(|index| subject.map(index)));
    let map_json = measure(seconds, lines.len(), || {
        for index in 0..lines.len() {
            text.clear();
            subject.map_to_json(index, &mut text);
            black_box(&text);
        }
    });
    let bytes_json = measure(seconds, lines.len(), || {
        for line in lines {
            text.clear();
            subject.bytes_to_json(line, &mut text);
            black_box(&text);
        }
    });
    println!("{}", serde_json::json!({ "contender": name, "map": map, "map_json": map_json, "bytes_json": bytes_json }));
    Ok(())
}

/// All results by both ways to JSON; that they differ is an error.
fn write_results(subject: &mut dyn Contender, lines: &[&[u8]], path: &str) -> Result<(), String> {
    let (mut all, mut again) = (Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate() {
        let start = all.len();
        subject.bytes_to_json(line, &mut all);
        again.clear();
        subject.map_to_json(index, &mut again);
        if all[start..] != again[..] {
            return Err(format!("entry {index}: from bytes and from the decoded entry come different results"));
        }
        all.push(b'\n');
    }
    std::fs::write(path, all).map_err(|error| format!("{path}: {error}"))
}

/// Entries per second of CPU time, after a third of the time as a warm-up.
fn measure(seconds: f64, entries: usize, mut pass: impl FnMut()) -> f64 {
    let start = cpu_seconds();
    while cpu_seconds() - start < seconds / 3.0 {
        pass();
    }
    let start = cpu_seconds();
    let mut passes = 0.0;
    loop {
        pass();
        passes += 1.0;
        let used = cpu_seconds() - start;
        if used >= seconds {
            return passes * entries as f64 / used;
        }
    }
}

/// User and system time of this process.
#[expect(unsafe_code, reason = "the standard library has no CPU clock")]
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours that outlives the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0, "Linux always has this clock");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
