//! The stream of events on both stores: as it happens, from any place on, bounded, and at its end when the token is.

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::Gateway;
use crate::support::management::Management;
use crate::support::receiver::PATIENCE;
use serde_json::{Value, json};
use std::time::Duration;

/// One message.
#[derive(Clone, Debug, Default)]
struct Message {
    id: Option<String>,
    event: String,
    data: Value,
}

struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(gateway: &Gateway, token: &str, query: &str, last: Option<&str>) -> Result<Self, (u16, String)> {
        let mut request = reqwest::Client::new()
            .get(format!("{}/api/v2/events{query}", gateway.base_url()))
            .bearer_auth(token)
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        if status != 200 {
            return Err((status, response.text().await.expect("a body")));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, read: String::new() };
        // It is open now: what happens from here on comes.
        assert_eq!(stream.block().await.as_deref(), Some(": here"));
        Ok(stream)
    }

    /// The text up to the next empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let part = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
            match part {
                Ok(Some(part)) => self.read.push_str(std::str::from_utf8(&part).expect("text")),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next message that is no sign of life; `None` at the end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            let block = self.block().await?;
            let mut message = Message::default();
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("id", id)) => message.id = Some(id.to_owned()),
                    Some(("event", event)) => event.clone_into(&mut message.event),
                    Some(("data", data)) => message.data = serde_json::from_str(data).expect("JSON"),
                    _ => {}
                }
            }
            if !message.event.is_empty() && message.event != "offset-only" {
                return Some(message);
            }
        }
    }
}

on_both_gateways! {
    async fn events_come_as_they_happen_and_go_on_after_the_last(store) {
        let gateway = Gateway::start(store).await;
        let (caller, api) = (Caller::new(&gateway), Management::admin(&gateway));
        caller.create("Users", &user("before")).await;
        while api.done("GET", "/events", None).await["events"] == json!([]) {}
        let mut stream = Stream::open(&gateway, api.token(), "", None).await.expect("a stream");
        for name in ["ann", "bob", "cid"] {
            caller.create("Users", &user(name)).await;
        }
        let mut seen = Vec::new();
        for name in ["ann", "bob", "cid"] {
            let message = stream.next().await.expect("a message");
            assert_eq!((message.event.as_str(), message.id.as_deref()), ("user.created", message.data["offset"].as_str()));
            assert!(message.data["event"]["data"]["object"]["user_id"].to_string().contains(name), "{message:?}");
            seen.push(message);
        }
        drop(stream);
        let mut stream = Stream::open(&gateway, api.token(), "/stream", seen[0].id.as_deref()).await.expect("a stream");
        assert_eq!(stream.next().await.expect("a message").data["event"]["id"], seen[1].data["event"]["id"]);
        // The place is the feed's, and the events are the same.
        let part = api.done("GET", &format!("/events?from={}", seen[1].id.as_deref().expect("an id")), None).await;
        assert_eq!(part["events"][0]["id"], seen[2].data["event"]["id"]);
        let mut narrowed = Stream::open(&gateway, api.token(), "?event_type=user.deleted&event_type=user.updated", None).await.expect("a stream");
        let dan = caller.create("Users", &user("dan")).await;
        let title = json!([{"op": "replace", "path": "title", "value": "Boss"}]);
        assert_eq!(caller.patch(&format!("/Users/{dan}"), title).await.status, 200);
        assert_eq!(narrowed.next().await.expect("a message").event, "user.updated");
    }

    async fn a_stream_ends_with_its_token(store) {
        let gateway = Gateway::start(store).await;
        let made: Value = serde_json::from_str(&gateway.cli(&["token", "create", "--admin", "--name", "reader", "--scopes", "read:events", "--json"])).expect("JSON");
        let token = made["token"].as_str().expect("a token");
        let mut stream = Stream::open(&gateway, token, "", None).await.expect("a stream");
        gateway.cli(&["token", "delete", "reader", "--yes"]);
        let end = stream.next().await.expect("a last message");
        assert_eq!((end.event.as_str(), &end.data["error"]["code"]), ("error", &json!("unauthorized")));
        assert!(stream.next().await.is_none(), "and then it is over");
        // A look-up is believed for two seconds.
        let deadline = std::time::Instant::now() + PATIENCE;
        let refused = loop {
            match Stream::open(&gateway, token, "", None).await {
                Err((status, _)) => break status,
                Ok(_) => assert!(std::time::Instant::now() < deadline, "it opens for ever"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(refused, 401);
    }

    async fn streams_are_bounded_and_a_place_that_is_left_is_free(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(Stream::open(&gateway, api.token(), "", None).await.expect("a stream"));
        }
        let (status, text) = Stream::open(&gateway, api.token(), "", None).await.err().expect("refused");
        assert!(status == 429 && text.contains("too_many_requests"), "{text}");
        open.pop();
        let deadline = std::time::Instant::now() + PATIENCE;
        while Stream::open(&gateway, api.token(), "", None).await.is_err() {
            assert!(std::time::Instant::now() < deadline, "the place stays taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (status, _) = Stream::open(&gateway, api.token(), "?from=x", None).await.err().expect("refused");
        assert_eq!(status, 400);
        let reader = Management::with(&gateway, &["--scopes", "read:users"]);
        assert_eq!(Stream::open(&gateway, reader.token(), "", None).await.err().expect("refused").0, 403);
    }

    /// A stream that would hold the stop for ever ends by itself.
    async fn a_server_that_stops_ends_its_streams(store) {
        let mut gateway = Gateway::start_with(store, &[("server.shutdown_seconds", "300")]).await;
        let token = gateway.bootstrapped("admin_token").to_owned();
        let mut stream = Stream::open(&gateway, &token, "", None).await.expect("a stream");
        gateway.send_sigterm();
        assert!(stream.next().await.is_none());
        assert!(gateway.wait_for_exit().await.success());
        assert!(!gateway.everything_printed().contains("requests were cut"));
    }
}
