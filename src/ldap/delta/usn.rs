//! Changes by Active Directory's count of them. Each server counts for itself: a count belongs to the database it was read
//! from. Four things are asked for: the ids of everything that changed in the domain, so that who left the area is seen;
//! what of it is in the area; what lies in folders that changed; and who was deleted.

use super::active_directory::{CANDIDATES_MAX, Kind, Phase, Queue, Server, everybody_has_an_id, is_folder, of_candidates};
use super::cookie::{Fingerprint, Place};
use super::{Deletions, Doubt, Frame, Step, Stop, both, wire};
use crate::ldap::connect::Session;
use crate::ldap::dn::is_within;
use crate::ldap::failure::Cause;
use crate::ldap::identity::external_id;
use crate::ldap::search::{Cut, End, Pages, Read};
use crate::ldap::settings::Area;
use ldap3::controls::RawControl;

/// Deleted entries asked for to see whether any are shown: more than the place itself.
const LOOKED_AT: u32 = 5;

pub(super) struct Reader {
    fingerprint: Fingerprint,
    since: Option<([u8; 16], u64)>,
    phase: Option<Phase>,
}

impl Reader {
    pub fn new(fingerprint: Fingerprint, place: Option<&Place>) -> Result<Self, Doubt> {
        let since = match place {
            None => None,
            Some(Place::Usn { invocation, usn }) => Some((*invocation, *usn)),
            Some(_) => return Err(Doubt::Damaged),
        };
        Ok(Self { fingerprint, since, phase: None })
    }

    pub async fn step(&mut self, frame: &Frame, session: &mut Session) -> Result<Step, Stop> {
        let phase = match &mut self.phase {
            Some(phase) => phase,
            None => {
                let begun = self.begin(frame, session).await?;
                self.phase.insert(begun)
            }
        };
        phase.step(frame, &self.fingerprint, session).await
    }

    async fn begin(&self, frame: &Frame, session: &mut Session) -> Result<Phase, Stop> {
        let server = Server::read(session).await?;
        let now = server.root.highest_usn.ok_or(Doubt::NoPlace)?;
        let next = Place::Usn { invocation: server.invocation, usn: now };
        let Some((invocation, then)) = self.since else {
            let pages = Pages::new(&frame.settings, &frame.area, frame.attributes.clone());
            return Ok(Phase { next, kind: Kind::Listing(Box::new(pages)) });
        };
        if invocation != server.invocation {
            return Err(Doubt::OtherServer.into());
        }
        if now < then {
            return Err(Doubt::WentBack { then, now }.into());
        }
        let newer = format!("(uSNChanged>={})", then.saturating_add(1));
        let context = server.context(&frame.area)?;
        let area = |base: &str, filter: String| Area { base: base.to_owned(), filter, ..frame.area.clone() };
        let mut queue = Queue::default();
        // Before what the area shows is read: who comes into it meanwhile is shown, and not gone.
        let folders = changed(frame, session, &area(&context, newer.clone()), &mut queue).await?;
        let deleted = place_of_deleted(&context);
        let mut deletions = Deletions::Unseen;
        let area_of_deleted = area(&deleted, format!("(&(isDeleted=TRUE){newer})"));
        if shows(frame, session, &area_of_deleted).await? {
            deletions = Deletions::Told;
            queue.candidates(
                Pages::new(&frame.settings, &area_of_deleted, Vec::new()).at_most(CANDIDATES_MAX).with(show_deleted()),
            );
        }
        let filter = both(&frame.area.filter, &newer);
        queue.show(Pages::new(&frame.settings, &area(&frame.area.base, filter), frame.attributes.clone()));
        queue.folders(frame, folders)?;
        Ok(Phase { next, kind: Kind::Delta { queue: Box::new(queue), deletions } })
    }
}

/// Where the count is now, and whether the account is shown who is deleted.
pub(super) async fn place(frame: &Frame, session: &mut Session) -> Result<(Place, bool), Stop> {
    let server = Server::read(session).await?;
    let usn = server.root.highest_usn.ok_or(Doubt::NoPlace)?;
    let base = place_of_deleted(&server.context(&frame.area)?);
    let tells = shows(frame, session, &Area { base, ..frame.area.clone() }).await?;
    Ok((Place::Usn { invocation: server.invocation, usn }, tells))
}

fn place_of_deleted(context: &str) -> String {
    format!("CN=Deleted Objects,{context}")
}

/// Everything that changed is a candidate; the folders among it.
async fn changed(frame: &Frame, session: &mut Session, area: &Area, queue: &mut Queue) -> Result<Vec<String>, Stop> {
    let mut pages = Pages::new(&frame.settings, area, vec![String::from("objectClass")]).at_most(CANDIDATES_MAX);
    let mut folders = Vec::new();
    loop {
        match pages.next(session).await {
            Read::Page(page) => {
                for entry in page.entries {
                    if let Ok(id) = external_id(&entry, &area.id_attribute) {
                        queue.candidate(id);
                    }
                    if is_folder(&entry) {
                        folders.push(entry.dn);
                    }
                }
            }
            Read::End(End::Complete(complete)) => {
                everybody_has_an_id(&complete)?;
                return Ok(folders);
            }
            Read::End(End::Cut(cut)) => return Err(of_candidates(cut.cause)),
        }
    }
}

fn show_deleted() -> RawControl {
    RawControl { ctype: wire::SHOW_DELETED.to_owned(), crit: true, val: None }
}

/// Whether the account is shown who was deleted. Some are shown the place and nothing in it, with success (Samba), so that
/// only somebody found there is proof. Where nobody was ever deleted there is none, and no harm in that.
async fn shows(frame: &Frame, session: &mut Session, area: &Area) -> Result<bool, Stop> {
    let area = Area { filter: String::from("(isDeleted=TRUE)"), ..area.clone() };
    let mut pages = Pages::new(&frame.settings, &area, Vec::new()).of_size(LOOKED_AT).with(show_deleted());
    match pages.next(session).await {
        // The place itself counts as deleted.
        Read::Page(page) => Ok(page.entries.iter().any(|entry| !is_within(&area.base, &entry.dn))),
        Read::End(End::Cut(Cut { cause: Cause::Answer(_), .. }) | End::Complete(_)) => Ok(false),
        Read::End(End::Cut(cut)) => Err(cut.cause.into()),
    }
}
