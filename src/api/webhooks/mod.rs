//! `/webhooks/…`: where events are sent. What may be said of one is `events::webhooks`'s to decide; here are the words of the wire.
//! Nobody who comes this way opens the gateway's own machine: that is the operator's, by the command line.

mod body;
mod create;
mod delete;
mod deliveries;
mod list;
mod redeliver;
mod rotate_secret;
mod schema;
mod show;
mod test;
mod update;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, handler};
use super::problem::Problem;
use crate::events::webhooks::decide::Wanted;
use crate::events::webhooks::desk::{self, Done};
use crate::model::ids::WebhookId;
use crate::store;
use crate::store::webhooks::StoredWebhook;
use axum::http::Method;

const READ: &str = "read:webhooks";
const CREATE: &str = "create:webhooks";
const UPDATE: &str = "update:webhooks";
const DELETE: &str = "delete:webhooks";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/webhooks", "/webhooks/{id}");
    vec![
        Endpoint::new(Method::GET, all, "list_webhooks", &[READ], handler!(list::list, nobody))
            .does("Where events are sent, in the order they were made, without secrets")
            .with(&CHECKPOINT)
            .answers(200, "the webhooks", schema::list),
        Endpoint::new(Method::POST, all, "create_webhook", &[CREATE], handler!(create::create))
            .does("Has events sent to an address from now on; its secret is shown this once")
            .with(&DRY_RUN)
            .takes(schema::new)
            .answers(200, "what would be done (`dry_run`)", schema::plan)
            .answers(201, "the webhook with its secret", schema::webhook)
            .refuses(409, "the tenant has as many as it may have"),
        Endpoint::new(Method::GET, one, "show_webhook", &[READ], handler!(show::show, nobody))
            .does("One webhook, and how much it has before it")
            .answers(200, "the webhook", schema::webhook),
        Endpoint::new(Method::PATCH, one, "update_webhook", &[UPDATE], handler!(update::update))
            .does("Changes what is mentioned; `enabled: true` also has a receiver looked for at once that was away")
            .with(&DRY_RUN)
            .takes(schema::wanted)
            .answers(200, "the webhook, or what would be done (`dry_run`)", schema::webhook),
        Endpoint::new(Method::DELETE, one, "delete_webhook", &[DELETE], handler!(delete::delete, nobody))
            .does("Takes it away, with what waits for it")
            .with(&DRY_RUN)
            .answers(200, "what would be done (`dry_run`)", schema::plan)
            .answers_nothing(204, "it is gone"),
        Endpoint::new(
            Method::POST,
            "/webhooks/{id}/rotate-secret",
            "rotate_webhook_secret",
            &[UPDATE],
            handler!(rotate_secret::rotate),
        )
        .does("A new secret, shown this once; the former one signs too for a while")
        .with(&DRY_RUN)
        .takes(schema::rotate)
        .answers(200, "the webhook with its secret, or what would be done (`dry_run`)", schema::webhook),
        Endpoint::new(Method::POST, "/webhooks/{id}/test", "test_webhook", &[UPDATE], handler!(test::test, nobody))
            .does("Sends an event of type `webhook.test` now, once, and says what came of it")
            .answers(200, "whether it was taken", schema::tried),
        Endpoint::new(
            Method::GET,
            "/webhooks/{id}/deliveries",
            "list_webhook_deliveries",
            &[READ],
            handler!(deliveries::list, nobody),
        )
        .does("Events that were not taken at once: waiting, behind one that waits, or dead")
        .with(&CHECKPOINT)
        .answers(200, "in the order of the feed", schema::deliveries),
        Endpoint::new(Method::POST, "/webhooks/{id}/redeliver", "redeliver_events", &[UPDATE], handler!(redeliver::redeliver))
            .does("Sends events again: one, those that are dead, or everything from a place or an instant on")
            .with(&DRY_RUN)
            .takes(schema::again)
            .answers(200, "how many", schema::sent_again)
            .refuses(410, "those events are not kept any more"),
    ]
}

/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 3;

fn id(call: &Call<'_>) -> WebhookId {
    WebhookId::new(call.id_after("webhooks"))
}

/// The webhook that the path names by its id.
async fn find(call: &Call<'_>) -> Result<StoredWebhook, Problem> {
    Ok(call.api.webhooks.find(&call.tenant, &id(call)).await?)
}

/// What somebody wants done to a webhook that is there.
enum Wish {
    Update(Wanted),
    Rotate { overlap_seconds: i64 },
    Delete,
}

/// Does it to the webhook as it is; where somebody else was quicker, anew.
async fn changed(call: &Call<'_>, wish: &Wish, dry_run: bool) -> Result<Done, Problem> {
    let (desk, mut round) = (&call.api.webhooks, 1);
    loop {
        let (stored, audit) = (find(call).await?, call.audit());
        let outcome = match wish {
            Wish::Update(wanted) => desk.update(stored, wanted.clone(), &audit, dry_run).await,
            Wish::Rotate { overlap_seconds } => desk.rotate(stored, *overlap_seconds, &audit, dry_run).await,
            Wish::Delete => desk.delete(stored, &audit, dry_run).await,
        };
        match outcome {
            Err(desk::Error::Store(store::Error::Stale)) if round < ROUNDS => round += 1,
            outcome => return Ok(outcome?),
        }
    }
}

impl From<desk::Error> for Problem {
    fn from(error: desk::Error) -> Self {
        match error {
            desk::Error::Unknown(_) => Self::no_webhook(),
            desk::Error::Wrong(wrong) => Self::member(wrong.field, wrong.says),
            desk::Error::TooMany => Self::taken(error.to_string()),
            desk::Error::Expired(_) => Self::cursor_expired(),
            desk::Error::Sealed => Self::internal(&error),
            desk::Error::Store(error) => error.into(),
        }
    }
}
