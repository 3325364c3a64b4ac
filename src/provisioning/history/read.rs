//! The rows behind an answer, a part at a time: what is kept in memory is the profile and one part. Events newer than the profile
//! that was read first are another answer's.

use super::changes::{self, Behind, Change};
use super::why::{self, Reason};
use super::{AsOf, Error, as_of, is_within, makes};
use crate::clock::Micros;
use crate::model::ids::TenantId;
use crate::provisioning::mappings;
use crate::provisioning::provenance::Provenance;
use crate::store::users_read::{self, HistoryRecord, IdentityRecord, UserRecord};
use crate::store::{self, Store, mapping_versions};
use serde_json::Value;
use std::collections::HashMap;

/// Events one answer goes back over.
pub const EVENTS_MAX: usize = 20_000;
/// Events read at a time.
const PART: usize = 500;
/// Events of before the moment that reasons look back at.
const LOOKED_BACK: i64 = 500;
/// Events looked through for one part of a list, and newer ones that say what came after.
const LOOKED_AT: usize = 5_000;

/// A profile to be asked about.
pub struct Subject<'a> {
    pub store: &'a Store,
    pub tenant: &'a TenantId,
    pub user: UserRecord,
    pub identities: Vec<IdentityRecord>,
    /// As it is, with its reasons spelled out.
    now: AsOf,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// The store's.
    pub async fn load(store: &'a Store, tenant: &'a TenantId, user: UserRecord) -> Result<Self, store::Error> {
        let identities = users_read::identities(store, tenant, &user.id).await?;
        let user = match Provenance::parse(&user.provenance.to_string()) {
            Some(stored) => UserRecord { provenance: Value::Object(stored.explained()), ..user },
            // It stands there spelled out.
            None => user,
        };
        let now = AsOf::now(&user, &identities);
        Ok(Self { store, tenant, user, identities, now })
    }

    /// The profile as it was at `at`; `None`: there was none yet.
    ///
    /// # Errors
    /// The store's, [`Error::TooMany`].
    pub async fn as_of(&self, at: Micros) -> Result<Option<AsOf>, Error> {
        if self.user.created_at > at {
            return Ok(None);
        }
        let mut then = self.now.clone();
        let mut below = self.user.version.saturating_add(1);
        let mut looked = 0;
        loop {
            let part = self.before(below, PART).await?;
            let newer = as_of::newer(&part, at);
            for event in &part[..newer] {
                if !then.undo(event) {
                    return Ok(None);
                }
            }
            match part.last() {
                Some(last) if newer == part.len() && part.len() == PART => below = last.version,
                _ => return Ok(Some(then)),
            }
            looked += newer;
            if looked >= EVENTS_MAX {
                return Err(Error::TooMany);
            }
        }
    }

    /// Why each attribute that is `asked` for is so, or was at `at`: `None` if there was no profile then.
    ///
    /// # Errors
    /// As [`Self::as_of`].
    pub async fn why(&self, asked: Option<&str>, at: Option<Micros>) -> Result<Option<Vec<Reason>>, Error> {
        let then = match at {
            None => self.now.clone(),
            Some(at) => match self.as_of(at).await? {
                Some(then) => then,
                None => return Ok(None),
            },
        };
        let before = users_read::history_before(self.store, self.tenant, &self.user.id, then.version + 1, LOOKED_BACK).await?;
        let paths = why::attributes(&then, &before).into_iter().filter(|path| asked.is_none_or(|asked| is_within(path, asked)));
        let mut reasons: Vec<Reason> =
            paths.map(|path| why::explain(&path, &then, &self.now, &before, &self.identities)).collect();
        self.with_rules(&mut reasons).await?;
        Ok(Some(reasons))
    }

    /// The names of everything that has or had a reason.
    ///
    /// # Errors
    /// The store's.
    pub async fn attributes(&self) -> Result<Vec<String>, Error> {
        let below = self.user.version + 1;
        let before = users_read::history_before(self.store, self.tenant, &self.user.id, below, LOOKED_BACK).await?;
        Ok(why::attributes(&self.now, &before))
    }

    /// Changes from a place on, newest first, `take` of them at most; and the place behind them if there may be more.
    ///
    /// # Errors
    /// The store's.
    pub async fn changes<T>(
        &self,
        asked: Option<&str>,
        place: Option<Place>,
        take: usize,
        shown: impl Fn(&Change<'_>) -> T,
    ) -> Result<(Vec<T>, Option<Place>), Error> {
        let mut found = Vec::new();
        let mut place = place.unwrap_or(Place { version: self.user.version, skip: 0 });
        let mut looked = 0;
        loop {
            // Each event has a change, but for one that says only that nothing was there.
            let limit = if asked.is_some() { PART } else { PART.min(take + 2) };
            let rows = self.before(place.version + 1, limit).await?;
            let Some(last) = rows.last() else { return Ok((found, None)) };
            let (oldest, is_full) = (last.version, rows.len() == limit);
            let behind = self.behind(&rows, asked).await?;
            for change in changes::changes(&rows, behind, &self.now, asked) {
                if change.event.version == place.version && change.number < place.skip {
                    continue;
                }
                if found.len() == take {
                    return Ok((found, Some(Place { version: change.event.version, skip: change.number })));
                }
                found.push(shown(&change));
            }
            if !is_full {
                return Ok((found, None));
            }
            place = Place { version: oldest - 1, skip: 0 };
            looked += rows.len();
            if looked >= LOOKED_AT {
                return Ok((found, Some(place)));
            }
        }
    }

    /// What newer rows say of what these changed.
    async fn behind(&self, rows: &[HistoryRecord], asked: Option<&str>) -> Result<Behind, Error> {
        let newest = rows.first().map_or(self.user.version, |row| row.version);
        if newest >= self.user.version {
            return Ok(Behind::newest());
        }
        let mut behind = Behind::default();
        let mut above = newest;
        let mut looked = 0;
        while !behind.open(rows, &self.now, |path| asked.is_none_or(|asked| is_within(path, asked))).is_empty() {
            let part = users_read::history_after(self.store, self.tenant, &self.user.id, above, as_limit(PART)).await?;
            part.iter()
                .filter(|event| event.version <= self.user.version && !makes(&event.changes))
                .for_each(|event| behind.note(event));
            match part.last() {
                Some(last) if part.len() == PART && last.version < self.user.version => above = last.version,
                _ => {
                    behind.complete();
                    break;
                }
            }
            looked += part.len();
            if looked >= LOOKED_AT {
                break;
            }
        }
        Ok(behind)
    }

    async fn before(&self, version: i64, limit: usize) -> Result<Vec<HistoryRecord>, store::Error> {
        users_read::history_before(self.store, self.tenant, &self.user.id, version, as_limit(limit)).await
    }

    /// With the text of each rule that is not there yet, from the mapping as it was published.
    async fn with_rules(&self, reasons: &mut [Reason]) -> Result<(), Error> {
        let mut texts: HashMap<(String, i64), Option<String>> = HashMap::new();
        for reason in reasons {
            let by = &mut reason.provenance;
            if by.contains_key("rule") {
                continue;
            }
            let version = by.get("mapping_version").and_then(Value::as_i64);
            let (Some(name), Some(version)) = (by.get("mapping").and_then(Value::as_str), version) else { continue };
            let key = (name.to_owned(), version);
            if !texts.contains_key(&key) {
                let published = mapping_versions::find(self.store, self.tenant, name, version).await?;
                let listing = published.map(mappings::published).transpose()?.map(|published| published.listing());
                texts.insert(key.clone(), listing);
            }
            let line = by.get("line").and_then(Value::as_u64).and_then(|line| usize::try_from(line).ok()).unwrap_or_default();
            let rule = texts[&key].as_deref().and_then(|text| text.lines().nth(line.checked_sub(1)?));
            if let Some(rule) = rule {
                by.insert("rule".into(), rule.into());
            }
        }
        Ok(())
    }
}

/// Where a list goes on: at this change of this version's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub version: i64,
    pub skip: usize,
}

impl Place {
    pub fn to_text(self) -> String {
        format!("{}:{}", self.version, self.skip)
    }

    /// The same, read.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, skip) = text.split_once(':')?;
        Some(Self { version: version.parse().ok()?, skip: skip.parse().ok()? })
    }
}

fn as_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
