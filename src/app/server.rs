//! Serving HTTP/1.1 on a listener with the limits `axum::serve` does not have: time for headers, open connections,
//! and a stop that lets requests in flight finish.

use crate::config::ServerConfig;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Longest request head in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Pause after a failed accept: usually there are no file descriptors, and asking at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers on `listener` until `stop` is done, then calls `unready`, stops accepting after `server.drain_milliseconds`, and waits for what is in flight as
/// long as the configuration allows. Returns how many connections had to be cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: &ServerConfig,
    stop: impl Future<Output = ()>,
    unready: impl FnOnce(),
) -> usize {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let header_timeout = config.header_timeout;
    let accept = async {
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let watcher = graceful.watcher();
                    let router = router.clone();
                    tokio::spawn(async move {
                        answer(stream, peer, router, header_timeout, watcher).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    let draining = async {
        stop.await;
        unready();
        tokio::time::sleep(config.drain).await;
    };
    tokio::select! {
        () = draining => {}
        () = accept => {}
    }
    drop(listener);
    let open = graceful.count();
    match tokio::time::timeout(config.shutdown, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_elapsed) => open,
    }
}

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    header_timeout: Duration,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // A client that went away or sent no HTTP: nothing to do about it here.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
