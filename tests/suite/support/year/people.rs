//! What happens to people in a year.

use super::{Name, OUTSIDE, Person, SPENT_MAX, Server, Year};
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::fmt::Write as _;

impl Year {
    pub(super) fn joins(&mut self) -> bool {
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

    pub(super) fn leaves(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        if !self.spends(1) {
            return false;
        }
        self.delete(&Name::Person(one));
        self.people[one].gone = true;
        true
    }

    pub(super) fn is_barred(&mut self) -> bool {
        self.bars(true)
    }

    pub(super) fn is_let_in(&mut self) -> bool {
        self.bars(false)
    }

    pub(super) fn bars(&mut self, barred: bool) -> bool {
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

    pub(super) fn expires(&mut self) -> bool {
        // 2020-01-01, in hundreds of nanoseconds since 1601 (MS-ADTS 2.3.1).
        self.ends(true, "132223104000000000")
    }

    pub(super) fn is_prolonged(&mut self) -> bool {
        self.ends(false, "9223372036854775807")
    }

    pub(super) fn ends(&mut self, expired: bool, at: &str) -> bool {
        let is_meant = |one: &Person| one.folder != OUTSIDE && one.mail.is_some() && one.expired != expired;
        let Some(one) = (self.server == Server::ActiveDirectory).then(|| self.somebody(is_meant)).flatten() else { return false };
        if !self.spends(usize::from(expired)) {
            return false;
        }
        self.people[one].expired = expired;
        self.replace(one, "accountExpires", &[at]);
        true
    }

    pub(super) fn has_another_login(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let login = format!("r{}{}", self.next(), self.suffix);
        self.called(one, login);
        true
    }

    pub(super) fn called(&mut self, one: usize, login: String) {
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
    pub(super) fn has_another_common_name(&mut self) -> bool {
        let is_openldap = self.server == Server::OpenLdap;
        let is_meant = |one: &Person| one.folder != OUTSIDE && one.mail.is_some() && !(is_openldap && one.named_by_login);
        let Some(one) = self.somebody(is_meant) else { return false };
        let before = self.dn(one);
        self.people[one].common_name = format!("Eve Lee-Ort {}", self.next());
        let (rdn, folder) = (self.rdn(one), self.folders[self.people[one].folder].clone());
        self.goes_to(&before, &rdn, &folder, one);
        true
    }

    pub(super) fn moves_inside(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let to = (self.people[one].folder + self.dice.random_range(1..OUTSIDE)) % OUTSIDE;
        self.moves(one, to);
        true
    }

    pub(super) fn moves_out(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        if !self.spends(1) {
            return false;
        }
        self.moves(one, OUTSIDE);
        true
    }

    pub(super) fn moves_back(&mut self) -> bool {
        let Some(one) = self.somebody(|one| one.folder == OUTSIDE) else { return false };
        let to = self.dice.random_range(0..OUTSIDE);
        self.moves(one, to);
        true
    }

    pub(super) fn moves(&mut self, one: usize, to: usize) {
        let (before, rdn) = (self.dn(one), self.rdn(one));
        self.people[one].folder = to;
        let folder = self.folders[to].clone();
        self.goes_to(&before, &rdn, &folder, one);
    }

    /// Deleted, and another entry of the same name: another person, whom groups may name already.
    pub(super) fn is_made_again(&mut self) -> bool {
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

    pub(super) fn swaps_an_address(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let Some(other) = self.employee() else { return false };
        let (ones, others) = (self.people[one].mail.clone(), self.people[other].mail.clone());
        self.writes_to(one, others);
        self.writes_to(other, ones);
        true
    }

    pub(super) fn shares_an_address(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let Some(other) = self.employee() else { return false };
        let mail = self.people[one].mail.clone();
        self.writes_to(other, mail);
        true
    }

    pub(super) fn writes_to(&mut self, one: usize, mail: Option<String>) {
        self.replace(one, "mail", &mail.iter().map(String::as_str).collect::<Vec<_>>());
        self.people[one].mail = mail;
    }

    pub(super) fn has_other_addresses(&mut self) -> bool {
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
    pub(super) fn loses_an_address(&mut self) -> bool {
        match self.somebody(|one| one.folder != OUTSIDE && one.mail.is_none()) {
            Some(one) => {
                let mail = self.address("back");
                self.writes_to(one, Some(mail));
                true
            }
            None => self.employee().map(|one| self.writes_to(one, None)).is_some(),
        }
    }

    pub(super) fn is_spelled_otherwise(&mut self) -> bool {
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

    pub(super) fn loses_an_attribute(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let attribute = *["displayName", "givenName"].choose(&mut self.dice).expect("one of two");
        self.replace(one, attribute, &[]);
        true
    }

    pub(super) fn is_called_otherwise(&mut self) -> bool {
        let Some(one) = self.employee() else { return false };
        let name = format!("Eve {}", self.next());
        self.replace(one, "displayName", &[&name]);
        true
    }

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
