//! What the flight recorder is told of a request: made while it is answered, handed over when the answer is known.

use super::Scim;
use super::answer::{Answer, Refused};
use crate::http::request_id::RequestId;
use crate::model::connection::Connection;
use crate::model::ids::TokenId;
use crate::traffic::recorder::{self, Answered, Asked};
use crate::traffic::{Seen, Stranger};
use axum::http::request::Parts;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// One request under way.
pub(super) struct Noting {
    asked: Asked,
    began: Instant,
}

/// What is noted in the end.
pub(super) enum Exchange {
    Client(Seen),
    Stranger(Stranger),
}

impl Noting {
    pub(super) fn begin(scim: &Scim, parts: &Parts) -> Self {
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let asked = Asked::new(scim.clock.now(), request_id, &parts.method, &parts.uri, &parts.headers);
        Self { asked, began: Instant::now() }
    }

    /// The answer to somebody without a valid token. The body is not even read.
    pub(super) fn of_stranger(self, named: &str, refused: Refused) -> (Answer, Exchange) {
        let (answer, answered) = self.answered(Err(refused));
        (answer, Exchange::Stranger(Stranger { named: named.to_owned(), asked: self.asked, answered }))
    }

    /// The answer to a client of `connection`; `secrets` are the names of attributes that nobody is to read.
    pub(super) fn of_client(
        mut self,
        connection: Arc<Connection>,
        token: TokenId,
        body: Option<&Bytes>,
        secrets: Arc<[String]>,
        outcome: Result<Answer, Refused>,
    ) -> (Answer, Exchange) {
        let (answer, answered) = self.answered(outcome);
        if let Some(body) = body {
            self.asked.with_body(body);
        }
        (answer, Exchange::Client(Seen { connection, token: Some(token), asked: self.asked, answered, secrets }))
    }

    fn answered(&self, outcome: Result<Answer, Refused>) -> (Answer, Answered) {
        let (mut scim_type, mut detail, mut cause) = (None, None, None);
        let answer = outcome.unwrap_or_else(|refused| {
            scim_type = refused.error.scim_type.map(crate::scim::error::ScimType::as_str);
            detail = Some(refused.error.detail.clone());
            cause = refused.cause;
            Answer::from(refused)
        });
        let (body, body_bytes) = recorder::answer_body(answer.body.as_ref());
        let status = answer.status;
        (answer, Answered { status, scim_type, cause, detail, body, body_bytes, took: self.began.elapsed() })
    }
}
