//! PostgreSQL behind a go-between that fails every k-th statement with SQLSTATE 40001, as an engine with serialisable
//! transactions does at any time. The statement does not reach the server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// The code of an SSLRequest, which stands where the protocol's version otherwise does.
const SSL_REQUEST: u32 = 80_877_103;

#[derive(Default)]
struct Faults {
    /// 0: none.
    every: AtomicUsize,
    statements: AtomicUsize,
    failed: AtomicUsize,
}

pub struct SerializationFaults {
    port: u16,
    faults: Arc<Faults>,
}

impl SerializationFaults {
    /// Listens in front of the server at `port`; fails nothing yet.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("bound").port();
        let faults = Arc::new(Faults::default());
        let shared = faults.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let faults = shared.clone();
                tokio::spawn(async move {
                    // A connection that breaks ends like any other; the gateway's pool makes a new one.
                    let _ = relay(client, port, faults).await;
                });
            }
        });
        Self { port: own, faults }
    }

    /// The same database, by way of the faults.
    pub fn url(&self, direct: &str, port: u16) -> String {
        direct.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    /// From now on every `k`-th statement outside a transaction block fails; 0 ends it.
    pub fn fail_every(&self, k: usize) {
        self.faults.every.store(k, Ordering::SeqCst);
    }

    pub fn failed(&self) -> usize {
        self.faults.failed.load(Ordering::SeqCst)
    }
}

async fn relay(mut client: TcpStream, port: u16, faults: Arc<Faults>) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let startup = loop {
        let (code, message) = untyped(&mut client).await?;
        if code != SSL_REQUEST {
            break message;
        }
        client.write_all(b"N").await?;
    };
    server.write_all(&startup).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Both directions write to the client, whole messages each.
    let to_client = Arc::new(Mutex::new(to_client));
    let idle = Arc::new(AtomicUsize::new(0));
    let answers = tokio::spawn(answers(from_server, to_client.clone(), idle.clone()));
    let ended = requests(from_client, to_server, to_client, &idle, &faults).await;
    answers.abort();
    ended
}

/// Server to client; notes in `idle` whether the last ReadyForQuery was outside a transaction block.
async fn answers(mut server: OwnedReadHalf, client: Arc<Mutex<OwnedWriteHalf>>, idle: Arc<AtomicUsize>) -> io::Result<()> {
    loop {
        let message = typed(&mut server).await?;
        if message[0] == b'Z' {
            idle.store(usize::from(message[5] == b'I'), Ordering::SeqCst);
        }
        client.lock().await.write_all(&message).await?;
    }
}

/// Client to server, up to each Sync at once; a statement whose turn it is is answered here.
async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    to_client: Arc<Mutex<OwnedWriteHalf>>,
    idle: &AtomicUsize,
    faults: &Faults,
) -> io::Result<()> {
    loop {
        let (mut unit, mut executes) = (Vec::new(), false);
        loop {
            let message = typed(&mut client).await?;
            executes |= matches!(message[0], b'E' | b'Q');
            // Sync, simple query, terminate, password: the server acts on what it has. So it does on Flush.
            let ends = matches!(message[0], b'S' | b'Q' | b'X' | b'p' | b'H');
            unit.extend_from_slice(&message);
            if ends {
                break;
            }
        }
        let every = faults.every.load(Ordering::SeqCst);
        let counts = executes && every > 0 && idle.load(Ordering::SeqCst) == 1;
        if counts && faults.statements.fetch_add(1, Ordering::SeqCst) % every == every - 1 {
            faults.failed.fetch_add(1, Ordering::SeqCst);
            to_client.lock().await.write_all(&serialization_failure()).await?;
        } else {
            server.write_all(&unit).await?;
        }
    }
}

/// ErrorResponse and ReadyForQuery.
fn serialization_failure() -> Vec<u8> {
    let fields = b"SERROR\0VERROR\0C40001\0Mcould not serialize access due to concurrent update\0\0";
    let mut message = vec![b'E'];
    message.extend_from_slice(&u32::try_from(fields.len() + 4).expect("short").to_be_bytes());
    message.extend_from_slice(fields);
    message.extend_from_slice(b"Z\0\0\0\x05I");
    message
}

/// A message of the beginning: length, code, rest.
async fn untyped(stream: &mut TcpStream) -> io::Result<(u32, Vec<u8>)> {
    let mut message = vec![0; 8];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes(message[..4].try_into().expect("four bytes")) as usize;
    let code = u32::from_be_bytes(message[4..].try_into().expect("four bytes"));
    message.resize(length, 0);
    stream.read_exact(&mut message[8..]).await?;
    Ok((code, message))
}

/// Any later message: type, length, rest.
async fn typed(stream: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes(message[1..].try_into().expect("four bytes")) as usize;
    message.resize(length + 1, 0);
    stream.read_exact(&mut message[5..]).await?;
    Ok(message)
}
