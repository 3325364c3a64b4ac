//! `GET /users/{id}/logs`: also of somebody who is gone, as long as the log keeps it.

use super::list::{self, Asked};
use super::search::Filter;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Offset;
use crate::api::problem::Problem;

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let offset = Offset::by_number(call)?;
    let by = list::of_person(call, call.id_after("users")).await?.ok_or_else(Problem::no_user)?;
    let asked = Asked { by, filter: Filter::default(), newest_first: list::newest_first(call)? };
    list::answered(call, &asked, offset).await
}
