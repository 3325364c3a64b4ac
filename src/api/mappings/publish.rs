//! `POST /mappings/{name}/publish`: `{text, preview?, language?, includes?}`. `preview` is the `list_hash` of a preview of the same text.

use super::{body, show};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::mapping::Published;
use crate::mapping::compiled::failing_tests;
use crate::provisioning::mappings;
use crate::replay::publish::may_publish;
use crate::store::{self, Batch, mapping_versions};
use axum::body::Body;
use serde_json::Value;

pub(in crate::api) async fn publish(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let name = call.id_after("mappings").to_owned();
    let body = call.object(sent).await?;
    let text = body::text(&name, &body, &["preview"])?;
    let preview = match body.get("preview") {
        None | Some(Value::Null) => None,
        Some(Value::String(hash)) => Some(hash.as_str()),
        Some(_) => return Err(Problem::member("preview", "the hash of a preview is wanted")),
    };
    let failing = failing_tests(&text);
    if !failing.is_empty() {
        return Err(Problem::member("text", format!("tests of its own fail: {}", failing.join(", "))));
    }
    let (store, tenant) = (&call.api.store, &call.tenant);
    let newest = mapping_versions::latest(store, tenant, &name).await?;
    let checksum = mappings::checksum(&text);
    if let Some(newest) = newest.as_ref().filter(|newest| newest.checksum == checksum) {
        return Ok(Answer::ok(show::shown(call, newest).await?));
    }
    let base = newest.map_or(0, |newest| newest.version);
    let seen = (body::makes_profiles(&text), preview);
    if let Err(why) = may_publish(store, tenant, (&name, &checksum, base), seen, call.api.clock.now()).await? {
        return Err(Problem::moved_on(why.code(), why.to_string()));
    }
    let audit = call.audit();
    let row = mappings::version(&Published { version: base + 1, ..text }, &audit);
    if dry_run {
        return Ok(Answer::ok(show::shown(call, &row).await?));
    }
    let mut batch = Batch::default();
    mapping_versions::publish(&mut batch, tenant, &row, &audit);
    match store.apply(batch).await {
        Err(store::Error::Conflict) => {
            Err(Problem::moved_on("stale_preview", format!("version {} was published meanwhile", base + 1)))
        }
        done => {
            done?;
            Ok(Answer::created(show::shown(call, &row).await?))
        }
    }
}
