//! The shell of what is done to whole people: linking, unlinking, undoing a link, deleting. As in [`super::write`].

use super::link::{self, MergeMetadata};
use super::people::PeoplePlan;
use super::update::Held;
use super::write::Asked;
use super::{Error, Refused, delete};
use crate::clock::Micros;
use crate::model::event::LogEntry;
use crate::model::ids::{ConnectionId, ProfileId};
use crate::provisioning::rounds::Rounds;
use crate::provisioning::{Expected, Provisioner, user_id};
use crate::store::links::{self, Linked};
use crate::store::{self, Batch, events};

/// How an identity is named outside: `google-oauth2` and `108…`, or the whole of it.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub provider: &'a str,
    pub user_id: &'a str,
    /// Of its connection, if there may be a doubt.
    pub connection_id: Option<&'a str>,
}

impl Named<'_> {
    fn meant(&self) -> Vec<String> {
        link::meant(self.provider, self.user_id)
    }
}

impl Provisioner {
    /// Makes the profile that bears the name part of the one that bears `user_id`. `across`: also where the two are of different
    /// organizations.
    ///
    /// # Errors
    /// [`Error::Refused`] by the rules of [`link::link`], else what stopped us.
    pub async fn link_people(
        &self,
        asked: &Asked<'_>,
        user_id: &str,
        named: Named<'_>,
        (merge, across): (MergeMetadata, bool),
    ) -> Result<PeoplePlan, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let primary = self.person(asked.tenant, user_id).await?.ok_or(Refused::NotFound)?;
            if let Some(held) = link::find(&primary, named.provider, named.user_id) {
                return Err(if held.identity.position == 0 { Refused::Itself } else { Refused::AlreadyLinked }.into());
            }
            let mut secondary = None;
            for whole in named.meant() {
                if secondary.is_none() {
                    secondary = self.person(asked.tenant, &whole).await?;
                }
            }
            let secondary = secondary.ok_or(Refused::NoSecondary)?;
            let is_of = |id: &str| secondary.identities.first().is_some_and(|held| held.connection.id.as_str() == id);
            if !named.connection_id.is_none_or(is_of) {
                return Err(Refused::NoSecondary.into());
            }
            let theirs = (&primary.user.organization_id, &secondary.user.organization_id);
            if !across && matches!(theirs, (Some(one), Some(other)) if one != other) {
                return Err(Refused::OtherOrganization.into());
            }
            let plan = link::link(&self.writer(asked), &primary, &secondary, merge)?;
            if self.is_done(asked, &plan, &mut rounds).await? {
                return Ok(plan);
            }
        }
    }

    /// Makes the identity a profile of its own.
    ///
    /// # Errors
    /// [`Error::Refused`] by the rules of [`link::unlink`], else what stopped us.
    pub async fn unlink_person(&self, asked: &Asked<'_>, user_id: &str, named: Named<'_>) -> Result<PeoplePlan, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let person = self.person(asked.tenant, user_id).await?.ok_or(Refused::NotFound)?;
            let held = link::find(&person, named.provider, named.user_id).ok_or(Refused::NotLinked)?;
            let linked = links::of_primary(&self.store, asked.tenant, &person.user.id).await?;
            let linked = link::linked_with(&linked, &held.identity.id);
            let user_ids = self.user_ids(asked, held).await?;
            let plan = link::unlink(&self.writer(asked), &person, held, linked, user_ids)?;
            if self.is_done(asked, &plan, &mut rounds).await? {
                return Ok(plan);
            }
        }
    }

    /// Puts back the profile that bore the name before it was linked to the one that bears `user_id`, if that was after `since`.
    ///
    /// # Errors
    /// [`Error::Refused`] by the rules of [`link::undo`], else what stopped us.
    pub async fn undo_link(
        &self,
        asked: &Asked<'_>,
        user_id: &str,
        named: Named<'_>,
        since: Micros,
    ) -> Result<PeoplePlan, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let person = self.person(asked.tenant, user_id).await?.ok_or(Refused::NotFound)?;
            let all: Vec<Linked> = links::of_primary(&self.store, asked.tenant, &person.user.id).await?;
            let meant = named.meant();
            let linked = all.iter().find(|linked| meant.contains(&linked.user.user_id) && linked.linked_at >= since);
            let linked = linked.ok_or(Refused::NothingToUndo)?;
            let plan = link::undo(&self.writer(asked), &person, linked, &all)?;
            if self.is_done(asked, &plan, &mut rounds).await? {
                return Ok(plan);
            }
        }
    }

    /// Takes the person away with every identity. `None`: nobody bears `user_id`.
    ///
    /// # Errors
    /// [`Refused::VersionMismatch`], else what stopped us.
    pub async fn delete_person(
        &self,
        asked: &Asked<'_>,
        user_id: &str,
        expected: &Expected,
    ) -> Result<Option<PeoplePlan>, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let Some(person) = self.person(asked.tenant, user_id).await? else { return Ok(None) };
            expected.check(person.user.version).map_err(|_| Refused::VersionMismatch)?;
            let plan = delete::delete(&self.writer(asked), &person, false);
            if self.is_done(asked, &plan, &mut rounds).await? {
                return Ok(Some(plan));
            }
        }
    }

    /// Stores `batch`, which forgets somebody's failures, with what tells of it.
    ///
    /// # Errors
    /// The store.
    pub async fn note_lifted(
        &self,
        asked: &Asked<'_>,
        profile: Option<&ProfileId>,
        connections: &[ConnectionId],
        mut batch: Batch,
    ) -> Result<(), store::Error> {
        let writer = self.writer(asked);
        let entry = |connection: &ConnectionId| LogEntry {
            id: writer.moment.id(),
            kind: "block.lifted",
            outcome: "ok",
            connection_id: Some(connection.clone()),
            profile_id: profile.cloned(),
            actor: asked.actor.to_owned(),
            request_id: asked.request_id.to_owned(),
            detail: Some(serde_json::json!({"kind": "bruteforce"}).to_string()),
            at: writer.moment.now,
            ..LogEntry::default()
        };
        let log: Vec<LogEntry> = connections.iter().map(entry).collect();
        events::insert_log(&mut batch, asked.tenant, &log);
        self.store.apply(batch).await
    }

    /// Stores it, unless it is only to be seen. False: a row moved meanwhile.
    async fn is_done(&self, asked: &Asked<'_>, plan: &PeoplePlan, rounds: &mut Rounds<'_>) -> Result<bool, Error> {
        if asked.dry_run {
            return Ok(true);
        }
        match self.store.apply(plan.batch()).await {
            Ok(()) => Ok(true),
            Err(reason) => rounds.again(reason).await.map(|()| false).map_err(Error::from),
        }
    }

    /// The `user_id` that comes back when the identity is a profile of its own again, and one that is free.
    pub(super) async fn user_ids(&self, asked: &Asked<'_>, held: &Held) -> Result<(Option<String>, String), Error> {
        let identity = &held.identity;
        let wanted = user_id::wanted(&held.connection, identity.external_id.as_deref(), identity.id.as_str());
        let former = links::former_user_id(&self.store, asked.tenant, &wanted, &identity.id).await?;
        let question = store::identities::Wanted {
            external_id: None,
            user_name_key: None,
            email_key: None,
            user_id: &wanted,
            erased_hash: None,
        };
        let claims = store::identities::find_claims(&self.store, &held.connection, &question).await?;
        Ok((former, user_id::free(&wanted, &claims.user_ids_taken)))
    }
}
