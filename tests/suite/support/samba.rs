//! A real Samba as Active Directory, shared by all tests of one run because making a domain takes ten seconds. Each test has
//! an organizational unit of its own in it, so that none sees what another does.
//!
//! Its ports can't be chosen, so its address is: one of the loopback network that follows from the number of this process.
//! What it does not do as Microsoft's: it hands out long attributes whole unless asked for a part, and cuts no search.

use super::postgres::is_root;
use super::slapd::{PASSWORD, certificates};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const ROOT: &str = "DC=ad,DC=example,DC=test";
/// A user like any other, which may read. Its password is [`PASSWORD`].
pub const SYNC: &str = "CN=sync,CN=Users,DC=ad,DC=example,DC=test";
/// Holds [`CROWD_SIZE`] people, `c0000` and so on, and the group `CN=everybody` of them all.
pub const CROWD: &str = "OU=crowd,DC=ad,DC=example,DC=test";
/// More than the 1,500 values that Active Directory hands out at a time.
pub const CROWD_SIZE: usize = 1_600;
/// May do everything, and see what is deleted.
pub const ADMINISTRATOR: &str = "CN=Administrator,CN=Users,DC=ad,DC=example,DC=test";
pub const OF_THE_ADMINISTRATOR: &str = "Passw0rd!Adm";
const PACKAGES: &str =
    "samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind ldb-tools python3-samba ldap-utils";

/// A running domain controller. It stops, and its folder goes, when the test program ends in whatever way: the shell around
/// it waits on a pipe that only we hold.
pub struct Samba {
    address: String,
    folder: PathBuf,
    ous: AtomicU32,
    _pipe: Option<ChildStdin>,
    _shell: Child,
}

/// The one that all tests of this run share.
pub fn domain_controller() -> &'static Samba {
    static SAMBA: OnceLock<Samba> = OnceLock::new();
    SAMBA.get_or_init(Samba::start)
}

impl Samba {
    /// # Panics
    /// If its programs are not installed, we are not root, its ports are taken, or it does not come up within a minute.
    fn start() -> Self {
        let all = ["/usr/sbin/samba", "/usr/bin/samba-tool", "/usr/bin/ldbadd", "/usr/share/samba/setup/provision.ldif"];
        let missing: Vec<_> = all.iter().filter(|path| !Path::new(path).exists()).collect();
        assert!(
            missing.is_empty(),
            "Samba is not whole, {missing:?} missing: apt-get install --no-install-recommends {PACKAGES}"
        );
        assert!(is_root(), "Samba makes files of several owners and takes ports 389 and 636: run these tests as root");
        let address = address(std::process::id());
        for port in [389, 636] {
            TcpListener::bind((address.as_str(), port)).unwrap_or_else(|error| {
                panic!("{address}:{port}, which Samba needs: {error}; a slapd of the system? systemctl disable --now slapd")
            });
        }
        let folder = tempfile::Builder::new().prefix("rosterd-samba-").tempdir().expect("a temporary folder");
        provision(folder.path(), &address);
        load(folder.path());
        let folder = folder.keep();
        let (shell, pipe) = spawn(&folder);
        let server = Self { address, folder, ous: AtomicU32::new(0), _pipe: pipe, _shell: shell };
        server.wait_until_it_answers();
        server
    }

    /// The authority that issued its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub fn ldaps(&self) -> String {
        format!("ldaps://{}", self.address)
    }

    pub fn ldap(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// Applies LDIF with changes, as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.modify_with(&[], ldif);
    }

    fn modify_with(&self, arguments: &[&str], ldif: &str) {
        let mut child = self
            .tool("ldapmodify")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldapmodify: apt-get install ldap-utils");
        child.stdin.take().expect("piped").write_all(ldif.as_bytes()).expect("read");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}\n{ldif}", String::from_utf8_lossy(&output.stderr));
    }

    /// Brings a deleted entry back (MS-ADTS 3.1.1.5.3.7.3). `line` = its `dn:` line as [`Self::search`] prints it.
    pub fn undelete(&self, line: &str, to: &str) {
        self.modify_with(
            &["-e", "!1.2.840.113556.1.4.417"],
            &format!("{line}\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\ndistinguishedName: {to}\n\n"),
        );
    }

    /// What `ldapsearch` prints of these attributes of everything in `base` that `filter` takes, deleted entries included.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let mut tool = self.tool("ldapsearch");
        // MS-ADTS 3.1.1.3.4.1.14, LDAP_SERVER_SHOW_DELETED_OID
        tool.args(["-LLL", "-o", "ldif-wrap=no", "-E", "!1.2.840.113556.1.4.417", "-b", base, filter]).args(attributes);
        let output = tool.output().expect("ldapsearch: apt-get install ldap-utils");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        tool.env("LDAPTLS_CACERT", self.ca()).args(["-x", "-H", &self.ldaps(), "-D", ADMINISTRATOR, "-w", OF_THE_ADMINISTRATOR]);
        tool
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let ask = || {
            let mut tool = self.tool("ldapsearch");
            tool.args(["-s", "base", "-b", ROOT, "(objectClass=*)", "dn"]);
            tool.output().expect("ldapsearch: apt-get install ldap-utils").status.success()
        };
        while !ask() {
            let log = || std::fs::read_to_string(self.folder.join("output")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Samba did not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An organizational unit that only one test knows. Logins are of the whole domain, so they carry its name.
pub struct Ou {
    pub dn: String,
    name: String,
}

impl Ou {
    pub fn new() -> Self {
        let server = domain_controller();
        let name = format!("t{}", server.ous.fetch_add(1, Ordering::Relaxed));
        let ou = Self { dn: format!("OU={name},{ROOT}"), name };
        server.modify(&unit(&ou.dn));
        ou
    }

    /// [`CROWD`], which all tests may read and none may change.
    pub fn crowd() -> Self {
        Self { dn: CROWD.into(), name: String::from("crowd") }
    }

    /// The login name of whoever is called `name` here.
    pub fn login(&self, name: &str) -> String {
        format!("{name}.{}", self.name)
    }

    pub fn dn_of(&self, name: &str) -> String {
        format!("CN={name},{}", self.dn)
    }

    /// LDIF that adds an enabled account.
    pub fn person(&self, name: &str) -> String {
        self.person_called(name, name)
    }

    /// The same with another common name, escaped as in a DN.
    pub fn person_called(&self, common_name: &str, name: &str) -> String {
        user(&self.dn_of(common_name), &self.login(name), Some(PASSWORD))
    }

    /// LDIF that adds a group in which those are, by DN.
    pub fn group(&self, name: &str, members: &[&str]) -> String {
        group(&self.dn_of(name), &self.login(name), members)
    }
}

/// LDIF that adds an organizational unit.
pub fn unit(dn: &str) -> String {
    format!("dn: {dn}\nchangetype: add\nobjectClass: organizationalUnit\n\n")
}

/// LDIF that replaces the values of an attribute.
pub fn replace(dn: &str, attribute: &str, value: &str) -> String {
    format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n")
}

/// LDIF that renames an entry, or moves it to `parent`.
pub fn rename(dn: &str, rdn: &str, parent: Option<&str>) -> String {
    let parent = parent.map(|parent| format!("newsuperior: {parent}\n")).unwrap_or_default();
    format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n{parent}\n")
}

/// LDIF that deletes an entry.
pub fn delete(dn: &str) -> String {
    format!("dn: {dn}\nchangetype: delete\n\n")
}

/// Disabled where there is no password.
fn user(dn: &str, login: &str, password: Option<&str>) -> String {
    let mut ldif = format!(
        "dn: {dn}\nchangetype: add\nobjectClass: user\nsAMAccountName: {login}\nuserPrincipalName: {login}@ad.example.test\n\
         givenName: Ann\nsn: Lee\ndisplayName: Ann {login}\nmail: {login}@Example.test\n"
    );
    match password {
        Some(password) => {
            // MS-ADTS 3.1.1.3.1.5.1: in quotes, as UTF-16.
            let bytes: Vec<u8> = format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
            let _ = write!(ldif, "userAccountControl: 512\nunicodePwd:: {}\n\n", STANDARD.encode(bytes));
        }
        None => ldif += "userAccountControl: 514\n\n",
    }
    ldif
}

fn group(dn: &str, login: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
    format!("dn: {dn}\nchangetype: add\nobjectClass: group\nsAMAccountName: {login}\n{members}\n")
}

/// Another for every process that runs beside this one.
fn address(process: u32) -> String {
    format!("127.0.{}.{}", 1 + process / 250 % 250, 1 + process % 250)
}

fn provision(folder: &Path, address: &str) {
    certificates(folder, &format!("IP:{address}"));
    let at = |name: &str| folder.join(name).display().to_string();
    let options = [
        format!("interfaces={address}/8"),
        String::from("bind interfaces only=yes"),
        String::from("server services=ldap"),
        String::from("ldb:nosync=true"),
        format!("pid directory={}", at("run")),
        format!("ncalrpc dir={}", at("run/ncalrpc")),
        format!("log file={}", at("log")),
        format!("tls certfile={}", at("server.pem")),
        format!("tls keyfile={}", at("server.key")),
        format!("tls cafile={}", at("ca.pem")),
    ];
    run(Command::new("samba-tool")
        .args(["domain", "provision", "--realm=AD.EXAMPLE.TEST", "--domain=ADTEST", "--server-role=dc", "--dns-backend=NONE"])
        .args(["--host-name=dc1", &format!("--host-ip={address}"), &format!("--adminpass={OF_THE_ADMINISTRATOR}")])
        .arg(format!("--targetdir={}", folder.display()))
        .args(options.iter().map(|option| format!("--option={option}"))));
}

/// The account that reads and the crowd, straight into the database: that is four times as quick.
fn load(folder: &Path) {
    let dn = |number: usize| format!("CN=c{number:04},{CROWD}");
    let people: Vec<String> = (0..CROWD_SIZE).map(dn).collect();
    let mut ldif = user(SYNC, "sync", Some(PASSWORD)) + &unit(CROWD);
    ldif.extend(people.iter().enumerate().map(|(number, dn)| user(dn, &format!("c{number:04}"), None)));
    ldif += &group(&format!("CN=everybody,{CROWD}"), "everybody", &people.iter().map(String::as_str).collect::<Vec<_>>());
    let file = folder.join("crowd.ldif");
    std::fs::write(&file, ldif.replace("changetype: add\n", "")).expect("written");
    run(Command::new("ldbadd")
        .args(["--nosync", "-H"])
        .arg(folder.join("private/sam.ldb"))
        .arg(format!("--configfile={}", folder.join("etc/smb.conf").display()))
        .arg(file));
}

fn spawn(folder: &Path) -> (Child, Option<ChildStdin>) {
    let script = format!(
        "/usr/sbin/samba -i -M single -s '{folder}/etc/smb.conf' --debug-stdout -d1 >'{folder}/output' 2>&1 & pid=$!
        read -r order; kill $pid; wait $pid; rm -rf '{folder}'",
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

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = || String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {}", told());
}
