//! A receiver of webhooks for one test: an HTTP server on loopback that does with each event what the test says, and keeps every one
//! that it was sent, with its headers and body to the byte.

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long something that has to come may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver does with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    Take,
    /// Takes it, after this long.
    TakeSlowly(Duration),
    /// Answers with this status and these headers.
    Answer(u16, Vec<(&'static str, String)>),
    /// Reads it and never answers.
    Hang,
    /// Answers 500 with a body that never ends.
    Flood,
    /// Closes the connection without a word.
    Close,
}

/// An event as it came.
#[derive(Clone, Debug)]
pub struct Sent {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub taken: bool,
}

impl Sent {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an event is JSON")
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().expect("an id").to_owned()
    }
}

type Rule = Arc<dyn Fn(&Value) -> Manner + Send + Sync>;

struct Shared {
    rule: Mutex<Rule>,
    sent: Mutex<Vec<Sent>>,
}

/// The server. Dropping it closes its port and everything on it.
pub struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl Receiver {
    /// One that does the same with every event.
    pub fn that(manner: Manner) -> Self {
        let bound = Bound::bind(("127.0.0.1", 0)).expect("a free port");
        let address = bound.local_addr().expect("an address");
        let shared = Arc::new(Shared { rule: Mutex::new(Arc::new(move |_: &Value| manner.clone())), sent: Mutex::default() });
        let mut receiver = Self { shared, address, serving: None };
        receiver.listen(bound);
        receiver
    }

    fn listen(&mut self, bound: Bound) {
        bound.set_nonblocking(true).expect("non-blocking");
        let listener = TcpListener::from_std(bound).expect("a listener");
        let shared = Arc::clone(&self.shared);
        self.serving = Some(tokio::spawn(async move {
            // What is open ends with this task.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                open.spawn(async move {
                    let _gone = answer(stream, &shared).await;
                });
            }
        }));
    }

    /// What it does from now on, by event.
    pub fn does(&self, rule: impl Fn(&Value) -> Manner + Send + Sync + 'static) {
        *self.shared.rule.lock().expect("no panic") = Arc::new(rule);
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?from=rosterd", self.address)
    }

    /// Nobody listens any more: connections are refused.
    pub async fn go_down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ended = serving.await;
        }
    }

    /// Listens again, at the same address.
    pub fn come_up(&mut self) {
        let bound = Bound::bind(self.address).expect("the port is still free");
        self.listen(bound);
    }

    /// Everything it was sent, taken or not, in the order it came.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().expect("no panic").clone()
    }

    /// The events it took.
    pub fn taken(&self) -> Vec<Value> {
        self.sent().iter().filter(|sent| sent.taken).map(Sent::json).collect()
    }

    /// Waits until it took so many different events.
    pub async fn has(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let taken = self.taken();
            let mut ids: Vec<&str> = taken.iter().filter_map(|event| event["id"].as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            if ids.len() >= count {
                return taken;
            }
            assert!(Instant::now() < deadline, "{} of {count} events came: {:?}", ids.len(), self.sent().len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it was sent so many, taken or not.
    pub async fn was_sent(&self, count: usize) -> Vec<Sent> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sent = self.sent();
            if sent.len() >= count {
                return sent;
            }
            assert!(Instant::now() < deadline, "{} of {count} tries came", sent.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (headers, body) = request(&mut stream).await?;
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let manner = (shared.rule.lock().expect("no panic"))(&event);
    if let Manner::TakeSlowly(after) = &manner {
        tokio::time::sleep(*after).await;
    }
    let taken = match &manner {
        Manner::Take | Manner::TakeSlowly(_) => true,
        Manner::Answer(status, _) => (200..300).contains(status),
        Manner::Hang | Manner::Flood | Manner::Close => false,
    };
    shared.sent.lock().expect("no panic").push(Sent { headers, body, taken });
    match manner {
        Manner::Take | Manner::TakeSlowly(_) => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await,
        Manner::Answer(status, headers) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("HTTP/1.1 {status} So\r\n{headers}content-length: 2\r\n\r\nno");
            stream.write_all(head.as_bytes()).await
        }
        Manner::Close => Ok(()),
        Manner::Hang => {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok(())
        }
        Manner::Flood => {
            stream.write_all(b"HTTP/1.1 500 So\r\ncontent-length: 1000000000000\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 64 << 10]).await?;
            }
        }
    }
}

async fn request(stream: &mut TcpStream) -> std::io::Result<(BTreeMap<String, String>, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&part[..count]);
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = read.split_off(end + 4);
    while body.len() < length {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        body.extend_from_slice(&part[..count]);
    }
    Ok((headers, body))
}
