//! A web server that says what a test tells it to, byte for byte, over http or https on a loopback port.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is answered to the head of a request.
pub type Say = Arc<dyn Fn(&str) -> Said + Send + Sync>;

/// An answer: its pieces, with a pause between each.
pub struct Said {
    pub pieces: Vec<Vec<u8>>,
    pub pause: Duration,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { pieces: vec![text.into_bytes()], pause: Duration::ZERO }
    }
}

/// An answer with a body.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Said {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into()
}

/// Runs until it is dropped.
pub struct Web {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Web {
    pub async fn plain(say: impl Fn(&str) -> Said + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(say)).await
    }

    /// With `server.pem` and `server.key` of that folder.
    pub async fn tls(folder: &Path, say: impl Fn(&str) -> Said + Send + Sync + 'static) -> Self {
        let chain = vec![CertificateDer::from_pem_file(folder.join("server.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key fits");
        Self::start(Some(TlsAcceptor::from(Arc::new(config))), Arc::new(say)).await
    }

    async fn start(tls: Option<TlsAcceptor>, say: Say) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&heads);
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (tls, say, heard) = (tls.clone(), Arc::clone(&say), Arc::clone(&heard));
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, &say, &heard).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => converse(stream, &say, &heard).await,
                            Err(error) => eprintln!("no TLS: {error}"),
                        },
                    }
                });
            }
        });
        Self { port, heads, serving }
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("not poisoned").clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, say: &Say, heard: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("text");
    heard.lock().expect("not poisoned").push(head.clone());
    let said = say(&head);
    for piece in said.pieces {
        // Whoever has heard enough is gone.
        if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(said.pause).await;
    }
    let _gone = stream.shutdown().await;
}
