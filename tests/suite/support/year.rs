//! A year of a company as its directory sees it: who joins, is renamed, moves, is locked out, leaves and comes back, and what
//! becomes of groups and folders, as changes (LDIF) for a real server. Drawn from a seed, so that a year that went wrong can
//! be lived again. Owns what the directory holds by now; refuses to know the gateway.
//!
//! OpenLDAP keeps the names in groups as they were written: some are put right here, as an administrator would, some stay.
//! Active Directory keeps them right by itself.

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
        for folder in self.folders[..OUTSIDE].to_vec() {
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
        let _ = write!(
            self.ldif,
            "dn: {before}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {folder}\n\n"
        );
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

    // What happens to people.

    fn joins(&mut self) -> bool {
        let number = self.next();
        let (folder, named_by_login) = (self.dice.random_range(0..OUTSIDE), self.dice.random_bool(0.5));
        let login = format!("p{number}{}", self.suffix);
        let mail = Some(self.address("Ann"));
        let contractor = self.dice.random_bool(0.1);
        let common_name = format!("Ann Lee {number}");
        let (barred, expired, gone, primary) = (false, false, false, None);
        let person = Person { login, common_name, folder, named_by_login, mail, barred, expired, contractor, gone, primary };
        self.people.push(person);
        let one = self.people.len() - 1;
        self.touched.insert(one);
        self.add(one);
        true
    }

    fn leaves(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        if !self.spends(1) {
            return false;
        }
        self.delete(&Name::Person(one));
        self.people[one].gone = true;
        true
    }

    fn is_barred(&mut self) -> bool {
        self.bars(true)
    }

    fn is_let_in(&mut self) -> bool {
        self.bars(false)
    }

    fn bars(&mut self, barred: bool) -> bool {
        let Some(one) = self.somebody(|one| one.folder != OUTSIDE && one.mail.is_some() && one.barred != barred) else {
            return false;
        };
        if !self.spends(usize::from(barred)) {
            return false;
        }
        self.people[one].barred = barred;
        match (self.server, barred) {
            // As the password policy overlay writes it when an administrator locks somebody out for good.
            (Server::OpenLdap, true) => self.replace(one, "pwdAccountLockedTime", &["000001010000Z"]),
            (Server::OpenLdap, false) => self.replace(one, "pwdAccountLockedTime", &[]),
            (Server::ActiveDirectory, true) => self.replace(one, "userAccountControl", &["546"]),
            (Server::ActiveDirectory, false) => self.replace(one, "userAccountControl", &["544"]),
        }
        true
    }

    fn expires(&mut self) -> bool {
        // 2020-01-01, in hundreds of nanoseconds since 1601 (MS-ADTS 2.3.1).
        self.ends(true, "132223104000000000")
    }

    fn is_prolonged(&mut self) -> bool {
        self.ends(false, "9223372036854775807")
    }

    fn ends(&mut self, expired: bool, at: &str) -> bool {
        let is_meant = |one: &Person| one.folder != OUTSIDE && one.mail.is_some() && one.expired != expired;
        let Some(one) = (self.server == Server::ActiveDirectory).then(|| self.somebody(is_meant)).flatten() else { return false };
        if !self.spends(usize::from(expired)) {
            return false;
        }
        self.people[one].expired = expired;
        self.replace(one, "accountExpires", &[at]);
        true
    }

    fn has_another_login(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let login = format!("r{}{}", self.next(), self.suffix);
        self.called(one, login);
        true
    }

    fn called(&mut self, one: usize, login: String) {
        let before = self.dn(one);
        let attribute = self.login_attribute();
        self.people[one].login.clone_from(&login);
        if self.server == Server::OpenLdap && self.people[one].named_by_login {
            let (rdn, folder) = (self.rdn(one), self.folders[self.people[one].folder].clone());
            self.goes_to(&before, &rdn, &folder, one);
        } else {
            self.replace(one, attribute, &[&login]);
        }
    }

    /// The entry is called otherwise, and the login stays.
    fn has_another_common_name(&mut self) -> bool {
        let is_openldap = self.server == Server::OpenLdap;
        let is_meant = |one: &Person| one.folder != OUTSIDE && one.mail.is_some() && !(is_openldap && one.named_by_login);
        let Some(one) = self.somebody(is_meant) else { return false };
        let before = self.dn(one);
        self.people[one].common_name = format!("Eve Lee-Ort {}", self.next());
        let (rdn, folder) = (self.rdn(one), self.folders[self.people[one].folder].clone());
        self.goes_to(&before, &rdn, &folder, one);
        true
    }

    fn moves_inside(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let to = (self.people[one].folder + self.dice.random_range(1..OUTSIDE)) % OUTSIDE;
        self.moves(one, to);
        true
    }

    fn moves_out(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        if !self.spends(1) {
            return false;
        }
        self.moves(one, OUTSIDE);
        true
    }

    fn moves_back(&mut self) -> bool {
        let Some(one) = self.somebody(|one| one.folder == OUTSIDE) else { return false };
        let to = self.dice.random_range(0..OUTSIDE);
        self.moves(one, to);
        true
    }

    fn moves(&mut self, one: usize, to: usize) {
        let (before, rdn) = (self.dn(one), self.rdn(one));
        self.people[one].folder = to;
        let folder = self.folders[to].clone();
        self.goes_to(&before, &rdn, &folder, one);
    }

    /// Deleted, and another entry of the same name: another person, whom groups may name already.
    fn is_made_again(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        if !self.spends(1) {
            return false;
        }
        self.delete(&Name::Person(one));
        self.people[one].gone = true;
        let again = Person { gone: false, barred: false, expired: false, primary: None, ..self.people[one].clone() };
        self.people.push(again);
        let again = self.people.len() - 1;
        self.touched.insert(again);
        self.add(again);
        true
    }

    fn swaps_an_address(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let Some(other) = self.employee() else { return false };
        let (ones, others) = (self.people[one].mail.clone(), self.people[other].mail.clone());
        self.writes_to(one, others);
        self.writes_to(other, ones);
        true
    }

    fn shares_an_address(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let Some(other) = self.employee() else { return false };
        let mail = self.people[one].mail.clone();
        self.writes_to(other, mail);
        true
    }

    fn writes_to(&mut self, one: usize, mail: Option<String>) {
        self.replace(one, "mail", &mail.iter().map(String::as_str).collect::<Vec<_>>());
        self.people[one].mail = mail;
    }

    fn has_other_addresses(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let [first, second, third] = ["eve", "eve.lee", "e"].map(|name| self.address(name));
        self.people[one].mail = Some(first.clone());
        match self.server {
            Server::OpenLdap => self.replace(one, "mail", &[&first, &second, &third]),
            // `mail` is one there; the others are here.
            Server::ActiveDirectory => {
                self.replace(one, "mail", &[&first]);
                self.replace(one, "proxyAddresses", &[&format!("smtp:{second}"), &format!("smtp:{third}")]);
            }
        }
        true
    }

    /// Without one nobody can be made of the entry, for a time.
    fn loses_an_address(&mut self) -> bool {
        match self.somebody(|one| one.folder != OUTSIDE && one.mail.is_none()) {
            Some(one) => {
                let mail = self.address("back");
                self.writes_to(one, Some(mail));
                true
            }
            None => self.employee().map(|one| self.writes_to(one, None)).is_some(),
        }
    }

    fn is_spelled_otherwise(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let turned = |text: &str| {
            let turn = |one: char| if one.is_lowercase() { one.to_ascii_uppercase() } else { one.to_ascii_lowercase() };
            text.chars().map(turn).collect::<String>()
        };
        if self.dice.random_bool(0.5) {
            let mail = self.people[one].mail.as_deref().map(turned);
            self.writes_to(one, mail);
        } else {
            let login = turned(&self.people[one].login);
            self.called(one, login);
        }
        true
    }

    fn loses_an_attribute(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let attribute = *["displayName", "givenName"].choose(&mut self.dice).expect("one of two");
        self.replace(one, attribute, &[]);
        true
    }

    fn is_called_otherwise(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let name = format!("Eve {}", self.next());
        self.replace(one, "displayName", &[&name]);
        true
    }

    // What happens to groups.

    fn joins_a_group(&mut self) -> bool {
        let Some(group) = self.group(|_| true) else { return false };
        // Anybody: somebody outside as well, and whoever is rejected.
        let one = match self.dice.random_range(0..10) {
            0 => self.somebody(|one| one.folder == OUTSIDE),
            1 => self.somebody(|one| one.mail.is_none()),
            _ => self.somebody(|_| true),
        };
        let Some(one) = one else { return false };
        self.adds(group, Name::Person(one))
    }

    fn adds(&mut self, group: usize, name: Name) -> bool {
        let dn = self.dn_of(&name);
        let is_primary = matches!(name, Name::Person(one) if self.people[one].primary == Some(group));
        if self.names(group, &dn) || is_primary {
            return false;
        }
        self.modify(&self.group_dn(group), &format!("add: member\nmember: {dn}"));
        self.groups[group].names.push(name);
        true
    }

    fn leaves_a_group(&mut self) -> bool {
        let Some(group) = self.group(|group| group.names.len() > 1) else { return false };
        if !self.spends(1) {
            return false;
        }
        // The first is the one whom every group names: some servers want one there.
        let at = self.dice.random_range(1..self.groups[group].names.len());
        let name = self.groups[group].names.remove(at);
        self.modify(&self.group_dn(group), &format!("delete: member\nmember: {}", self.dn_of(&name)));
        true
    }

    fn a_group_is_made(&mut self) -> bool {
        let name = format!("team {}{}", self.next(), self.suffix);
        self.makes_a_group(name);
        true
    }

    fn makes_a_group(&mut self, name: String) {
        self.groups.push(Group { name: name.clone(), names: Vec::new(), gone: false });
        let group = self.groups.len() - 1;
        let dn = self.group_dn(group);
        // Nobody who is read.
        let stranger = match self.server {
            Server::OpenLdap => "cn=somebody,dc=elsewhere",
            Server::ActiveDirectory => "CN=Guest,CN=Users,DC=ad,DC=example,DC=test",
        };
        let class = match self.server {
            Server::OpenLdap => String::from("groupOfNames"),
            Server::ActiveDirectory => format!("group\nsAMAccountName: {name}"),
        };
        let _ = write!(self.ldif, "dn: {dn}\nchangetype: add\nobjectClass: {class}\nmember: {stranger}\n\n");
        self.groups[group].names.push(Name::Other(stranger.into()));
    }

    fn a_group_is_renamed(&mut self) -> bool {
        let Some(group) = self.group(|_| true) else { return false };
        let before = self.group_dn(group);
        self.groups[group].name = format!("club {}{}", self.next(), self.suffix);
        let rdn = format!("CN={}", self.groups[group].name);
        let _ = write!(self.ldif, "dn: {before}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n\n");
        self.named_otherwise(&Name::Group(group), &before);
        true
    }

    fn a_group_goes(&mut self) -> bool {
        let Some(group) = self.group_that_may_go() else { return false };
        self.delete(&Name::Group(group));
        self.groups[group].gone = true;
        true
    }

    /// Small enough, and nobody's primary group.
    fn group_that_may_go(&mut self) -> Option<usize> {
        let primary: BTreeSet<usize> = self.people.iter().filter(|one| !one.gone).filter_map(|one| one.primary).collect();
        let is_meant = |at: &usize| !self.groups[*at].gone && !primary.contains(at) && self.groups[*at].names.len() < 6;
        let all: Vec<usize> = (0..self.groups.len()).filter(is_meant).collect();
        let group = *all.choose(&mut self.dice)?;
        // Whoever is in it, and what names it, which are members that leave.
        let named = self.groups.iter().filter(|other| !other.gone && other.names.contains(&Name::Group(group))).count();
        let cost = self.groups[group].names.len() + named;
        (all.len() >= 4 && self.spends(cost)).then_some(group)
    }

    // What a script orders for its week.

    /// The folder is called otherwise, and nobody in it was touched. Names in groups follow.
    pub fn a_folder_is_renamed(&mut self) -> bool {
        let inside = |folder: usize| -> Vec<usize> {
            (0..self.people.len()).filter(|one| !self.people[*one].gone && self.people[*one].folder == folder).collect()
        };
        // The one with the fewest people: where a profile tells of its folder, it changes for all of them.
        let folder = (0..OUTSIDE).min_by_key(|folder| inside(*folder).len()).expect("there are three");
        let inside = inside(folder);
        let before: Vec<String> = inside.iter().map(|one| self.dn(*one)).collect();
        let (old, name) = (self.folders[folder].clone(), format!("OU=floor{}", self.next()));
        let (_, above) = old.split_once(',').expect("it is in the base");
        self.folders[folder] = format!("{name},{above}");
        let _ = write!(self.ldif, "dn: {old}\nchangetype: modrdn\nnewrdn: {name}\ndeleteoldrdn: 1\n\n");
        // All of them: as many would leave groups at once else.
        let spent = std::mem::replace(&mut self.spent, SPENT_MAX);
        for (one, before) in inside.into_iter().zip(before) {
            self.named_otherwise(&Name::Person(one), &before);
        }
        self.spent = spent;
        true
    }

    /// Three groups, each in the next.
    pub fn groups_make_a_ring(&mut self) -> bool {
        let all: Vec<usize> = (0..self.groups.len()).filter(|group| !self.groups[*group].gone).take(3).collect();
        let [one, two, three] = all[..] else { return false };
        // Some of them may be in one another already.
        for (of, to) in [(one, two), (two, three), (three, one)] {
            self.adds(to, Name::Group(of));
        }
        true
    }

    /// The first of them is in the second no more.
    pub fn a_ring_is_opened(&mut self) -> bool {
        let in_group = |group: &Group| group.names.iter().position(|name| matches!(name, Name::Group(_)));
        let Some(group) = (0..self.groups.len()).find(|at| !self.groups[*at].gone && in_group(&self.groups[*at]).is_some()) else {
            return false;
        };
        let at = in_group(&self.groups[group]).expect("it was found by it");
        let name = self.groups[group].names.remove(at);
        self.modify(&self.group_dn(group), &format!("delete: member\nmember: {}", self.dn_of(&name)));
        true
    }

    /// A group goes, and another of the same name comes.
    pub fn a_group_is_made_again(&mut self) -> bool {
        let Some(group) = self.group_that_may_go() else { return false };
        self.delete(&Name::Group(group));
        self.groups[group].gone = true;
        self.makes_a_group(self.groups[group].name.clone());
        true
    }

    /// Makes a group the primary one of somebody, as `number` says of a group's DN.
    pub fn has_a_primary_group(&mut self, number: impl Fn(&str) -> String) -> bool {
        let Some(one) = self.employee() else { return false };
        let Some(group) = self.group(|_| true) else { return false };
        if self.people[one].primary == Some(group) {
            return false;
        }
        self.adds(group, Name::Person(one));
        let number = number(&self.group_dn(group));
        self.replace(one, "primaryGroupID", &[&number]);
        // The server writes down the one before, and strikes out the new one.
        self.groups[group].names.retain(|name| *name != Name::Person(one));
        if let Some(before) = self.people[one].primary.replace(group) {
            self.groups[before].names.push(Name::Person(one));
        }
        true
    }

    /// Undeletes somebody as `undelete` does it: by login, and under this DN.
    pub fn is_brought_back(&mut self, undelete: impl Fn(&str, &str)) -> bool {
        let is_free = |one: &Person| !self.people.iter().any(|other| !other.gone && other.login.eq_ignore_ascii_case(&one.login));
        let is_meant = |one: &Person| one.gone && one.primary.is_none() && is_free(one);
        let Some(one) = (0..self.people.len()).rev().find(|one| is_meant(&self.people[*one])) else { return false };
        self.touched.insert(one);
        undelete(&self.people[one].login.clone(), &self.dn(one));
        let mail = self.address("back");
        self.people[one] = Person { gone: false, barred: false, expired: false, mail: None, ..self.people[one].clone() };
        // A deleted entry keeps its names and little else.
        self.writes_to(one, Some(mail));
        self.replace(one, "userAccountControl", &["544"]);
        if self.people[one].contractor {
            self.replace(one, "employeeType", &["contractor"]);
        }
        true
    }
}
