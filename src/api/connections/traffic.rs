//! `GET /connections/{id}/traffic`: the newest requests of a connection's SCIM client, each refusal with what to change on the
//! identity provider's side, and who the client seems to be.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::store::traffic::{self as rows, Wanted};
use crate::traffic::{shown, source};
use serde_json::json;

/// Bodies and queries hold what the source says about people: for them this one as well.
const CONTENT_SCOPE: &str = "read:raw";

/// `from`, `take`, `refused`; the newest first.
pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let connection = call.connection().await?;
    let refused_only = call.flag("refused")?;
    let list = format!("traffic {} {refused_only}", connection.id);
    let page = Page::of(call, &list)?;
    let (store, tenant) = (&call.api.store, &call.tenant);
    let wanted = Wanted { refused_only, before: page.after, after: String::new() };
    // One more than asked for: whether there is a next page.
    let mut found = rows::list(store, tenant, &connection.id, &wanted, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let signs = rows::recent_signs(store, tenant, &connection.id, source::WINDOW).await?;
    let source = source::recognise(signs.iter().map(String::as_str));
    let content = call.allows(&[CONTENT_SCOPE]);
    let mut answer = json!({
        "source": shown::source(&source),
        "traffic": found.iter().map(|row| shown::exchange(row, source.idp, content)).collect::<Vec<_>>(),
    });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.id).into();
    }
    Ok(Answer::ok(answer))
}
