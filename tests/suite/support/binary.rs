//! The built program in a folder of its own, run as a person would run it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A working directory with nothing in it at first.
pub struct Sandbox {
    folder: TempDir,
}

/// What one run answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The JSON on stdout of a run that succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// For a step of the setting whose answer doesn't matter.
    pub fn succeeded(&self) {
        assert_eq!(self.code, 0, "{self:?}");
    }

    /// What went wrong, of a run that was refused.
    pub fn refusal(&self) -> &str {
        assert_eq!(self.code, 1, "{self:?}");
        &self.err
    }
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// One that `rosterd bootstrap` was run in; what that printed.
    pub fn bootstrapped() -> (Self, Value) {
        let sandbox = Self::new();
        let made = sandbox.run("bootstrap --json").json();
        (sandbox, made)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Of the SQLite database that a program without settings makes here.
    pub fn database_url(&self) -> String {
        format!("sqlite://{}", self.path().join("rosterd.db").display())
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    /// Runs `rosterd` with the words of `line`.
    pub fn run(&self, line: &str) -> Answer {
        self.run_with(line, &[])
    }

    /// The same with more environment.
    pub fn run_with(&self, line: &str, environment: &[(&str, &str)]) -> Answer {
        let output = self.command(line, environment).output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `rosterd` with `input` on its standard input.
    pub fn run_fed(&self, line: &str, input: &[u8]) -> Answer {
        let mut command = self.command(line, &[]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // A program that refuses its input closes it early; what it says is the answer.
        let _refused = child.stdin.take().expect("piped").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `rosterd` with nobody who reads what it prints; what it says of that on standard error.
    pub fn run_unread(&self, line: &str) -> String {
        let mut child =
            self.command(line, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Starts `rosterd serve` on a free port and waits until it listens.
    pub fn serve(&self, line: &str) -> Serving {
        self.serve_with(line, &[])
    }

    /// The same with more environment.
    pub fn serve_with(&self, line: &str, environment: &[(&str, &str)]) -> Serving {
        let line = format!("serve {line}");
        let environment = [environment, &[("ROSTERD__SERVER__LISTEN", "127.0.0.1:0")]].concat();
        let mut command = self.command(&line, &environment);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut printed = Vec::new();
        loop {
            let line = lines.next().expect("a line before the end").expect("text");
            match line.strip_prefix("listening on ") {
                Some(url) => return Serving { child, url: url.to_owned(), printed: printed.join("\n") },
                None => printed.push(line),
            }
        }
    }

    fn command(&self, line: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.current_dir(self.folder.path()).args(line.split_whitespace()).stdin(Stdio::null());
        command.env_clear().envs(environment.iter().copied());
        command
    }
}

/// A running gateway. It is stopped, if need be by force, when this goes.
pub struct Serving {
    child: Child,
    pub url: String,
    /// What it printed before it listened.
    pub printed: String,
}

impl Serving {
    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: the process is our child and was not waited for, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }

    /// Waits for the end and returns the exit code.
    pub fn wait(mut self) -> i32 {
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
