//! `GET /logs`: what follows an entry (`from`, `take`), or a search (`q`, pages by number).
//!
//! A search goes along one index, the narrowest that the query names, and asks the rest of each entry it meets there. How many
//! entries it may meet is bounded; whoever wants more than that narrows the query.

use super::search::{self, Filter};
use super::shown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::{self, Offset, with_fields};
use crate::api::problem::Problem;
use crate::model::log_type;
use crate::store::logs::{self, By, LogRecord, Wanted};
use crate::store::{connections, users_read};
use axum::http::HeaderValue;
use axum::http::header::LINK;
use serde_json::Value;

/// Entries a search may meet.
const LOOKED_AT: usize = 20_000;
/// Entries read at a time.
const PART: i64 = 1_000;
/// How far a total is counted: as far as pages by number lead.
const COUNTED: i64 = 1_000;
/// Longest id that is looked for.
const ID_CHARS_MAX: usize = 64;

/// A search.
pub(super) struct Asked {
    pub(super) by: By,
    pub(super) filter: Filter,
    pub(super) newest_first: bool,
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let Some(offset) = Offset::of(call)? else { return following(call).await };
    let newest_first = newest_first(call)?;
    let text = call.parameter("q").or_else(|| call.parameter("search")).unwrap_or_default();
    let filter = search::parse(text).map_err(|refused| Problem::query(refused.to_string()))?;
    let Some((by, filter)) = led(call, filter).await? else {
        return Ok(Answer::ok(offset.answer("logs", Vec::new(), 0)));
    };
    answered(call, &Asked { by, filter, newest_first }, offset).await
}

/// What came after an entry. The link leads on from the last one, and where nothing came yet to the same place.
async fn following(call: &Call<'_>) -> Result<Answer, Problem> {
    let from = call.parameter("from").unwrap_or_default();
    if from.len() > ID_CHARS_MAX || !from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Problem::query("Query validation error: 'from' must be a log_id"));
    }
    let take = page::take(call)?;
    let (store, tenant) = (&call.api.store, &call.tenant);
    let rows = logs::after(store, tenant, from, take).await?;
    let last = rows.last().map_or(from, |row| row.id.as_str()).to_owned();
    let mut answer = Answer::ok(Value::Array(shown(call, &rows).await?));
    let link = match last.as_str() {
        "" => format!("<{}/api/v2/logs?take={take}>; rel=\"next\"", call.api.public_url),
        last => format!("<{}/api/v2/logs?from={last}&take={take}>; rel=\"next\"", call.api.public_url),
    };
    // Ids are letters, digits and dashes, and the address was checked at start.
    answer.headers.extend(HeaderValue::from_str(&link).ok().map(|link| (LINK, link)));
    Ok(answer)
}

async fn shown(call: &Call<'_>, rows: &[LogRecord]) -> Result<Vec<Value>, Problem> {
    let names = logs::names(&call.api.store, &call.tenant, rows).await?;
    Ok(rows.iter().map(|row| shown::entry(row, &names)).collect())
}

/// `sort`: by date, the newest first if nothing is said.
pub(super) fn newest_first(call: &Call<'_>) -> Result<bool, Problem> {
    match call.parameter("sort") {
        None | Some("date:-1") => Ok(true),
        Some("date:1") => Ok(false),
        Some(_) => Err(Problem::query("Query validation error: 'sort' must be date:-1 or date:1")),
    }
}

/// Whom a `user_id` means, and of somebody who is gone whom it meant.
pub(super) async fn of_person(call: &Call<'_>, user_id: &str) -> Result<Option<By>, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    if let Some(user) = users_read::find_by_user_id(store, tenant, user_id).await? {
        return Ok(Some(By::Profile(user.id.to_string())));
    }
    let by = By::Gone(user_id.to_owned());
    let gone = Wanted { by: by.clone(), after: String::new(), before: String::new(), newest_first: true };
    let rows = logs::page(store, tenant, &gone, 1, 0).await?;
    Ok(rows.into_iter().next().map(|row| row.profile_id.map_or(by, By::Profile)))
}

/// The narrowest index that the filter names, and what is left to ask; `None` if what it names is not there.
async fn led(call: &Call<'_>, filter: Filter) -> Result<Option<(By, Filter)>, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    if let Some((user_id, rest)) = filter.without_exact("user_id") {
        return Ok(of_person(call, &user_id).await?.map(|by| (by, rest)));
    }
    if let Some((address, rest)) = filter.without_exact("ip") {
        return Ok(Some((By::Ip(address), rest)));
    }
    if let Some((id, rest)) = filter.without_exact("client_id") {
        return Ok(Some((By::Client(id), rest)));
    }
    if let Some((name, rest)) = filter.without_exact("type")
        && log_type::is_rare_type(&name)
    {
        return Ok(Some((By::Type(name), rest)));
    }
    if let Some((id, rest)) = filter.without_exact("connection_id") {
        return Ok(Some((By::Connection(id), rest)));
    }
    if let Some((name, rest)) = filter.without_exact("connection") {
        let found = connections::find_by_name(store, tenant, &name).await?;
        return Ok(found.map(|found| (By::Connection(found.connection.id.to_string()), rest)));
    }
    Ok(Some((By::All, filter)))
}

/// A part of what a search finds.
pub(super) async fn answered(call: &Call<'_>, asked: &Asked, offset: Offset) -> Result<Answer, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    let (after, before) = asked.filter.ids();
    let mut wanted = Wanted { by: asked.by.clone(), after, before, newest_first: asked.newest_first };
    let (entries, total) = if asked.filter.asks_nothing() {
        let rows = logs::page(store, tenant, &wanted, offset.per_page, offset.start()).await?;
        let total = if offset.wants_total() { logs::count(store, tenant, &wanted, COUNTED).await? } else { 0 };
        (shown(call, &rows).await?, total)
    } else {
        let start = as_count(offset.start());
        let enough = if offset.wants_total() { as_count(COUNTED) } else { start + as_count(offset.per_page) };
        let mut found = Vec::new();
        let mut looked = 0;
        while found.len() < enough {
            let rows = logs::page(store, tenant, &wanted, PART, 0).await?;
            let Some(last) = rows.last() else { break };
            let place = if asked.newest_first { &mut wanted.before } else { &mut wanted.after };
            place.clone_from(&last.id);
            found.extend(shown(call, &rows).await?.into_iter().filter(|entry| asked.filter.matches(entry)));
            looked += rows.len();
            if rows.len() < as_count(PART) {
                break;
            }
            if looked >= LOOKED_AT && found.len() < start + as_count(offset.per_page) {
                return Err(Problem::query(format!(
                    "the search looked at {LOOKED_AT} entries and was not at its end: narrow it by date, or by user_id, ip, \
                     client_id, type or connection"
                )));
            }
            if looked >= LOOKED_AT {
                break;
            }
        }
        found.truncate(enough);
        let total = i64::try_from(found.len()).unwrap_or(COUNTED);
        (found.into_iter().skip(start).take(as_count(offset.per_page)).collect(), total)
    };
    let entries = entries.into_iter().map(|entry| with_fields(call, entry)).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::ok(offset.answer("logs", entries, total)))
}

fn as_count(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
