//! `GET /groups/{id}/members`: those of the group itself, by checkpoint, however many there are.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::store::groups_read::{self, MemberRecord, Who};
use serde_json::{Value, json};

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let group = super::find(call).await?;
    let list = format!("members {}", group.id);
    let page = Page::of(call, &list)?;
    let mut found = groups_read::members(&call.api.store, &call.tenant, &group.id, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "members": found.iter().map(member).collect::<Vec<_>>() });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.member_id).into();
    }
    Ok(Answer::ok(answer))
}

fn member(member: &MemberRecord) -> Value {
    let added = rfc3339(member.added_at);
    match &member.who {
        Who::User { user_id } => json!({ "id": user_id, "member_type": "user", "created_at": added }),
        Who::Group { name } => {
            json!({ "id": member.member_id, "member_type": "group", "name": name, "created_at": added })
        }
    }
}
