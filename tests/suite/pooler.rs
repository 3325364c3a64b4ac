//! PostgreSQL behind a pooler in transaction mode: PgBouncer of Debian 12 (1.18), which knows no prepared statements.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::caller::{Caller, user};
use crate::support::gateway::Gateway;
use crate::support::postgres;

/// Fewer server connections than clients, so that transactions really change places.
const SERVER_CONNECTIONS: u32 = 3;

/// A PgBouncer in front of the shared server; it ends with the pipe that only we hold.
struct Pooler {
    port: u16,
    shell: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    async fn start() -> Self {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let program = program.unwrap_or_else(|| panic!("PgBouncer is missing: apt-get install pgbouncer"));
        let folder = tempfile::Builder::new().prefix("rosterd-pooler-").tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let path = folder.path().display();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = trust\nauth_file = {path}/users\nunix_socket_dir =\npool_mode = transaction\n\
             default_pool_size = {SERVER_CONNECTIONS}\nmax_client_conn = 200\nignore_startup_parameters = extra_float_digits\n\
             logfile = {path}/log\n",
            postgres::cluster().port
        );
        std::fs::write(folder.path().join("ini"), settings).expect("a settings file");
        std::fs::write(folder.path().join("users"), "\"postgres\" \"\"\n").expect("a user list");
        if postgres::is_root() {
            let owned = Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status();
            assert!(owned.is_ok_and(|status| status.success()), "the folder can't be given to postgres");
        }
        let script = format!("'{program}' -q '{path}/ini' & pid=$!; read -r order; kill -INT $pid; wait $pid");
        let shell = postgres::as_postgres(Path::new("sh"), folder.path())
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("runuser");
        let pooler = Self { port, shell, _folder: folder };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return pooler;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PgBouncer did not come up: {}", std::fs::read_to_string(pooler._folder.path().join("log")).unwrap_or_default());
    }

    /// The same database, by way of the pooler.
    fn url(&self, direct: &str) -> String {
        direct.replace(&format!(":{}/", postgres::cluster().port), &format!(":{}/", self.port))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"end\n");
        }
        let _ = self.shell.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_without_prepared_statements_serves() {
    let pooler = Pooler::start().await;
    let direct = postgres::cluster().fresh_database().await;
    let through = pooler.url(&direct);
    assert_ne!(direct, through, "the pooler is really in between");
    let gateway = Gateway::start_at(through, &[("database.statement_cache", "false")]);
    let callers: Vec<Caller> = (0..12).map(|_| Caller::new(&gateway)).collect();
    let tasks: Vec<_> = callers
        .into_iter()
        .enumerate()
        .map(|(client, caller)| {
            tokio::spawn(async move {
                for turn in 0..8 {
                    let id = caller.create("Users", &user(&format!("p{client}-{turn}"))).await;
                    let inactive = json!([{"op": "replace", "path": "active", "value": false}]);
                    assert_eq!(caller.patch(&format!("/Users/{id}"), inactive).await.status, 200);
                    assert_eq!(caller.get(&format!("/Users/{id}")).await.json()["active"], false);
                    let found = caller.find("Users", &format!("userName eq \"P{client}-{turn}\"")).await.json();
                    assert_eq!(found["totalResults"], 1);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("every request is answered as without a pooler");
    }
    assert_eq!(Caller::new(&gateway).get("/Users?count=0").await.json()["totalResults"], 12 * 8);
}
