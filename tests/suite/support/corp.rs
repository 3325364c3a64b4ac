//! The program with a connection `corp` to a directory of the test's own, and what a run left in its database.

use super::binary::{Answer, Sandbox};
use super::postgres::cluster;
use super::rows::Database;
use super::samba::{Ou, domain_controller};
use super::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Map, Value};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Corp {
    pub sandbox: Sandbox,
    pub database: String,
}

impl Corp {
    async fn bootstrapped(postgres: bool) -> Self {
        let sandbox = Sandbox::new();
        let database = match postgres {
            true => cluster().fresh_database().await,
            false => format!("sqlite://{}", sandbox.path().join("rosterd.db").display()),
        };
        let corp = Self { sandbox, database };
        corp.run("bootstrap").succeeded();
        corp
    }

    /// On SQLite or PostgreSQL; `more` = further options of the connection.
    pub async fn start(postgres: bool, slapd: &Slapd, more: &str) -> Self {
        let corp = Self::bootstrapped(postgres).await;
        corp.run(&format!(
            "connection create corp --kind ldap --set server=openldap --set url={} --set ca_file={} --set bind_dn={SYNC} \
             --set user_base=ou=people,{SUFFIX} {}{} --secret bind_password=env:PASSWORD {more}",
            slapd.ldaps(),
            slapd.ca().display(),
            // Several pages even of a few people.
            if more.contains("page_size") { "" } else { "--set page_size=3" },
            whole(more),
        ))
        .succeeded();
        corp
    }

    /// The same beside a directory that says what a test wants, on these ports in turn.
    pub async fn scripted(postgres: bool, ports: &[u16], more: &str) -> Self {
        let corp = Self::bootstrapped(postgres).await;
        let urls: String = ports.iter().map(|port| format!("--set url=ldap://127.0.0.1:{port} ")).collect();
        corp.run(&format!(
            "connection create corp --kind ldap {urls} --set allow_plaintext=true --set bind_dn={SYNC} \
             --set user_base=ou=people,{SUFFIX} --secret bind_password=env:PASSWORD{} {more}",
            whole(more)
        ))
        .succeeded();
        corp
    }

    /// The same beside the Active Directory of all tests, whose people and groups in `ou` are the whole of it.
    pub async fn in_domain(postgres: bool, ou: &Ou, more: &str) -> Self {
        let corp = Self::bootstrapped(postgres).await;
        corp.run(&format!(
            "connection create corp --kind ldap --set server=ad --set ca_file={} --set bind_dn={} --set user_base={base} \
             --set group_base={base} {} {}{} --secret bind_password=env:PASSWORD {more}",
            domain_controller().ca().display(),
            super::samba::SYNC,
            if more.contains("url=") { String::new() } else { format!("--set url={}", domain_controller().ldaps()) },
            if more.contains("page_size") { "" } else { "--set page_size=2" },
            whole(more),
            base = ou.dn,
        ))
        .succeeded();
        corp
    }

    /// With the groups of the directory as well.
    pub async fn with_groups(postgres: bool, slapd: &Slapd, more: &str) -> Self {
        Self::start(postgres, slapd, &format!("--set group_base=ou=groups,{SUFFIX} {more}")).await
    }

    /// Another on a copy of its database, with its mappings. Nobody may have that open.
    pub async fn copied(&self) -> Self {
        let sandbox = Sandbox::new();
        let mappings = self.sandbox.path().join("mappings");
        if mappings.is_dir() {
            std::fs::create_dir(sandbox.path().join("mappings")).expect("a folder");
            for file in std::fs::read_dir(mappings).expect("a folder").map(|file| file.expect("a file")) {
                std::fs::copy(file.path(), sandbox.path().join("mappings").join(file.file_name())).expect("copied");
            }
        }
        let database = match self.database.strip_prefix("sqlite://") {
            Some(file) => {
                let copy = sandbox.path().join("rosterd.db");
                std::fs::copy(file, &copy).expect("copied");
                // A program that ends without waiting leaves what it wrote last beside it.
                let last = format!("{file}-wal");
                if Path::new(&last).exists() {
                    std::fs::copy(&last, sandbox.path().join("rosterd.db-wal")).expect("copied");
                }
                format!("sqlite://{}", copy.display())
            }
            None => cluster().copied_database(&self.database).await,
        };
        Self { sandbox, database }
    }

    /// As if whoever runs were silent for longer than a lease lasts.
    pub async fn lease_runs_out(&self) {
        Database::change(&self.database, "UPDATE leases SET expires_at = 1 WHERE name LIKE 'sync:%'").await;
    }

    fn environment(&self) -> [(&str, &str); 3] {
        let key = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
        [("ROSTERD__DATABASE__URL", self.database.as_str()), ("ROSTERD__SECRETS__KEY", key), ("PASSWORD", PASSWORD)]
    }

    pub fn run(&self, line: &str) -> Answer {
        self.sandbox.run_with(line, &self.environment())
    }

    /// A gateway on the same database.
    pub fn serve(&self) -> super::binary::Serving {
        self.sandbox.serve_with("", &self.environment())
    }

    /// `rosterd sync corp` in the background.
    pub fn spawn_sync(&self) -> Child {
        self.spawn_sync_with(&[])
    }

    /// The same with more environment.
    pub fn spawn_sync_with(&self, environment: &[(&str, String)]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_rosterd"))
            .args(["sync", "corp", "--json"])
            .current_dir(self.sandbox.path())
            .env_clear()
            .envs(self.environment())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// A run that ends with `code`: its report.
    pub fn sync_ends(&self, code: i32, more: &str) -> Value {
        let answer = self.run(&format!("sync corp --json {more}"));
        assert_eq!(answer.code, code, "{answer:?}");
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// A run that is done: what became of people.
    pub fn sync(&self) -> Value {
        self.sync_ends(0, "")["summary"]["people"].clone()
    }

    pub fn set(&self, options: &str) {
        let options: Vec<String> = options.split_whitespace().map(|option| format!("--set {option}")).collect();
        self.run(&format!("connection update corp {}", options.join(" "))).succeeded();
    }

    pub fn mapping(&self, text: &str) {
        let folder = self.sandbox.path().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("own.mapping"), text).expect("written");
    }

    pub async fn rows(&self, sql: &str) -> Vec<Map<String, Value>> {
        Database::open(&self.database).await.rows(sql).await
    }

    /// The rows of a query with one column, as one list.
    pub async fn list(&self, sql: &str) -> Vec<Value> {
        self.rows(sql).await.into_iter().map(|row| row.into_iter().next().expect("a column").1).collect()
    }

    /// The names of the members of a group, sorted.
    pub async fn members(&self, group: &str) -> Vec<Value> {
        let sql = format!(
            "SELECT coalesce(i.user_name, n.name) AS n FROM groups g JOIN members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id \
             LEFT JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = m.member_id \
             LEFT JOIN groups n ON n.tenant_id = g.tenant_id AND n.id = m.member_id WHERE g.name = '{group}' AND g.listed ORDER BY 1"
        );
        self.list(&sql).await
    }

    pub async fn count(&self, what: &str) -> i64 {
        let rows = self.list(&format!("SELECT count(*) AS n FROM {what}")).await;
        rows[0].as_i64().expect("a number")
    }

    /// Everything that a run may leave of people, in numbers: equal before and after a run that found nothing new.
    pub async fn footprint(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for table in [
            "identities",
            "users",
            "groups",
            "members",
            "blocks",
            "history",
            "log WHERE kind LIKE 'sync.%' OR kind = 'conflict.opened'",
            "outbox",
            "conflicts WHERE kind <> 'held_run'",
            "unresolved_members",
        ] {
            all.push(self.count(table).await.into());
        }
        for sum in [
            "SELECT CAST(coalesce(sum(version), 0) AS BIGINT) AS n FROM identities",
            "SELECT CAST(coalesce(sum(version), 0) AS BIGINT) AS n FROM users",
            "SELECT CAST(coalesce(sum(version), 0) AS BIGINT) AS n FROM groups",
            "SELECT CAST(coalesce(sum(occurrences), 0) AS BIGINT) AS n FROM conflicts WHERE kind <> 'held_run'",
            "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) AS n FROM counters",
        ] {
            all.extend(self.list(sum).await);
        }
        all
    }

    /// Of the person with this login name: external id, state, whether listed, DN, the profile's document and `blocked`.
    pub async fn person(&self, uid: &str) -> Map<String, Value> {
        let sql = format!(
            "SELECT i.id, i.external_id, i.state, i.listed, i.raw, i.missing_runs, u.user_id, u.doc, u.blocked, u.id AS profile \
             FROM identities i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id \
             WHERE i.user_name = '{uid}' ORDER BY i.created_at, i.id"
        );
        let mut rows = self.rows(&sql).await;
        assert!(!rows.is_empty(), "nobody is called {uid}");
        rows.pop().expect("somebody")
    }

    /// Without the rows that tell of held runs.
    pub async fn inbox(&self) -> Vec<Map<String, Value>> {
        self.rows(
            "SELECT kind, state, subject, detail, occurrences FROM conflicts WHERE kind <> 'held_run' ORDER BY kind, subject",
        )
        .await
    }
}

/// A test that says nothing of deltas has runs that read everything.
fn whole(more: &str) -> &'static str {
    if more.contains("delta=") { "" } else { " --set delta=off" }
}

/// On SQLite, then on PostgreSQL.
pub async fn on_both(body: impl AsyncFn(bool)) {
    for postgres in [false, true] {
        body(postgres).await;
    }
}
