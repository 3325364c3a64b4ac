//! Where in the feed somebody begins.

use super::super::call::Call;
use super::super::problem::Problem;
use crate::clock::Micros;
use crate::events::cursor;

/// Where to begin if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Oldest,
    Newest,
}

/// The place that `cursor`, else `from_timestamp` names.
///
/// # Errors
/// 400 for what is no place of this feed, 410 for one whose following events are not all kept any more.
pub(super) async fn place(call: &Call<'_>, from: Option<&str>, otherwise: Otherwise) -> Result<i64, Problem> {
    let (reader, tenant) = (&call.api.reader, &call.tenant);
    let Some(text) = from else {
        return Ok(match (call.parameter("from_timestamp"), otherwise) {
            (Some(text), _) => {
                let place = reader.since(tenant, instant(text)?).await?;
                place.max(reader.oldest(tenant).await?)
            }
            (None, Otherwise::Oldest) => reader.oldest(tenant).await?,
            (None, Otherwise::Newest) => reader.newest(tenant).await?,
        });
    };
    let position = cursor::open(&call.api.keys, tenant, text)
        .ok_or_else(|| Problem::query("Query validation error: 'from' must be the 'next' of an earlier part of this feed"))?;
    if !reader.reaches(tenant, position).await? {
        return Err(Problem::cursor_expired());
    }
    Ok(position)
}

fn instant(text: &str) -> Result<Micros, Problem> {
    let wanted = || Problem::query("Query validation error: 'from_timestamp' must be an instant like 2026-11-28T12:00:00Z");
    Ok(text.parse::<jiff::Timestamp>().map_err(|_| wanted())?.as_microsecond())
}
