//! What may be said of a webhook, by whoever says it. Pure.

use super::signature;
use crate::clock::{Entropy, Micros};
use crate::model::event::EVENT_TYPES;
use crate::model::ids::{TenantId, WebhookId};
use crate::model::nearest::nearest;
use crate::model::webhook::{DESCRIPTION_CHARS_MAX, URL_BYTES_MAX, Webhook};
use crate::outbound;
use crate::secret::{KeyRing, Secret};
use crate::store::webhooks::{Fares, StoredWebhook};

/// How long a former secret signs too, unless somebody says otherwise, and at most.
pub const OVERLAP_SECONDS: i64 = 86_400;
pub const OVERLAP_SECONDS_MAX: i64 = 30 * 86_400;

/// What somebody wants of a webhook; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub url: Option<String>,
    pub description: Option<String>,
    pub types: Option<Vec<String>>,
    pub enabled: Option<bool>,
    /// `Some`: the operator says it. Whoever comes by the API never does.
    pub allow_plaintext: Option<bool>,
}

/// What is wrong, by the name of the member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {says}")]
pub struct Wrong {
    pub field: &'static str,
    pub says: String,
}

fn wrong(field: &'static str, says: impl Into<String>) -> Wrong {
    Wrong { field, says: says.into() }
}

/// A webhook as it would be, with its secret.
pub fn create(
    (tenant, id): (&TenantId, WebhookId),
    wanted: Wanted,
    position: i64,
    (keys, entropy): (&KeyRing, &Entropy),
    now: Micros,
) -> Result<(StoredWebhook, Secret<String>), Wrong> {
    let Some(url) = wanted.url else { return Err(wrong("url", "wanted the address that events are posted to")) };
    let webhook = Webhook {
        tenant_id: tenant.clone(),
        id,
        url,
        description: wanted.description.unwrap_or_default(),
        types: in_order(wanted.types.unwrap_or_default()),
        allow_plaintext: wanted.allow_plaintext.unwrap_or(false),
        enabled: wanted.enabled.unwrap_or(true),
        disabled_because: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    check(&webhook)?;
    let secret = signature::generate(entropy);
    let sealed = signature::seal(&secret, tenant, &webhook.id, keys, entropy);
    let fares = Fares { position, ..Fares::default() };
    Ok((StoredWebhook { webhook, secret: sealed, former: None, fares }, secret))
}

/// What `stored` becomes.
pub fn update(stored: &StoredWebhook, wanted: Wanted) -> Result<StoredWebhook, Wrong> {
    let mut after = stored.clone();
    let (webhook, by_operator) = (&mut after.webhook, wanted.allow_plaintext.is_some());
    if let Some(url) = wanted.url {
        // Who may not open this machine may not choose what of it is called either.
        if webhook.allow_plaintext && !by_operator && url != webhook.url {
            return Err(wrong("url", "this one leads to the gateway's own machine, and only the operator can change where to"));
        }
        webhook.url = url;
    }
    webhook.description = wanted.description.unwrap_or_else(|| std::mem::take(&mut webhook.description));
    webhook.types = wanted.types.map_or_else(|| std::mem::take(&mut webhook.types), in_order);
    webhook.allow_plaintext = wanted.allow_plaintext.unwrap_or(webhook.allow_plaintext);
    if let Some(enabled) = wanted.enabled {
        webhook.enabled = enabled;
        if enabled {
            // Somebody says that it is there: it is looked for at once.
            webhook.disabled_because = None;
            (after.fares.failures, after.fares.paused_until) = (0, None);
        }
    }
    check(&after.webhook)?;
    Ok(after)
}

/// A new secret; the one until now signs too before `until`.
pub fn rotate(stored: &StoredWebhook, until: Micros, (keys, entropy): (&KeyRing, &Entropy)) -> (StoredWebhook, Secret<String>) {
    let (secret, mut after) = (signature::generate(entropy), stored.clone());
    after.former = Some((std::mem::take(&mut after.secret), until));
    after.secret = signature::seal(&secret, &after.webhook.tenant_id, &after.webhook.id, keys, entropy);
    (after, secret)
}

fn in_order(types: Vec<String>) -> Vec<String> {
    let (known, strange): (Vec<_>, Vec<_>) = types.into_iter().partition(|kind| EVENT_TYPES.contains(&kind.as_str()));
    let in_order = EVENT_TYPES.iter().filter(|kind| known.iter().any(|one| one == *kind)).map(|kind| (*kind).to_owned());
    in_order.chain(strange).collect()
}

fn check(webhook: &Webhook) -> Result<(), Wrong> {
    if webhook.url.len() > URL_BYTES_MAX || webhook.url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong("url", format!("wanted an address of at most {URL_BYTES_MAX} bytes without blanks")));
    }
    outbound::check(&webhook.url, webhook.allow_plaintext)
        .map_err(|error| wrong("url", format!("{error}. {}", error.advice())))?;
    if webhook.description.chars().count() > DESCRIPTION_CHARS_MAX || webhook.description.chars().any(char::is_control) {
        return Err(wrong("description", format!("wanted at most {DESCRIPTION_CHARS_MAX} characters on one line")));
    }
    known_types(&webhook.types).map_err(|says| wrong("types", says))
}

/// # Errors
/// The first that is no type of event, and the nearest that is.
pub fn known_types(types: &[String]) -> Result<(), String> {
    let Some(strange) = types.iter().find(|kind| !EVENT_TYPES.contains(&kind.as_str())) else { return Ok(()) };
    let shown: String = strange.chars().take(64).filter(|c| !c.is_control()).collect();
    Err(match nearest(&shown, EVENT_TYPES.into_iter()) {
        Some(near) => format!("{shown} is no type of event; did you mean {near}?"),
        None => format!("{shown} is no type of event; there are {}", EVENT_TYPES.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Wanted {
        Wanted { url: Some(url.to_owned()), ..Wanted::default() }
    }

    fn made(wanted: Wanted) -> Result<StoredWebhook, Wrong> {
        let (keys, tenant) = (KeyRing::new(Secret::new([1; 32]), None), TenantId::new("t"));
        create((&tenant, WebhookId::new("wh_1")), wanted, 7, (&keys, &Entropy::system()), 5).map(|(stored, _)| stored)
    }

    #[test]
    fn one_is_on_wants_all_types_and_begins_where_it_is_told_to() {
        let stored = made(at("https://app.example.com/hook")).expect("fine");
        assert!(stored.webhook.enabled && stored.webhook.types.is_empty() && stored.webhook.wants("user.deleted"));
        assert_eq!((stored.fares.position, stored.former), (7, None));
        let types = vec!["user.deleted".to_owned(), "user.created".to_owned(), "user.deleted".to_owned()];
        let stored = made(Wanted { types: Some(types), ..at("https://app.example.com/hook") }).expect("fine");
        assert_eq!(stored.webhook.types, ["user.created", "user.deleted"], "each once, in their order");
        assert!(!stored.webhook.wants("user.updated"));
    }

    #[test]
    fn what_may_not_be_said_is_refused_by_name() {
        for (wanted, field) in [
            (Wanted::default(), "url"),
            (at("http://app.example.com/"), "url"),
            (at("https://127.0.0.1/"), "url"),
            (at("https://app.example.com/ x"), "url"),
            (at(&format!("https://app.example.com/{}", "x".repeat(URL_BYTES_MAX))), "url"),
            (Wanted { types: Some(vec!["user.craeted".into()]), ..at("https://a.example/") }, "types"),
            (Wanted { description: Some("x".repeat(257)), ..at("https://a.example/") }, "description"),
        ] {
            assert_eq!(made(wanted.clone()).expect_err("refused").field, field, "{wanted:?}");
        }
        let says = known_types(&["user.craeted".into()]).expect_err("refused");
        assert!(says.contains("did you mean user.created?"), "{says}");
    }

    #[test]
    fn whoever_may_not_open_this_machine_may_not_choose_what_of_it_is_called() {
        let local = made(Wanted { allow_plaintext: Some(true), ..at("http://127.0.0.1:9000/a") }).expect("the operator may");
        assert_eq!(update(&local, at("http://127.0.0.1:9000/b")).expect_err("refused").field, "url");
        assert!(update(&local, at("http://127.0.0.1:9000/a")).is_ok(), "what stays is no change");
        assert!(update(&local, Wanted { allow_plaintext: Some(true), ..at("http://127.0.0.1:9000/b") }).is_ok());
        let off = Wanted { allow_plaintext: Some(false), ..Wanted::default() };
        assert_eq!(update(&local, off).expect_err("refused").field, "url");
    }

    #[test]
    fn switching_on_forgets_why_it_was_off() {
        let mut stored = made(at("https://a.example/")).expect("fine");
        (stored.webhook.enabled, stored.webhook.disabled_because) = (false, Some("410".into()));
        (stored.fares.failures, stored.fares.paused_until) = (9, Some(99));
        let after = update(&stored, Wanted { enabled: Some(true), ..Wanted::default() }).expect("fine");
        assert_eq!((after.webhook.enabled, after.webhook.disabled_because), (true, None));
        assert_eq!((after.fares.failures, after.fares.paused_until), (0, None));
        let described = update(&stored, Wanted { description: Some("x".into()), ..Wanted::default() }).expect("fine");
        assert_eq!((described.webhook.enabled, described.fares.failures), (false, 9));
    }

    #[test]
    fn a_rotated_secret_is_new_and_the_former_one_stays_for_a_while() {
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        let stored = made(at("https://a.example/")).expect("fine");
        let (after, secret) = rotate(&stored, 99, (&keys, &Entropy::system()));
        assert_eq!(after.former, Some((stored.secret.clone(), 99)));
        assert!(after.secret != stored.secret && secret.expose().starts_with("whsec_"));
    }
}
