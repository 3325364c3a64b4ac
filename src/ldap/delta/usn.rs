//! Changes by Active Directory's count of them. Each server counts for itself: a count belongs to the database it was read
//! from. Four things are asked for: the ids of everything that changed in the domain, so that who left the area is seen;
//! what of it is in the area; what lies in folders that changed; and who was deleted.

use super::active_directory::{Kind, Phase, Queue, Server, everybody_has_an_id, is_folder};
use super::cookie::{Fingerprint, Place};
use super::{Deletions, Doubt, Frame, Step, Stop, both, wire};
use crate::ldap::connect::Session;
use crate::ldap::identity::external_id;
use crate::ldap::search::{End, Item, Pages, Query, Read, run};
use crate::ldap::settings::Area;
use ldap3::controls::RawControl;

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
        let deleted = format!("CN=Deleted Objects,{context}");
        let mut deletions = Deletions::Unseen;
        if shows(session, &deleted).await? {
            deletions = Deletions::Told;
            let area = area(&deleted, format!("(&(isDeleted=TRUE){newer})"));
            queue.candidates(Pages::new(&frame.settings, &area, Vec::new()).with(show_deleted()));
        }
        let filter = both(&frame.area.filter, &newer);
        queue.show(Pages::new(&frame.settings, &area(&frame.area.base, filter), frame.attributes.clone()));
        queue.folders(frame, folders)?;
        Ok(Phase { next, kind: Kind::Delta { queue: Box::new(queue), deletions } })
    }
}

/// Everything that changed is a candidate; the folders among it.
async fn changed(frame: &Frame, session: &mut Session, area: &Area, queue: &mut Queue) -> Result<Vec<String>, Stop> {
    let mut pages = Pages::new(&frame.settings, area, vec![String::from("objectClass")]);
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
            Read::End(End::Cut(cut)) => return Err(cut.cause.into()),
        }
    }
}

fn show_deleted() -> RawControl {
    RawControl { ctype: wire::SHOW_DELETED.to_owned(), crit: true, val: None }
}

/// Whether the account may look where deleted entries are kept. An ordinary one may not, and is told of none.
async fn shows(session: &mut Session, deleted: &str) -> Result<bool, Stop> {
    let attributes = [String::from("objectClass")];
    let query = Query { controls: vec![show_deleted()], ..Query::one(deleted, &attributes) };
    let mut found = false;
    let result = run(session, query, |item| {
        found |= matches!(item, Item::Entry(_));
        Ok(())
    })
    .await?;
    Ok(result.rc == 0 && found)
}
