//! Counts the heap allocations of one contender: `allocs --contender NAME --input ENTRIES`. Prints one JSON object with
//! allocations per entry, warm. A program of its own, so that the measured one is not slowed by counting.

use mapping_bench::{NAMES, contender, entries};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--contender", name, "--input", input] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        eprintln!("usage: allocs --contender {} --input ENTRIES", NAMES.join("|"));
        return ExitCode::FAILURE;
    };
    let (Some(mut subject), Ok(lines)) = (contender(name), entries(input)) else {
        eprintln!("allocs: no contender `{name}` or no file {input}");
        return ExitCode::FAILURE;
    };
    subject.load(lines);
    let mut text = Vec::with_capacity(1 << 16);
    let mut per_entry = |pass: &mut dyn FnMut(usize, &mut Vec<u8>)| {
        let mut all = || {
            for index in 0..lines.len() {
                text.clear();
                pass(index, &mut text);
            }
        };
        // The first round fills what is reused.
        all();
        let before = COUNT.load(Ordering::Relaxed);
        all();
        (COUNT.load(Ordering::Relaxed) - before) as f64 / lines.len() as f64
    };
    let map = per_entry(&mut |index, _| subject.map(index));
    let map_json = per_entry(&mut |index, out| subject.map_to_json(index, out));
    let bytes_json = per_entry(&mut |index, out| subject.bytes_to_json(lines[index], out));
    println!("{}", serde_json::json!({ "contender": name, "map": map, "map_json": map_json, "bytes_json": bytes_json }));
    ExitCode::SUCCESS
}
