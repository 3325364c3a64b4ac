//! A password tried at a directory: the check of a login on connections of kind `ldap`. The search is ours, with the
//! account of the connection; the bind is the person's own, with the DN that the search found. A name that means nobody goes
//! the same way with a DN that is nobody's.

use crate::ldap::bind::{NotBound, bind};
use crate::ldap::connect::{Session, connect};
use crate::ldap::entry::Entry;
use crate::ldap::failure::{Cause, Failure, Step};
use crate::ldap::group_names::group_names;
use crate::ldap::identity::external_id;
use crate::ldap::payload::payload;
use crate::ldap::person::{Found, complete, find};
use crate::ldap::settings::Settings;
use crate::mapping::Mapping;
use crate::profile::verified::{LoginRecord, Verify};
use crate::secret::Secret;
use crate::sync::wanted;

/// An entry that nobody makes.
const NOBODY: &str = "cn=rosterd-nobody-b7c1f0";

/// Whom a name means.
pub(super) enum Whom {
    One {
        entry: Box<Entry>,
        external_id: String,
    },
    /// Nobody who could sign in: why, for the log.
    Nobody {
        reason: &'static str,
    },
}

impl Whom {
    pub(super) fn external_id(&self) -> Option<&str> {
        match self {
            Self::One { external_id, .. } => Some(external_id),
            Self::Nobody { .. } => None,
        }
    }
}

/// Why a check did not pass.
pub(super) enum Failed {
    /// Stable word for the log.
    Refused(&'static str),
    /// Nothing was learned. If the password was `sent`, the directory may have counted a try.
    Unavailable { failures: Vec<Failure>, sent: bool },
    /// The directory does not let the account of the connection in.
    AccountRefused,
}

/// A check that waits for its password.
pub(super) struct PasswordCheck<'a> {
    settings: &'a Settings,
    mapping: &'a dyn Mapping,
    session: Session,
    pub(super) whom: Whom,
    pub(super) password: &'a Secret<String>,
}

impl<'a> PasswordCheck<'a> {
    /// Signs in with the connection's account and looks for whom `name` means. `passed_over` is told which servers could not be
    /// used where another could.
    pub(super) async fn begin(
        settings: &'a Settings,
        mapping: &'a dyn Mapping,
        name: &str,
        password: &'a Secret<String>,
        passed_over: &(dyn Fn(&[Failure]) + Sync),
    ) -> Result<Self, Failed> {
        let connected = connect(settings).await.map_err(|not| {
            let is_about_the_account = not.refuses_the_account();
            let unavailable = unavailable(not.0, false);
            if is_about_the_account { Failed::AccountRefused } else { unavailable }
        })?;
        connected.passed_over.iter().for_each(|failure| tracing::warn!(%failure, "a directory server was passed over"));
        passed_over(&connected.passed_over);
        let mut session = connected.session;
        let id_attribute = &settings.users.id_attribute;
        let attributes = wanted::attributes(&mapping.reads(), id_attribute);
        let found = find(&mut session, settings, name, &attributes).await.map_err(|cause| {
            let failure = Failure { url: Some(session.address.to_string()), at: None, step: Step::Search, cause };
            unavailable(vec![failure], false)
        })?;
        let whom = match found {
            Found::Nobody => Whom::Nobody { reason: "unknown_user" },
            Found::Several => Whom::Nobody { reason: "ambiguous_user" },
            Found::One(entry) => match external_id(&entry, id_attribute) {
                Ok(external_id) => Whom::One { entry, external_id },
                Err(_) => Whom::Nobody { reason: "without_id" },
            },
        };
        Ok(Self { settings, mapping, session, whom, password })
    }
}

impl PasswordCheck<'_> {
    /// Whoever the name means has no try left: it goes on like one that means nobody.
    pub(super) fn of_nobody(&mut self, reason: &'static str) {
        self.whom = Whom::Nobody { reason };
    }
}

impl Verify for PasswordCheck<'_> {
    type Record = LoginRecord;
    type Failure = Failed;

    async fn verify(mut self) -> Result<LoginRecord, Failed> {
        let nobody = format!("{NOBODY},{}", self.settings.users.base);
        let dn = match &self.whom {
            Whom::One { entry, .. } => &entry.dn,
            Whom::Nobody { .. } => &nobody,
        };
        let bound = bind(self.settings, &self.session.address, dn, self.password).await;
        match (self.whom, bound) {
            (_, Err(NotBound::Unusable { failures, sent })) => Err(unavailable(failures, sent)),
            (Whom::Nobody { reason }, _) => Err(Failed::Refused(reason)),
            (Whom::One { .. }, Err(NotBound::Refused(refusal))) => Err(Failed::Refused(refusal.code())),
            (Whom::One { mut entry, external_id }, Ok(())) => {
                let url = self.session.address.to_string();
                let incomplete = |cause: Cause| {
                    let failure = Failure { url: Some(url.clone()), at: None, step: Step::Search, cause };
                    unavailable(vec![failure], true)
                };
                complete(&mut self.session, &mut entry).await.map_err(incomplete)?;
                let mut payload = payload(&entry, &self.mapping.reads().binary);
                if self.mapping.is_connector_script() {
                    let groups = group_names(&mut self.session, self.settings, &entry).await.map_err(incomplete)?;
                    payload.insert(String::from("groups"), groups.into());
                    payload.insert(String::from("ldapStatus"), "active".into());
                }
                LoginRecord::new(external_id, payload).map_err(|_| Failed::Refused("unreadable_entry"))
            }
        }
    }
}

/// Logged where it happens: nobody outside is told what is wrong with a directory.
fn unavailable(failures: Vec<Failure>, sent: bool) -> Failed {
    failures.iter().for_each(|failure| tracing::warn!(%failure, step = ?failure.step, "a login could not be checked"));
    Failed::Unavailable { failures, sent }
}
