//! How far a long run is, on one line of stderr; nothing where that is no terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);
/// Entries between two looks at the clock.
const STRIDE: u64 = 64;
const WIDTH: usize = 30;

pub struct Progress {
    shown: bool,
    started: Instant,
    next: Instant,
}

impl Progress {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { shown: std::io::stderr().is_terminal(), started: now, next: now + EVERY }
    }

    /// Says that `entries` are done, and `read` of `size` bytes.
    pub fn at(&mut self, entries: u64, read: u64, size: Option<u64>) {
        if entries.is_multiple_of(STRIDE) {
            self.show(entries, read, size);
        }
    }

    fn show(&mut self, entries: u64, read: u64, size: Option<u64>) {
        if !self.shown {
            return;
        }
        let now = Instant::now();
        if now >= self.next {
            self.next = now + EVERY;
            let seconds = now.duration_since(self.started).as_secs().max(1);
            let bar = size.map(|size| bar(read, size)).unwrap_or_default();
            // A terminal that is gone is no reason to stop.
            let _gone = write!(std::io::stderr(), "\r\x1b[K{bar}{entries} entries, {} a second", entries / seconds);
        }
    }
}

impl Progress {
    /// Says how far a run over a directory is.
    pub fn of_a_sync(&mut self, step: crate::sync::run::Progress) {
        match step {
            crate::sync::run::Progress::Surveyed(entries) => self.show(entries, 0, None),
            crate::sync::run::Progress::Written(entries, all) => self.show(entries, entries, Some(all)),
        }
    }

    /// Says that `done` of about `all` people are done.
    pub fn of_people(&mut self, done: u64, all: u64) {
        self.show(done, done.min(all), Some(all));
    }

    /// Leaves no trace from here on.
    pub fn end(&mut self) {
        if self.shown {
            let _gone = write!(std::io::stderr(), "\r\x1b[K");
        }
        self.shown = false;
    }
}

/// Leaves no trace.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _gone = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(read: u64, size: u64) -> String {
    let percent = usize::try_from(read.min(size) * 100 / size.max(1)).unwrap_or(100);
    let full = percent * WIDTH / 100;
    format!("[{}{}] {percent:3} %  ", "#".repeat(full), " ".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        assert_eq!(bar(0, 0), format!("[{}]   0 %  ", " ".repeat(30)));
        assert_eq!(bar(50, 100), format!("[{}{}]  50 %  ", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(900, 100), format!("[{}] 100 %  ", "#".repeat(30)));
    }
}
