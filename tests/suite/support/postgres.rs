//! A real PostgreSQL for the tests: own folder, own loopback port, shared by one run of the test program.

#[expect(clippy::disallowed_types, reason = "CREATE and DROP DATABASE take no arguments; the name is ours")]
use sqlx::AssertSqlSafe;
use sqlx::{ConnectOptions, Connection};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether a commit waits for the disk. Tests that kill the server need it; the rest is quicker without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    On,
    Off,
}

/// A running server. It stops, and its folder goes, when this is dropped or the test program ends in whatever way:
/// the shell around it reads its orders from a pipe that only we hold, and ends with it.
pub struct Cluster {
    pub port: u16,
    pub folder: PathBuf,
    databases: AtomicU32,
    pipe: Option<ChildStdin>,
    shell: Child,
}

/// The server that all tests of this run share.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(Fsync::On))
}

impl Cluster {
    /// # Panics
    /// If the server's programs are not installed, or it does not come up within a minute.
    pub fn start(fsync: Fsync) -> Self {
        let bin = bin_folder();
        let folder = tempfile::Builder::new().prefix("rosterd-postgres-").tempdir().expect("a temporary folder").keep();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        // ICU's order differs from the order of bytes, so a column that lost its COLLATE "C" is noticed.
        run(as_postgres(&bin.join("initdb"), &folder)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"])
            .args(["--locale-provider=icu", "--icu-locale=en-US", "-D"])
            .arg(folder.join("data")));
        let port = free_port();
        let settings = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port.to_string()),
            ("unix_socket_directories", &folder.display().to_string()),
            ("max_connections", "200"),
            ("fsync", if fsync == Fsync::On { "on" } else { "off" }),
        ];
        let options = settings.iter().fold(String::new(), |mut options, (name, value)| {
            let _ = write!(options, " -c {name}={value}");
            options
        });
        // At the end QUIT: nobody will read these files again, so no last checkpoint.
        // `kill` takes the server's children along: what is left of them would keep the next one from starting.
        let script = format!(
            "start() {{ '{}' -D '{folder}/data'{options} >>'{folder}/log' 2>&1 & pid=$!; }}
            start
            while read -r order; do case $order in
                stop) kill -INT $pid; wait $pid;;
                kill) kill -KILL $pid $(cat /proc/$pid/task/$pid/children); wait $pid;;
                start) start;;
            esac; done
            kill -QUIT $pid; wait $pid; rm -rf '{folder}'",
            bin.join("postgres").display(),
            folder = folder.display(),
        );
        let mut shell = as_postgres(Path::new("sh"), &folder)
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = shell.stdin.take();
        let cluster = Self { port, folder, databases: AtomicU32::new(0), pipe, shell };
        cluster.wait_until("start", true);
        cluster
    }

    /// Ends the server in order; all connections break.
    pub fn stop(&mut self) {
        self.order("stop");
        self.wait_until("stop", false);
    }

    /// The end without warning, of the server and its backends.
    pub fn kill9(&mut self) {
        self.order("kill");
        self.wait_until("end", false);
    }

    /// Starts it anew on the same folder and port, after [`Self::stop`] or [`Self::kill9`].
    pub fn start_again(&mut self) {
        self.order("start");
        self.wait_until("start again", true);
    }

    fn order(&mut self, order: &str) {
        let pipe = self.pipe.as_mut().expect("the pipe is open until the end");
        writeln!(pipe, "{order}").expect("the shell listens");
    }

    fn wait_until(&self, what: &str, answers: bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let port = self.port.to_string();
        let is_ready = bin_folder().join("pg_isready");
        let ready = || {
            let ask = Command::new(&is_ready).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
            ask.is_ok_and(|status| status.success())
        };
        while ready() != answers {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL did not {what}:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The address of an empty database that nobody else uses.
    pub async fn fresh_database(&self) -> String {
        self.database("").await
    }

    /// The address of a copy of the database at `url`, to which nobody may be connected.
    pub async fn copied_database(&self, url: &str) -> String {
        let (_, name) = url.rsplit_once('/').expect("an address ends in a name");
        self.database(&format!(" TEMPLATE {name}")).await
    }

    /// Away with a database that nobody needs any more, and with whoever is connected to it.
    pub async fn drop_database(&self, url: &str) {
        let (_, name) = url.rsplit_once('/').expect("an address ends in a name");
        self.ordered(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    async fn database(&self, like: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.ordered(&format!("CREATE DATABASE {name}{like}")).await;
        self.url(&name)
    }

    async fn ordered(&self, sql: &str) {
        let mut admin = sqlx::postgres::PgConnectOptions::from_str(&self.url("postgres"))
            .expect("an address")
            .connect()
            .await
            .expect("the test server answers");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut admin).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        admin.close().await.expect("closed");
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

/// The newest installed server's programs.
fn bin_folder() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let number = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.filter(|folder| folder.join("bin/initdb").exists()).max_by_key(number);
    newest.expect("the PostgreSQL server is not installed: apt-get install -y postgresql").join("bin")
}

/// A command as user `postgres` where we are root, whom PostgreSQL and PgBouncer refuse.
pub fn as_postgres(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut runuser = Command::new("runuser");
        runuser.args(["-u", "postgres", "--"]).arg(program);
        runuser
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    command
}

pub fn is_root() -> bool {
    // SAFETY: reads a number of this process.
    unsafe { libc::geteuid() == 0 }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
