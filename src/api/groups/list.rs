//! `GET /groups`, by checkpoint.

use super::shown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::{Page, with_fields};
use crate::api::problem::Problem;
use crate::store::groups_read::{self, Which};
use serde_json::json;

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let which = which(call)?;
    let list = format!("groups {which:?}");
    let page = Page::of(call, &list)?;
    let (found, next) =
        page.of_groups(groups_read::list(&call.api.store, &call.tenant, &which, &page.after, page.take + 1).await?);
    let groups = found.iter().map(|group| with_fields(call, shown(call, group))).collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({ "groups": groups });
    if let Some(next) = next {
        answer["next"] = Page::next(call, &list, &next).into();
    }
    Ok(Answer::ok(answer))
}

fn which(call: &Call<'_>) -> Result<Which, Problem> {
    let ways: [(&str, fn(String) -> Which); 4] = [
        ("connection_id", Which::OfConnection),
        ("name", Which::Named),
        ("external_id", Which::ExternalId),
        ("search", Which::Beginning),
    ];
    let mut asked = ways.into_iter().filter_map(|(name, which)| call.parameter(name).map(|text| which(text.to_owned())));
    match (asked.next(), asked.next()) {
        (None, _) => Ok(Which::All),
        (Some(which), None) => Ok(which),
        _ => Err(Problem::query("Query validation error: one of connection_id, name, external_id and search is enough")),
    }
}

impl Page {
    /// The groups of this page of one more, and the key of the next page.
    pub(super) fn of_groups(&self, mut found: Vec<groups_read::GroupRecord>) -> (Vec<groups_read::GroupRecord>, Option<String>) {
        let take = usize::try_from(self.take).unwrap_or_default();
        let more = found.len() > take;
        found.truncate(take);
        let next = found.last().filter(|_| more).map(|group| group.id.clone());
        (found, next)
    }
}
