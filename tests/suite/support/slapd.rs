//! A real OpenLDAP for the tests: own folder, own loopback ports (plain with StartTLS, and LDAPS), a certificate authority
//! made for it. Every test has its own; it answers a quarter of a second after its start.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const SUFFIX: &str = "dc=example,dc=test";
/// May read everything, without limits.
pub const SYNC: &str = "uid=sync,ou=svc,dc=example,dc=test";
/// May read everything, but no more than [`LIMIT`] entries of one search, pages included.
pub const LIMITED: &str = "uid=limited,ou=svc,dc=example,dc=test";
pub const LIMIT: usize = 5;
/// Signs in and sees nothing below `ou=people`.
pub const BLIND: &str = "uid=blind,ou=svc,dc=example,dc=test";
/// Of all three.
pub const PASSWORD: &str = "s3cret-of-the-directory";

/// A running server. It stops, and its folder goes, when this is dropped or the test program ends in whatever way: the
/// shell around it waits on a pipe that only we hold.
pub struct Slapd {
    pub port: u16,
    pub tls_port: u16,
    folder: TempDir,
    pipe: Option<ChildStdin>,
    shell: Child,
}

impl Slapd {
    /// With `people` people, `u000000` and so on, and two groups: `cn=staff` of all of them, `cn=first` of the first.
    ///
    /// # Panics
    /// If the server's programs are not installed, or it does not come up.
    pub fn start(people: usize) -> Self {
        Self::start_with(people, "", "")
    }

    /// [`Self::start`] with more lines of configuration, on modules and on the database.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(people: usize, modules: &str, database: &str) -> Self {
        assert!(Path::new("/usr/sbin/slapd").exists(), "OpenLDAP is not installed: apt-get install slapd ldap-utils");
        let folder = tempfile::Builder::new().prefix("rosterd-slapd-").tempdir().expect("a temporary folder");
        let path = folder.path();
        certificates(path, "DNS:localhost,IP:127.0.0.1");
        std::fs::create_dir(path.join("db")).expect("a folder");
        std::fs::write(path.join("slapd.conf"), configuration(path, modules, database)).expect("written");
        std::fs::write(path.join("people.ldif"), entries(people)).expect("written");
        run(Command::new("/usr/sbin/slapadd")
            .args(["-q", "-f"])
            .arg(path.join("slapd.conf"))
            .arg("-l")
            .arg(path.join("people.ldif")));
        let (port, tls_port) = (free_port(), free_port());
        let (shell, pipe) = spawn(path, port, tls_port);
        let server = Self { port, tls_port, folder, pipe, shell };
        server.wait_until_it_answers();
        server
    }

    /// Starts it again where it was, after [`Self::stop`]. What it kept in memory is gone.
    pub fn start_again(&mut self) {
        (self.shell, self.pipe) = spawn(self.folder.path(), self.port, self.tls_port);
        self.wait_until_it_answers();
    }

    /// Shows an attribute to nobody but who may see everything, from now on: the server is started again.
    pub fn hide(&mut self, attribute: &str) {
        self.stop();
        let file = self.folder.path().join("slapd.conf");
        let first = "access to attrs=userPassword";
        let text = std::fs::read_to_string(&file).expect("the configuration");
        assert!(text.contains(first), "{text}");
        std::fs::write(&file, text.replacen(first, &format!("access to attrs={attribute} by * none\n{first}"), 1))
            .expect("written");
        self.start_again();
    }

    /// Ends the server; nothing listens there any more.
    pub fn stop(&mut self) {
        drop(self.pipe.take());
        self.shell.wait().expect("the shell ends");
    }

    /// The authority that issued the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// An authority that has nothing to do with it.
    pub fn other_ca(&self) -> PathBuf {
        self.folder.path().join("other-ca.pem")
    }

    /// A certificate that the server takes for [`SYNC`], and its key.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("client.pem"), self.folder.path().join("client.key"))
    }

    pub fn ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Applies LDIF with changes, as the administrator.
    pub fn modify(&self, ldif: &str) {
        let mut child = Command::new("ldapmodify")
            .args(["-x", "-H", &self.ldap(), "-D", &format!("cn=admin,{SUFFIX}"), "-w", "secret"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldapmodify: apt-get install ldap-utils");
        child.stdin.take().expect("piped").write_all(ldif.as_bytes()).expect("read");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let ask = || {
            let url = self.ldap();
            let bind = ["-x", "-H", &url, "-D", SYNC, "-w", PASSWORD];
            Command::new("ldapwhoami").args(bind).output().expect("ldapwhoami: apt-get install ldap-utils").status.success()
        };
        while !ask() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "slapd did not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn spawn(folder: &Path, port: u16, tls_port: u16) -> (Child, Option<ChildStdin>) {
    let script = format!(
        "/usr/sbin/slapd -d 0 -f '{folder}/slapd.conf' -h 'ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}' \
         >'{folder}/log' 2>&1 & pid=$!; read -r order; kill $pid; wait $pid",
        folder = folder.display(),
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let pipe = shell.stdin.take();
    (shell, pipe)
}

impl Drop for Slapd {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ended = self.shell.wait();
    }
}

fn configuration(folder: &Path, modules: &str, database: &str) -> String {
    let folder = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
{modules}pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSVerifyClient try
authz-regexp \"^cn=sync-client$\" \"{SYNC}\"
disallow bind_anon
sizelimit size.soft=500 size.hard=1000 size.pr=1000 size.prtotal=unlimited
database mdb
suffix {SUFFIX}
rootdn cn=admin,{SUFFIX}
rootpw secret
directory {folder}/db
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN,modifyTimestamp,uid eq
limits dn.exact=\"{SYNC}\" size=unlimited size.prtotal=unlimited time=unlimited
limits dn.exact=\"{LIMITED}\" size.soft={LIMIT} size.hard={LIMIT} size.pr=unlimited size.prtotal={LIMIT}
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree=\"ou=people,{SUFFIX}\" by dn.exact=\"{BLIND}\" none by users read
access to * by users read by anonymous auth
overlay syncprov
syncprov-sessionlog 10000
{database}"
    )
}

fn entries(people: usize) -> String {
    let mut ldif = format!("dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: Example\ndc: example\n\n");
    for ou in ["people", "groups", "svc", "empty"] {
        ldif += &format!("dn: ou={ou},{SUFFIX}\nobjectClass: organizationalUnit\nou: {ou}\n\n");
    }
    for dn in [SYNC, LIMITED, BLIND] {
        let uid = dn.trim_start_matches("uid=").split(',').next().unwrap_or_default();
        ldif += &format!(
            "dn: {dn}\nobjectClass: account\nobjectClass: simpleSecurityObject\nuid: {uid}\nuserPassword: {PASSWORD}\n\n"
        );
    }
    let dn = |number: usize| format!("uid=u{number:06},ou=people,{SUFFIX}");
    for number in 0..people {
        ldif += &format!(
            "dn: {}\nobjectClass: inetOrgPerson\nuid: u{number:06}\ncn: Ann {number}\nsn: Lee {number}\ngivenName: Ann\n\
             displayName: Ann Lee {number}\nmail: u{number:06}@example.test\nmail: second{number}@example.test\n\
             telephoneNumber: +49 30 {:06}\njpegPhoto:: /9j/4A==\nuserPassword: {PASSWORD}\n\
             createTimestamp: 20200101000000Z\nmodifyTimestamp: 20200101000000Z\n\n",
            dn(number),
            number + 100_000,
        );
    }
    for (name, members) in [("staff", people), ("first", people.min(1))] {
        ldif += &format!("dn: cn={name},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n");
        ldif += &(0..members.max(1)).fold(String::new(), |list, number| list + &format!("member: {}\n", dn(number)));
        ldif += "\n";
    }
    ldif
}

/// Two authorities, a server certificate for those names (`DNS:…,IP:…`), and a client's, by the first: `ca.pem`,
/// `server.pem`, `server.key` and so on.
pub fn certificates(folder: &Path, names: &str) {
    let openssl = |arguments: &[&str]| run(Command::new("openssl").current_dir(folder).args(arguments));
    for (name, subject) in [("ca", "/CN=Test LDAP CA"), ("other-ca", "/CN=Another CA")] {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        openssl(
            &[
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"].as_slice(),
                &["-subj", subject, "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", &key, "-out", &certificate],
            ]
            .concat(),
        );
    }
    let extensions = [
        ("server", "/CN=directory", format!("subjectAltName={names}\nextendedKeyUsage=serverAuth\n")),
        ("client", "/CN=sync-client", String::from("extendedKeyUsage=clientAuth\n")),
    ];
    for (name, subject, text) in extensions {
        let file = |ending: &str| format!("{name}.{ending}");
        std::fs::write(folder.join(file("ext")), text).expect("written");
        let (key, request, certificate, ext) = (file("key"), file("csr"), file("pem"), file("ext"));
        openssl(
            &[
                ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"].as_slice(),
                &["-subj", subject, "-keyout", &key, "-out", &request],
            ]
            .concat(),
        );
        openssl(
            &[
                ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
                    .as_slice(),
                &["-extfile", &ext, "-out", &certificate],
            ]
            .concat(),
        );
    }
}

/// Of the loopback interface, free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
