//! The released binary as a child process: set up by the command line, spoken to over HTTP, stopped by signal.
//!
//! Every gateway has its own folder (SQLite file, key, working directory), so that nothing of the repository or of
//! another test is read or written. What it printed is kept and shown when a test that holds it fails.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::Value;
use tempfile::TempDir;

use super::postgres;

/// How long a gateway may take to start, and to stop after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of output kept, and how many of them a failing test shows.
const KEPT_LINES: usize = 50_000;
const SHOWN_LINES: usize = 200;

/// Which database is behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// What every gateway on one database has in common.
struct Installation {
    folder: TempDir,
    database_url: String,
    secret_key: String,
    /// Environment variables besides: `ROSTERD__SECTION__KEY` and value.
    settings: Vec<(String, String)>,
    bootstrap: Value,
}

/// A running gateway. Dropping it stops the process.
pub struct Gateway {
    installation: Arc<Installation>,
    process: Option<Process>,
    client: reqwest::Client,
}

/// One answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub took: Duration,
}

impl Answer {
    /// The header as text, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; panics with the body when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in the body of a {}: {}", self.status, self.text))
    }
}

impl Gateway {
    /// A gateway on an empty database, bootstrapped: tenant `default`, connection `scim`.
    pub async fn start(store: Store) -> Self {
        Self::start_with(store, &[]).await
    }

    /// [`Self::start`] with settings: `("server.body_bytes_max", "1024")`.
    pub async fn start_with(store: Store, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database_url = match store {
            Store::Sqlite => format!("sqlite://{}", folder.path().join("rosterd.db").display()),
            Store::Postgres => postgres::cluster().fresh_database().await,
        };
        Self::bootstrapped_on(folder, database_url, settings)
    }

    /// [`Self::start_with`] on an empty database of a server that the test stops and starts.
    pub async fn start_on(cluster: &postgres::Cluster, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::bootstrapped_on(folder, cluster.fresh_database().await, settings)
    }

    /// [`Self::start_with`] on an empty database at this address.
    pub fn start_at(database_url: String, settings: &[(&str, &str)]) -> Self {
        Self::bootstrapped_on(tempfile::tempdir().expect("a temporary folder"), database_url, settings)
    }

    /// A gateway of its own on a copy of a SQLite file; tokens and sealed values of the original stay good.
    pub fn on_copy(file: &Path, like: &Self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = folder.path().join("rosterd.db");
        std::fs::copy(file, &copy).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let original = &like.installation;
        Self::serve(Arc::new(Installation {
            folder,
            database_url: format!("sqlite://{}", copy.display()),
            secret_key: original.secret_key.clone(),
            settings: original.settings.clone(),
            bootstrap: original.bootstrap.clone(),
        }))
    }

    fn bootstrapped_on(folder: TempDir, database_url: String, settings: &[(&str, &str)]) -> Self {
        let secret_key = base64::engine::general_purpose::STANDARD.encode([7u8; 32]);
        let settings = settings
            .iter()
            .map(|(path, value)| (format!("ROSTERD__{}", path.replace('.', "__").to_uppercase()), (*value).to_owned()))
            .collect();
        let mut installation = Installation { folder, database_url, secret_key, settings, bootstrap: Value::Null };
        let printed = succeed("bootstrap", installation.run(&["bootstrap", "--json"]));
        installation.bootstrap = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in: {printed}"));
        Self::serve(Arc::new(installation))
    }

    /// A second gateway on the same database, as a replica would be.
    pub fn beside(other: &Self) -> Self {
        Self::serve(Arc::clone(&other.installation))
    }

    fn serve(installation: Arc<Installation>) -> Self {
        let process = Process::start(installation.command(&["serve"]));
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("an HTTP client");
        Self { installation, process: Some(process), client }
    }

    /// Where it runs: `mappings/` is looked for here.
    pub fn folder(&self) -> &Path {
        self.installation.folder.path()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.process.as_ref().expect("the gateway runs").base_url
    }

    /// The SCIM base address of a connection.
    pub fn scim_url(&self, connection: &str) -> String {
        format!("{}/scim/v2/connections/{connection}", self.base_url())
    }

    /// One field of what `bootstrap --json` printed: `scim_token`, `admin_token`, `connection_id`…
    pub fn bootstrapped(&self, field: &str) -> &str {
        self.installation.bootstrap[field].as_str().unwrap_or_else(|| panic!("bootstrap printed no {field}"))
    }

    /// The SCIM token of the connection `scim`.
    pub fn token(&self) -> &str {
        self.bootstrapped("scim_token")
    }

    pub fn database_url(&self) -> &str {
        &self.installation.database_url
    }

    /// One request to the SCIM endpoint of a connection, with exactly these headers. `path` begins with `/` and is sent as
    /// written; only what a URL cannot hold is percent-encoded.
    pub async fn request(
        &self,
        method: &str,
        connection: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<String>,
    ) -> Answer {
        let url = format!("{}{path}", self.scim_url(connection));
        self.send(method, &url, headers, body).await.unwrap_or_else(|error| panic!("{method} {url}: {error}\n{}", self.output()))
    }

    /// One request to any address of the gateway. Errors are those of the connection, never a status.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<String>,
    ) -> reqwest::Result<Answer> {
        let method = method.parse::<reqwest::Method>().expect("an HTTP method");
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let began = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        Ok(Answer { status, headers, text, took: began.elapsed() })
    }

    /// Runs a subcommand against the same database; whatever it answers.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.installation.run(arguments)
    }

    /// Starts a subcommand that goes on by itself; its output can be read as it comes. The caller ends it.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.installation.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// Runs a subcommand that must succeed; what it printed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        succeed(&arguments.join(" "), self.run(arguments))
    }

    /// Creates a SCIM connection with options and a token for it; the token.
    pub fn connect(&self, connection: &str, options: &[(String, String)]) -> String {
        let settings: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut create = vec!["connection", "create", connection, "--kind", "scim", "--json"];
        for setting in &settings {
            create.extend(["--set", setting]);
        }
        self.cli(&create);
        let printed = self.cli(&["token", "create", "--connection", connection, "--json"]);
        let token: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in: {printed}"));
        token["token"].as_str().unwrap_or_else(|| panic!("no token in: {printed}")).to_owned()
    }

    /// The end without warning: no handler runs, nothing is flushed.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("SIGKILL is delivered");
            process.child.wait().expect("the process is reaped");
        }
    }

    /// Stops the gateway, unless it is dead already, and starts it anew on the same database. The port changes.
    pub fn restart(&mut self) {
        self.process = None;
        self.process = Some(Process::start(self.installation.command(&["serve"])));
    }

    /// Asks the gateway to stop and returns at once.
    pub fn send_sigterm(&self) {
        self.process.as_ref().expect("the gateway runs").send_sigterm();
    }

    /// Waits until the gateway has ended by itself. Its output can still be read.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let process = self.process.as_mut().expect("the gateway was not killed");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.child.try_wait().expect("the process is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway did not stop:\n{}", process.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How long processors worked for the running gateway, in steps of 10 ms: what a limit on time is held against where a
    /// clock would measure who else is on the machine.
    pub fn worked(&self) -> Duration {
        let process = self.process.as_ref().expect("the gateway runs");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).expect("Linux tells of the process");
        // proc(5): utime and stime are the 14th and 15th field; the second is in parentheses and may hold blanks.
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The last lines the running gateway printed.
    pub fn output(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Process::output)
    }

    /// All that the running gateway printed, once a text is there: lines arrive a little after the answers.
    pub async fn printed_with(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let printed = self.everything_printed();
            if printed.contains(text) {
                return printed;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "never printed: {text}\n{printed}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All that the running gateway printed since it started.
    pub fn everything_printed(&self) -> String {
        self.process.as_ref().map_or_else(String::new, |process| process.last_lines(KEPT_LINES))
    }
}

impl Installation {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ROSTERD__DATABASE__URL", &self.database_url)
            .env("ROSTERD__SERVER__LISTEN", "127.0.0.1:0")
            .env("ROSTERD__SECRETS__KEY", &self.secret_key)
            // No load balancer asks here: half a second for every gateway would be a quarter of the suite's time.
            .env("ROSTERD__SERVER__DRAIN_MILLISECONDS", "0")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap_or_else(|error| panic!("{}: {error}", binary().display()))
    }
}

/// `ROSTERD_BIN`, else the release build, else the binary of this profile.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ROSTERD_BIN") {
        return path.into();
    }
    let released = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/release/rosterd");
    if released.is_file() { released } else { PathBuf::from(env!("CARGO_BIN_EXE_rosterd")) }
}

fn succeed(what: &str, output: Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "`rosterd {what}` ended with {}\n{printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// `rosterd serve`, listening.
struct Process {
    child: Child,
    base_url: String,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the gateway starts");
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (address, announced) = mpsc::channel();
        collect(child.stdout.take().expect("stdout is piped"), Arc::clone(&lines), Some(address));
        collect(child.stderr.take().expect("stderr is piped"), Arc::clone(&lines), None);
        let mut process = Self { child, base_url: String::new(), lines };
        match announced.recv_timeout(PATIENCE) {
            Ok(base_url) => process.base_url = base_url,
            Err(_) => panic!("the gateway printed no `listening on`:\n{}", process.output()),
        }
        process
    }

    fn output(&self) -> String {
        self.last_lines(SHOWN_LINES)
    }

    fn last_lines(&self, count: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).map(|line| format!("{line}\n")).collect()
    }

    fn send_sigterm(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SAFETY: kill(2) takes plain numbers; the child is not reaped yet, so the id is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }

    fn terminate(&mut self) {
        // One that was waited for is gone, and its id may be another's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.send_sigterm();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.terminate();
        if std::thread::panicking() {
            eprintln!("--- the gateway printed ---\n{}", self.output());
        }
    }
}

/// Keeps the last lines of a stream; sends the address on when it is announced.
fn collect(stream: impl Read + Send + 'static, lines: Arc<Mutex<VecDeque<String>>>, address: Option<mpsc::Sender<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if let (Some(address), Some((_, url))) = (&address, line.split_once("listening on "))
                && url.starts_with("http://")
            {
                // The receiver is gone when the start timed out; the test has failed then.
                let _ = address.send(url.trim().to_owned());
            }
            let mut lines = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    });
}
