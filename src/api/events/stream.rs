//! The feed as it happens (server-sent events). `event` is the type, `id` and `offset` the place after it, `data` the event. Bounded in
//! number; whoever reads too slowly is let go and not stored for; ends when its token does, and when the server stops.

use super::super::call::Call;
use super::super::problem::Problem;
use super::super::{Answer, Content};
use super::READ;
use super::place::{Otherwise, place};
use crate::clock::Entropy;
use crate::events::cursor;
use crate::events::reader::{Event, Reader, Wanted};
use crate::events::streams::Place;
use crate::http::authenticate::{AuthError, Authenticator};
use crate::model::ids::TenantId;
use crate::secret::KeyRing;
use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events read at a time, and messages that may wait for the reader.
const TAKE: usize = 50;
const WAITING_MAX: usize = 8;
/// How long a message may wait for a reader before that one is let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks when nothing is there; in looks, how often the token is asked about and a sign of life is given.
const EVERY: Duration = Duration::from_millis(250);
const TOKEN_EVERY: u32 = 4;
const HEARTBEAT_EVERY: u32 = 60;

pub(super) fn is_wanted(call: &Call<'_>) -> bool {
    let accepted = call.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// Begins after `Last-Event-ID`, else `from`, else now.
pub(super) async fn open(call: &Call<'_>, wanted: Wanted) -> Result<Answer, Problem> {
    let last = call.headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let position = place(call, last.or(call.parameter("from")), Otherwise::Newest).await?;
    let seat = call.api.streams.take(&call.tenant, call.token()).ok_or_else(Problem::too_many_streams)?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let source = Source {
        _seat: seat,
        reader: call.api.reader.clone(),
        authenticator: call.api.authenticator.clone(),
        stopping: Arc::clone(&call.api.stopping),
        keys: call.api.keys.clone(),
        entropy: call.api.entropy.clone(),
        headers: call.headers.clone(),
        tenant: call.tenant.clone(),
        wanted,
        position,
        sender,
    };
    tokio::spawn(source.run());
    let kind = HeaderValue::from_static("text/event-stream");
    let mut answer = Answer::new(StatusCode::OK, Content::Raw(kind, Body::new(Messages(receiver))));
    answer.headers.push((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    // Proxies that collect answers would keep it from coming.
    answer.headers.push((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")));
    Ok(answer)
}

/// What is sent, as a body.
struct Messages(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}

/// One stream: where it is, and whom it asks.
struct Source {
    _seat: Place,
    reader: Reader,
    authenticator: Authenticator,
    stopping: Arc<AtomicBool>,
    keys: KeyRing,
    entropy: Entropy,
    headers: HeaderMap,
    tenant: TenantId,
    wanted: Wanted,
    position: i64,
    sender: mpsc::Sender<Bytes>,
}

/// The reader is gone or too slow, or the stream is at its end.
struct Over;

impl Source {
    async fn run(mut self) {
        // Either way there is nobody left to tell.
        let _over = self.follow().await;
    }

    async fn follow(&mut self) -> Result<(), Over> {
        self.send(String::from(": here\n\n")).await?;
        let (mut looks, mut silent) = (0_u32, 0_u32);
        loop {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(Over);
            }
            if looks.is_multiple_of(TOKEN_EVERY) {
                self.still_may().await?;
            }
            looks = looks.wrapping_add(1);
            let part = match self.reader.part(&self.tenant, self.position, &self.wanted, TAKE).await {
                Ok(part) => part,
                Err(error) => {
                    tracing::debug!(%error, "a stream has to wait for the store");
                    self.rest().await?;
                    continue;
                }
            };
            for event in &part.events {
                self.send(self.message(event)).await?;
                silent = 0;
            }
            self.position = part.next;
            if !part.more {
                silent += 1;
                if silent >= HEARTBEAT_EVERY {
                    silent = 0;
                    let offset = self.offset(self.position);
                    self.send(told("offset-only", Some(&offset), &json!({ "offset": offset }))).await?;
                }
                self.rest().await?;
            }
        }
    }

    /// A look's time, or until the reader is gone.
    async fn rest(&self) -> Result<(), Over> {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => Ok(()),
            () = self.sender.closed() => Err(Over),
        }
    }

    async fn still_may(&self) -> Result<(), Over> {
        match self.authenticator.again(&self.headers).await {
            Ok(principal) if principal.allows(READ) && *principal.tenant() == self.tenant => Ok(()),
            // What can't be asked just now is asked again.
            Err(AuthError::Store(_)) => Ok(()),
            _ => {
                let message = "the token is not valid any more";
                let error =
                    json!({ "error": { "code": "unauthorized", "message": message, "offset": self.offset(self.position) } });
                self.send(told("error", None, &error)).await?;
                Err(Over)
            }
        }
    }

    fn offset(&self, position: i64) -> String {
        cursor::seal(&self.keys, &self.tenant, position, &self.entropy)
    }

    fn message(&self, event: &Event) -> String {
        let offset = self.offset(event.position);
        told(&event.kind, Some(&offset), &json!({ "offset": offset, "event": event.body }))
    }

    async fn send(&self, message: String) -> Result<(), Over> {
        match tokio::time::timeout(PATIENCE, self.sender.send(message.into())).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }
}

/// One message. JSON text has no line breaks.
fn told(event: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {event}\ndata: {data}\n\n")
}
