//! A year of a company as its directory sees it: who joins, is renamed, moves, is locked out, leaves and comes back, and what
//! becomes of groups and folders, as changes (LDIF) for a real server. Drawn from a seed, so that a year that went wrong can
//! be lived again. Owns what the directory holds by now; refuses to know the gateway.
//!
//! OpenLDAP keeps the names in groups as they were written: some are put right here, as an administrator would, some stay.
//! Active Directory keeps them right by itself.

mod groups;
mod people;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How much a week may take away: below the budget of a connection, so that nothing is held.
const SPENT_MAX: usize = 14;
/// The number of the folder outside of what is read.
const OUTSIDE: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    OpenLdap,
    ActiveDirectory,
}

#[derive(Clone, Debug)]
struct Person {
    login: String,
    common_name: String,
    folder: usize,
    /// The login is in the name of the entry (OpenLDAP).
    named_by_login: bool,
    mail: Option<String>,
    barred: bool,
    /// The account has an end, and it has come (Active Directory).
    expired: bool,
    contractor: bool,
    gone: bool,
    /// The group of which they are without being named there (Active Directory).
    primary: Option<usize>,
}

/// Whom a group names.
#[derive(Clone, Debug, PartialEq)]
enum Name {
    Person(usize),
    Group(usize),
    /// As it stands there, whoever bears it.
    Other(String),
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    names: Vec<Name>,
    gone: bool,
}

pub struct Year {
    server: Server,
    dice: StdRng,
    /// Three that are read, with what is in them, and one outside.
    folders: [String; 4],
    groups_base: String,
    /// Ends logins and names of groups, which are of a whole domain.
    suffix: String,
    people: Vec<Person>,
    groups: Vec<Group>,
    ldif: String,
    spent: usize,
    number: usize,
    /// Whom nothing more happens to this week: changes of one entry in one week would hide each other.
    touched: BTreeSet<usize>,
}

/// What is ordered for a week, and how it is done.
pub type Special = (&'static str, fn(&mut Year) -> bool);

/// `ROSTERD_STORY_SEED`, else one that is known to hold.
pub fn seed() -> u64 {
    let told = std::env::var("ROSTERD_STORY_SEED").ok();
    told.map_or(2_026, |seed| seed.parse().unwrap_or_else(|error| panic!("ROSTERD_STORY_SEED: {error}")))
}

/// What may happen, how often, and how. False: there was nobody to whom it could.
type Event = (&'static str, u32, fn(&mut Year) -> bool);

const EVENTS: [Event; 24] = [
    ("joins", 8, Year::joins),
    ("leaves", 4, Year::leaves),
    ("is locked out", 4, Year::is_barred),
    ("is let in", 4, Year::is_let_in),
    ("expires", 3, Year::expires),
    ("is prolonged", 3, Year::is_prolonged),
    ("has another login", 4, Year::has_another_login),
    ("has another common name", 3, Year::has_another_common_name),
    ("moves inside", 4, Year::moves_inside),
    ("moves out", 3, Year::moves_out),
    ("moves back", 4, Year::moves_back),
    ("is made again", 2, Year::is_made_again),
    ("swaps an address", 3, Year::swaps_an_address),
    ("shares an address", 2, Year::shares_an_address),
    ("has other addresses", 3, Year::has_other_addresses),
    ("loses an address", 2, Year::loses_an_address),
    ("is spelled otherwise", 3, Year::is_spelled_otherwise),
    ("loses an attribute", 3, Year::loses_an_attribute),
    ("is called otherwise", 5, Year::is_called_otherwise),
    ("joins a group", 8, Year::joins_a_group),
    ("leaves a group", 4, Year::leaves_a_group),
    ("a group is made", 2, Year::a_group_is_made),
    ("a group is renamed", 2, Year::a_group_is_renamed),
    ("a group goes", 1, Year::a_group_goes),
];

impl Year {
    /// A company in `base`, groups in `groups_base`, and `outside` where nobody looks. Both have to be there.
    pub fn new(server: Server, base: &str, groups_base: &str, outside: &str, suffix: &str, seed: u64) -> Self {
        let folder = |name: &str| format!("OU={name},{base}");
        Self {
            server,
            dice: StdRng::seed_from_u64(seed),
            folders: [folder("north"), folder("south"), folder("west"), outside.to_owned()],
            groups_base: groups_base.to_owned(),
            suffix: suffix.to_owned(),
            people: Vec::new(),
            groups: Vec::new(),
            ldif: String::new(),
            spent: 0,
            number: 0,
            touched: BTreeSet::new(),
        }
    }

    /// How it is before the first week.
    pub fn founding(&mut self, people: usize) -> String {
        for folder in &self.folders[..OUTSIDE] {
            let _ = write!(self.ldif, "dn: {folder}\nchangetype: add\nobjectClass: organizationalUnit\n\n");
        }
        for _ in 0..people {
            self.joins();
        }
        self.touched = BTreeSet::new();
        for _ in 0..8 {
            self.a_group_is_made();
        }
        for _ in 0..people / 2 {
            self.joins_a_group();
        }
        self.written()
    }

    /// The changes of a week, and what they are. `special` comes on top of what is drawn.
    pub fn week(&mut self, changes: usize, special: &[Special]) -> (String, Vec<&'static str>) {
        let mut happened = Vec::new();
        for (what, event) in special {
            assert!((0..50).any(|_| event(self)), "{what} has to be possible");
            happened.push(*what);
        }
        while happened.len() < changes {
            let (what, _, event) = EVENTS.choose_weighted(&mut self.dice, |event| event.1).expect("there are some");
            if event(self) {
                happened.push(what);
            }
        }
        (self.written(), happened)
    }

    fn written(&mut self) -> String {
        (self.spent, self.touched) = (0, BTreeSet::new());
        std::mem::take(&mut self.ldif)
    }

    /// Who has to be listed: login, and whether locked out. `with_contractors` = the filter lets them through; `by_the_clock` =
    /// whoever expired is locked out.
    pub fn listed(&self, with_contractors: bool, by_the_clock: bool) -> BTreeSet<(String, bool)> {
        let is_listed = |one: &&Person| !one.gone && one.folder != OUTSIDE && (with_contractors || !one.contractor);
        self.people.iter().filter(is_listed).map(|one| (one.login.clone(), one.barred || by_the_clock && one.expired)).collect()
    }

    // Who and where.

    fn rdn(&self, one: usize) -> String {
        let one = &self.people[one];
        match (self.server, one.named_by_login) {
            (Server::OpenLdap, true) => format!("uid={}", one.login),
            _ => format!("CN={}", one.common_name),
        }
    }

    fn dn(&self, one: usize) -> String {
        format!("{},{}", self.rdn(one), self.folders[self.people[one].folder])
    }

    fn group_dn(&self, group: usize) -> String {
        format!("CN={},{}", self.groups[group].name, self.groups_base)
    }

    fn dn_of(&self, name: &Name) -> String {
        match name {
            Name::Person(one) => self.dn(*one),
            Name::Group(group) => self.group_dn(*group),
            Name::Other(dn) => dn.clone(),
        }
    }

    fn login_attribute(&self) -> &'static str {
        if self.server == Server::OpenLdap { "uid" } else { "sAMAccountName" }
    }

    fn names(&self, group: usize, dn: &str) -> bool {
        self.groups[group].names.iter().any(|name| self.dn_of(name).eq_ignore_ascii_case(dn))
    }

    /// Somebody who is there, and to whom nothing happened this week; nothing happens to them any more.
    fn somebody(&mut self, is_meant: impl Fn(&Person) -> bool) -> Option<usize> {
        let is_meant = |one: &usize| !self.touched.contains(one) && !self.people[*one].gone && is_meant(&self.people[*one]);
        let all: Vec<usize> = (0..self.people.len()).filter(is_meant).collect();
        let one = *all.choose(&mut self.dice)?;
        self.touched.insert(one);
        Some(one)
    }

    /// Whoever stands in the roster, as far as people here know.
    fn employee(&mut self) -> Option<usize> {
        self.somebody(|one| one.folder != OUTSIDE && one.mail.is_some())
    }

    fn group(&mut self, is_meant: impl Fn(&Group) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.groups.len()).filter(|at| !self.groups[*at].gone && is_meant(&self.groups[*at])).collect();
        all.choose(&mut self.dice).copied()
    }

    /// May so much more be taken away this week?
    fn spends(&mut self, cost: usize) -> bool {
        let may = self.spent + cost <= SPENT_MAX;
        self.spent += if may { cost } else { 0 };
        may
    }

    fn next(&mut self) -> usize {
        self.number += 1;
        self.number
    }

    fn address(&mut self, name: &str) -> String {
        format!("{name}.{}@example.test", self.next())
    }

    // What is written.

    fn add(&mut self, one: usize) {
        let Person { login, common_name, mail, contractor, barred, .. } = self.people[one].clone();
        let (dn, login_attribute) = (self.dn(one), self.login_attribute());
        let class = match self.server {
            Server::OpenLdap => String::from("objectClass: inetOrgPerson\n"),
            // 0x20: no password is needed; that of nobody here matters (MS-ADTS 2.2.16).
            Server::ActiveDirectory => {
                let control = if barred { 546 } else { 544 };
                format!("objectClass: user\nuserPrincipalName: {login}@ad.example.test\nuserAccountControl: {control}\n")
            }
        };
        let _ = write!(
            self.ldif,
            "dn: {dn}\nchangetype: add\n{class}{login_attribute}: {login}\ncn: {common_name}\nsn: Lee {one}\ngivenName: Ann\n\
             displayName: Ann Lee {one}\n{}{}\n",
            mail.map(|mail| format!("mail: {mail}\n")).unwrap_or_default(),
            if contractor { "employeeType: contractor\n" } else { "" },
        );
    }

    fn modify(&mut self, dn: &str, lines: &str) {
        let _ = write!(self.ldif, "dn: {dn}\nchangetype: modify\n{lines}\n\n");
    }

    fn replace(&mut self, one: usize, attribute: &str, values: &[&str]) {
        let values: String = values.iter().map(|value| format!("\n{attribute}: {value}")).collect();
        self.modify(&self.dn(one), &format!("replace: {attribute}{values}"));
    }

    /// Renames or moves; groups follow, or go on naming a place where nobody is.
    fn goes_to(&mut self, before: &str, rdn: &str, folder: &str, now: usize) {
        let _ = write!(self.ldif, "dn: {before}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {folder}\n\n");
        self.named_otherwise(&Name::Person(now), before);
    }

    /// A server that keeps no names right, and an administrator who does so half of the time.
    fn named_otherwise(&mut self, name: &Name, before: &str) {
        if self.server == Server::ActiveDirectory {
            return;
        }
        let now = self.dn_of(name);
        for group in 0..self.groups.len() {
            if self.groups[group].gone || !self.groups[group].names.contains(name) || now.eq_ignore_ascii_case(before) {
                continue;
            }
            let is_now = |name: &Name| matches!(name, Name::Other(dn) if dn.eq_ignore_ascii_case(&now));
            let is_named = self.groups[group].names.iter().any(is_now);
            if !is_named && (self.dice.random_bool(0.6) || !self.spends(1)) {
                self.modify(&self.group_dn(group), &format!("add: member\nmember: {now}\n-\ndelete: member\nmember: {before}"));
            } else {
                let at = self.groups[group].names.iter().position(|known| known == name).expect("it is named");
                self.groups[group].names[at] = Name::Other(before.to_owned());
            }
        }
    }

    /// Deletes the entry; groups go on naming it, or the server forgets it everywhere.
    fn delete(&mut self, name: &Name) {
        let dn = self.dn_of(name);
        let _ = write!(self.ldif, "dn: {dn}\nchangetype: delete\n\n");
        let keeps_names = self.server == Server::OpenLdap;
        for group in &mut self.groups {
            if keeps_names {
                group.names.iter_mut().filter(|known| *known == name).for_each(|known| *known = Name::Other(dn.clone()));
            } else {
                group.names.retain(|known| known != name);
            }
        }
    }
}
