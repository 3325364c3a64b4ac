//! `GET /users/{id}/history`

use super::{Answer, at, keyed, subject};
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::api::users::shown;
use crate::clock::{Micros, rfc3339};
use crate::provisioning::history::Hiding;
use crate::provisioning::history::read::{Place, Subject};
use serde_json::{Map, Value, json};

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let subject = subject(call).await?;
    let keyed = keyed(call);
    let hiding = Hiding(&keyed);
    let asked = call.parameter("attribute");
    if let Some(at) = at(call)? {
        return then(&subject, asked, at, hiding).await;
    }
    let list = format!("history {} {}", subject.user.id, asked.unwrap_or_default());
    let page = Page::of(call, &list)?;
    // What was sealed here reads.
    let place = Place::parse(&page.after);
    let take = usize::try_from(page.take).unwrap_or_default();
    let (changes, next) = subject.changes(asked, place, take, |change| change.as_json(hiding)).await?;
    let mut answer = json!({ "history": changes });
    if let Some(next) = next {
        answer["next"] = Page::next(call, &list, &next.to_text()).into();
    }
    Ok(Answer::ok(answer))
}

/// The whole profile as it was at a moment, and why.
async fn then(subject: &Subject<'_>, asked: Option<&str>, at: Micros, hiding: Hiding<'_>) -> Result<Answer, Problem> {
    let (Some(then), Some(reasons)) = (subject.as_of(at).await?, subject.why(asked, Some(at)).await?) else {
        return Err(Problem::no_user());
    };
    let shown = shown::profile(&subject.user.user_id, &then.doc.0).into_iter();
    let mut profile: Map<String, Value> = shown.map(|(name, value)| (name.clone(), hiding.shown(&name, value))).collect();
    profile.insert("blocked".into(), then.blocked.into());
    if let Some(groups) = then.groups {
        profile.insert("groups".into(), groups);
    }
    let why: Value = reasons.iter().map(|reason| reason.as_json(hiding)).collect();
    Ok(Answer::ok(json!({ "at": rfc3339(at), "version": then.version, "profile": profile, "why": why })))
}
