//! `GET /users/{id}/groups`: nested ones included.

use super::shown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::api::users;
use crate::store::groups_read;
use serde_json::json;

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let user = users::find(call).await?;
    let list = format!("groups of {}", user.id);
    let page = Page::of(call, &list)?;
    // Who is blocked is in no group.
    let found = match user.blocked {
        true => Vec::new(),
        false => groups_read::of_user(&call.api.store, &call.tenant, &user.id, &page.after, page.take + 1).await?,
    };
    let (found, next) = page.of_groups(found);
    let groups: Vec<_> =
        found.iter().filter(|group| group.mapped.get("skipped").is_none()).map(|group| shown(call, group)).collect();
    let mut answer = json!({ "groups": groups });
    if let Some(next) = next {
        answer["next"] = Page::next(call, &list, &next).into();
    }
    Ok(Answer::ok(answer))
}
