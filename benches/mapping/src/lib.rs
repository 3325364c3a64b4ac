//! The mapping benchmark: one work, several contenders, and how one is asked to do it. What they compute is
//! `mappings/rich.mapping`; `rich.js` is the same for V8. Owns no measuring (`bin/measure.rs`) and no comparison
//! (`compare.py`).
//!
//! A contender is one module here and one line in [`contender`]. The place of the language itself is `ours.rs`: it depends
//! on `../../crates/mapping`, decodes a line into slots, evaluates the compiled `mappings/rich.mapping` and writes JSON.

pub mod ours;
pub mod typed;

/// The names that [`contender`] knows, as `measure --contender` takes them.
pub const NAMES: &[&str] = &["typed", "ours", "traced"];

/// One way to do the mapping. An entry is one JSON object, every value a string or a list of strings; a result is one JSON
/// object in the key order of `rich.mapping`, absent outputs left out.
pub trait Contender {
    /// Decodes the entries once, unmeasured. [`Contender::map`] and [`Contender::map_to_json`] name them by position.
    fn load(&mut self, lines: &'static [&'static [u8]]);

    /// Maps one decoded entry; whole result made, handed to `black_box` and given up.
    fn map(&mut self, index: usize);

    /// Maps one decoded entry and appends the result as JSON text.
    fn map_to_json(&mut self, index: usize, out: &mut Vec<u8>);

    /// From the bytes of one entry to the JSON text of the result. This is what a synchronisation does.
    fn bytes_to_json(&mut self, line: &[u8], out: &mut Vec<u8>);
}

/// The contender of that name.
pub fn contender(name: &str) -> Option<Box<dyn Contender>> {
    match name {
        "typed" => Some(Box::new(typed::Typed::default())),
        "ours" => Some(Box::new(ours::Ours::<false>::default())),
        "traced" => Some(Box::new(ours::Ours::<true>::default())),
        _ => None,
    }
}

/// The entries of an NDJSON file, kept for the life of the process as every contender wants them.
pub fn entries(path: &str) -> std::io::Result<&'static [&'static [u8]]> {
    let text: &'static [u8] = std::fs::read(path)?.leak();
    let lines: Vec<&'static [u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    Ok(lines.leak())
}
