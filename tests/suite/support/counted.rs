//! The end of a process, or of its connections, at a statement that is counted. PostgreSQL stands behind a go-between that
//! counts statements; SQLite has none that one could stand in between, so there writes to its files are counted by a library
//! that is loaded before all others. The program under test knows of neither.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

/// The code of an SSLRequest, which stands where the protocol's version otherwise does.
const SSL_REQUEST: u32 = 80_877_103;

/// What happens at the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SIGKILL, and the statement never reaches the server.
    KilledBefore,
    /// SIGKILL as soon as the server has the statement.
    KilledAfter,
    /// The connection breaks, and the statement never reaches the server.
    CutBefore,
    /// The connection breaks as soon as the server has the statement.
    CutAfter,
    /// The connections to the directory break; the statement goes its way.
    DirectoryCut,
}

/// A go-between in front of a PostgreSQL server, for one process.
pub struct Counted {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// The number of the statement, from 0, and what happens then.
    at: Option<(usize, End)>,
    directory: Option<Arc<Wire>>,
    sent: AtomicUsize,
    texts: Mutex<Vec<String>>,
    victim: OnceLock<u32>,
    ends: AtomicBool,
}

impl Counted {
    /// In front of the server at `port`; at statement `at` this happens, once. `directory`: what [`End::DirectoryCut`] cuts.
    pub fn before(port: u16, at: Option<(usize, End)>, directory: Option<Arc<Wire>>) -> Self {
        let shared = Arc::new(Shared {
            at,
            directory,
            sent: AtomicUsize::default(),
            texts: Mutex::default(),
            victim: OnceLock::new(),
            ends: AtomicBool::default(),
        });
        let serving = Arc::clone(&shared);
        let own = listen(move || serving.ends.load(Ordering::SeqCst), {
            let shared = Arc::clone(&shared);
            move |client| {
                let shared = Arc::clone(&shared);
                // A connection that breaks ends like any other.
                thread::spawn(move || relay(client, port, &shared));
            }
        });
        Self { port: own, shared }
    }

    /// The same database, by way of the counting.
    pub fn url(&self, direct: &str, port: u16) -> String {
        direct.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    /// Whom to kill: a child of ours that nobody waits for before the statements end.
    pub fn kills(&self, process: u32) {
        self.shared.victim.set(process).expect("one process");
    }

    /// The statements so far, as they were sent.
    pub fn texts(&self) -> Vec<String> {
        self.shared.texts.lock().unwrap().clone()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Bytes from a port of its own to another, until somebody cuts them.
pub struct Wire {
    port: u16,
    open: Mutex<Vec<TcpStream>>,
    ends: AtomicBool,
}

impl Wire {
    pub fn to(port: u16) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let wire = Arc::new(Self {
            port: listener.local_addr().expect("bound").port(),
            open: Mutex::default(),
            ends: AtomicBool::default(),
        });
        let serving = Arc::downgrade(&wire);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(wire) = serving.upgrade().filter(|wire| !wire.ends.load(Ordering::SeqCst)) else { return };
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    let both = [client.try_clone(), server.try_clone()].map(|stream| stream.expect("a handle"));
                    wire.open.lock().unwrap().extend(both);
                    copied(client, server);
                }
            }
        });
        wire
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that is open breaks; what comes later is let through.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn copied(client: TcpStream, server: TcpStream) {
    let [back_from, back_to] = [server.try_clone(), client.try_clone()].map(|stream| stream.expect("a handle"));
    for (mut from, mut to) in [(client, server), (back_from, back_to)] {
        thread::spawn(move || {
            let _broken = io::copy(&mut from, &mut to);
            let _gone = to.shutdown(Shutdown::Both);
        });
    }
}

fn listen(is_over: impl Fn() -> bool + Send + 'static, take: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if is_over() {
                return;
            }
            take(client);
        }
    });
    port
}

fn relay(mut client: TcpStream, port: u16, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let startup = loop {
        let (code, message) = untyped(&mut client)?;
        if code != SSL_REQUEST {
            break message;
        }
        client.write_all(b"N")?;
    };
    server.write_all(&startup)?;
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _broken = io::copy(&mut answers, &mut to_client);
        let _gone = to_client.shutdown(Shutdown::Both);
    });
    let ended = requests(&mut client, &mut server, shared);
    let _gone = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    ended
}

/// Client to server, up to each Sync at once.
fn requests(client: &mut TcpStream, server: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut prepared: Vec<(Vec<u8>, String)> = Vec::new();
    loop {
        let (mut unit, mut executed, mut bound) = (Vec::new(), None, String::new());
        loop {
            let message = typed(client)?;
            let mut parts = message[5..].split(|byte| *byte == 0);
            let mut part = || parts.next().unwrap_or_default();
            match message[0] {
                b'P' => {
                    let (name, text) = (part().to_vec(), String::from_utf8_lossy(part()).into_owned());
                    prepared.retain(|(known, _)| *known != name);
                    prepared.push((name, text));
                }
                b'B' => {
                    let (_portal, name) = (part(), part());
                    bound = prepared.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone()).unwrap_or_default();
                }
                b'E' => executed = Some(bound.clone()),
                b'Q' => executed = Some(String::from_utf8_lossy(part()).into_owned()),
                _ => {}
            }
            let ends = matches!(message[0], b'S' | b'Q' | b'X' | b'p' | b'H');
            unit.extend_from_slice(&message);
            if ends {
                break;
            }
        }
        let Some(text) = executed else {
            server.write_all(&unit)?;
            continue;
        };
        let number = shared.sent.fetch_add(1, Ordering::SeqCst);
        shared.texts.lock().unwrap().push(text);
        let end = shared.at.filter(|(at, _)| *at == number).map(|(_, end)| end);
        if !matches!(end, Some(End::KilledBefore | End::CutBefore)) {
            if end == Some(End::DirectoryCut) {
                shared.directory.as_ref().expect("one to cut").cut();
            }
            server.write_all(&unit)?;
        }
        match end {
            Some(End::KilledBefore | End::KilledAfter) => {
                shared.kill();
                return Ok(());
            }
            Some(End::CutBefore | End::CutAfter) => return Ok(()),
            _ => {}
        }
    }
}

impl Shared {
    fn kill(&self) {
        let process = loop {
            match self.victim.get() {
                Some(process) => break *process,
                // It speaks before we are told who it is.
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let process = libc::pid_t::try_from(process).expect("a process id");
        // SAFETY: a child that waits for the answer to this statement and was not waited for, so the id is still its own.
        unsafe { libc::kill(process, libc::SIGKILL) };
    }
}

/// A message of the beginning: length, code, rest.
fn untyped(stream: &mut TcpStream) -> io::Result<(u32, Vec<u8>)> {
    let mut message = vec![0; 8];
    stream.read_exact(&mut message)?;
    let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"));
    let (length, code) = (number(0) as usize, number(4));
    message.resize(length, 0);
    stream.read_exact(&mut message[8..])?;
    Ok((code, message))
}

/// Any later message: type, length, rest.
fn typed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[1..].try_into().expect("four bytes")) as usize;
    message.resize(length + 1, 0);
    stream.read_exact(&mut message[5..])?;
    Ok(message)
}

/// The environment under which a process ends in the middle of its `at`-th write to the files of a SQLite database; with 0 it
/// does not, and writes into `told` how many there were.
pub fn ended_at_write(at: usize, told: &Path) -> [(&'static str, String); 3] {
    let library = library().display().to_string();
    [("LD_PRELOAD", library), ("END_AT_WRITE", at.to_string()), ("WRITES_TOLD_IN", told.display().to_string())]
}

/// Built once, by the compiler that Rust links with.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (source, library) = (folder.join("end_at_write.c"), folder.join("end_at_write.so"));
        // Put in place whole: another run of the tests may do the same.
        let making = folder.join(format!("end_at_write.{}.so", std::process::id()));
        std::fs::write(&source, include_str!("end_at_write.c")).expect("written");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&making).arg(&source).output().expect("cc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        std::fs::rename(&making, &library).expect("put in place");
        library
    })
}
