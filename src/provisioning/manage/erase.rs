//! Erasure (profile.md §10, §20): the person goes with all that names them, no source brings them back, and whoever asked gets a
//! document that proves it. The shell, and what the document says; what goes is decided in [`super::delete`].
//!
//! What names them elsewhere is cleaned first, a page at a time, so that an erasure that is broken off finds them still and goes on
//! when it is asked for again.

use super::update::Person;
use super::write::Asked;
use super::{Error, Refused, delete};
use crate::clock::rfc3339;
use crate::model::ids::ProfileId;
use crate::provisioning::Provisioner;
use crate::provisioning::rounds::Rounds;
use crate::provisioning::user_id::hex;
use crate::store::links::Linked;
use crate::store::{Batch, erasure, links};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Log rows cleaned in one batch.
const ROWS: i64 = 500;

/// Signs a text with a key of the installation.
pub type Signs<'a> = &'a (dyn Fn(&str) -> String + Send + Sync);

impl Provisioner {
    /// Erases the person that bears `user_id`; the proof of it. With a dry run nothing goes and nothing is signed.
    ///
    /// # Errors
    /// [`Refused::NotFound`], else what stopped us: asked again it goes on.
    pub async fn erase_person(&self, asked: &Asked<'_>, user_id: &str, signs: Signs<'_>) -> Result<Value, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        let mut cleaned = 0;
        loop {
            let person = self.person(asked.tenant, user_id).await?.ok_or(Refused::NotFound)?;
            let linked = links::of_primary(&self.store, asked.tenant, &person.user.id).await?;
            let writer = self.writer(asked);
            let mut plan = delete::delete(&writer, &person, true);
            for held in person.identities.iter().skip(1) {
                // What was linked is not kept by its name either.
                plan.unburied.extend(self.user_ids(asked, held).await?.0);
            }
            let before: Vec<ProfileId> =
                std::iter::once(person.user.id.clone()).chain(linked.iter().map(|linked| linked.user.id.clone())).collect();
            if !asked.dry_run {
                cleaned += self.clean_log(asked, &before, &person.user.user_id).await?;
            }
            let id = writer.moment.id();
            let told = Told { id: &id, at: writer.moment.now, cleaned, erased: plan.erased.len() };
            let document = document(asked, &person, &linked, &told);
            if asked.dry_run {
                return Ok(json!({"dry_run": true, "step": "erase", "document": document}));
            }
            let text = Value::Object(document.clone()).to_string();
            if let Some(log) = plan.log.first_mut() {
                log.detail = Some(json!({"erasure": id, "sha256": hex(&Sha256::digest(&text))}).to_string());
            }
            let mut batch = plan.batch();
            for held in &person.identities {
                let identity = &held.identity;
                let names = [&identity.external_id, &identity.user_name, &identity.user_name_key];
                let mut names: Vec<&str> = names.into_iter().filter_map(|name| name.as_deref()).collect();
                names.sort_unstable();
                names.dedup();
                erasure::forget_conflicts(&mut batch, asked.tenant, &identity.connection_id, &identity.id, &names);
            }
            match self.store.apply(batch).await {
                Ok(()) => {
                    // Whatever happened to them between the cleaning and their end.
                    let own = plan.log.first().map(|log| log.id.clone());
                    self.clean_rest(asked, &before, &person.user.user_id, own.as_deref()).await?;
                    return Ok(json!({"document": document, "signature": signs(&text)}));
                }
                Err(reason) => rounds.again(reason).await?,
            }
        }
    }

    async fn clean_log(&self, asked: &Asked<'_>, profiles: &[ProfileId], user_id: &str) -> Result<usize, Error> {
        let mut cleaned = 0;
        for profile in profiles {
            let mut after = String::new();
            loop {
                let ids = erasure::log_of(&self.store, asked.tenant, profile, &after, ROWS).await?;
                let Some(last) = ids.last() else { break };
                after.clone_from(last);
                let mut batch = Batch::default();
                erasure::clean_log(&mut batch, asked.tenant, &ids, &format!("user:{user_id}"));
                self.store.apply(batch).await?;
                cleaned += ids.len();
            }
        }
        Ok(cleaned)
    }

    /// All but the row that tells of the erasure itself.
    async fn clean_rest(&self, asked: &Asked<'_>, profiles: &[ProfileId], user_id: &str, own: Option<&str>) -> Result<(), Error> {
        for profile in profiles {
            let mut ids = erasure::log_of(&self.store, asked.tenant, profile, "", ROWS).await?;
            ids.retain(|id| own != Some(id.as_str()));
            let mut batch = Batch::default();
            erasure::clean_log(&mut batch, asked.tenant, &ids, &format!("user:{user_id}"));
            self.store.apply(batch).await?;
        }
        Ok(())
    }
}

struct Told<'t> {
    id: &'t str,
    at: i64,
    cleaned: usize,
    erased: usize,
}

/// What is said of it: nothing that names the person but the id of a profile that is gone.
fn document(asked: &Asked<'_>, person: &Person, linked: &[Linked], told: &Told<'_>) -> Map<String, Value> {
    let gone = json!({
        "profile": person.user.id,
        "identities": person.identities.len(),
        "linked_profiles": linked.len(),
        "log_rows_cleaned": told.cleaned,
        "besides": ["metadata", "raw payloads", "history", "blocks", "sessions", "grants", "inbox rows"],
    });
    let stays = json!({
        "hashes_of_external_ids": told.erased,
        "because": "so that no source brings the person back",
        "until_their_retention_ends": ["recorded traffic", "log rows of refused logins of unknown people", "backups"],
    });
    let members = [
        ("erasure", json!(told.id)),
        ("tenant", json!(asked.tenant.as_str())),
        ("at", json!(rfc3339(told.at))),
        ("by", json!(asked.actor)),
        ("request_id", json!(asked.request_id)),
        ("gone", gone),
        ("stays", stays),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
