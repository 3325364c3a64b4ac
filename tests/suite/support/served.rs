//! A program of somebody else's that answers HTTP on loopback for one test. It stops when this is dropped or the test program
//! ends in whatever way: the shell around it waits on a pipe that only we hold. What it printed is shown when a test that holds
//! it fails, and kept under `target/test`.

use serde_json::Value;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Identity providers are another site than the gateway, which is on 127.0.0.1: a browser keeps the two apart by host.
pub const HOST: &str = "127.0.0.2";
const PATIENCE: Duration = Duration::from_secs(30);
const SHOWN_LINES: usize = 80;

pub struct Served {
    name: &'static str,
    shell: Child,
    pipe: Option<ChildStdin>,
    logs: Vec<PathBuf>,
}

impl Served {
    /// `command` with more environment, once it takes connections at `address`. Its output goes to `folder/log`.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start(
        name: &'static str,
        folder: &Path,
        command: &[impl AsRef<OsStr>],
        environment: &[(&str, &OsStr)],
        address: SocketAddr,
    ) -> Self {
        let log = folder.join("log");
        let mut shell = Command::new("sh")
            .args(["-c", "log=$1; shift; \"$@\" >\"$log\" 2>&1 & pid=$!; read -r order; kill $pid; wait $pid", "sh"])
            .arg(&log)
            .args(command)
            .envs(environment.iter().copied())
            // A helper of the developer's own must not stand between loopback and loopback.
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = shell.stdin.take();
        let served = Self { name, shell, pipe, logs: vec![log] };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            assert!(Instant::now() < deadline, "{name} did not start at {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Another file that says what it did.
    pub fn logging_to(mut self, file: PathBuf) -> Self {
        self.logs.push(file);
        self
    }

    fn printed(&self) -> String {
        let read = |file: &PathBuf| format!("==> {}\n{}", file.display(), std::fs::read_to_string(file).unwrap_or_default());
        self.logs.iter().map(read).collect()
    }

    /// Shows the end of what it said and keeps all of it.
    fn tell(&self) {
        let printed = self.printed();
        let lines: Vec<&str> = printed.lines().collect();
        let kept = target().join("test");
        let file = kept.join(format!("{}-{}.log", self.name, self.shell.id()));
        let is_kept = std::fs::create_dir_all(&kept).and_then(|()| std::fs::write(&file, &printed)).is_ok();
        let whole = if is_kept { file.display().to_string() } else { String::from("not kept") };
        let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        eprintln!("--- {} printed (the whole: {whole}) ---\n{shown}", self.name);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ended = self.shell.wait();
        if std::thread::panicking() {
            self.tell();
        }
    }
}

/// Where the build puts things.
pub fn target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"))
}

/// A port of [`HOST`], free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((HOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], port))
}

/// A program of this repository under `tests/idp`.
pub fn program(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp").join(path)
}

/// A key of 2,048 bits that is its own authority, as identity providers have them: `NAME.key` and `NAME.pem`.
pub fn key_pair(folder: &Path, name: &str) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", &format!("/CN={name}.example.org")])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .output()
        .expect("openssl: apt-get install openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a test wants of a program that reads `idp.json` anew with each request.
pub struct Settings {
    folder: PathBuf,
    now: Mutex<Value>,
}

impl Settings {
    pub fn new(folder: &Path, settings: Value) -> Self {
        let made = Self { folder: folder.to_owned(), now: Mutex::new(settings) };
        made.change(None, Value::Object(serde_json::Map::new()));
        made
    }

    /// Replaces these members, of a section or of the whole.
    pub fn change(&self, section: Option<&str>, changes: Value) {
        let mut now = self.now.lock().expect("no test panics while it holds this");
        let Value::Object(changes) = changes else { panic!("no object: {changes}") };
        let part = match section {
            Some(section) => &mut now[section],
            None => &mut *now,
        };
        part.as_object_mut().expect("an object").extend(changes);
        // Whole or not at all: it may be read at any time.
        let next = self.folder.join("idp.json.next");
        let written = std::fs::write(&next, now.to_string());
        written.and_then(|()| std::fs::rename(&next, self.folder.join("idp.json"))).expect("written");
    }
}
