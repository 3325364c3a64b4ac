//! What happens to groups in a year.

use super::{Group, Name, OUTSIDE, Server, Year};
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::collections::BTreeSet;
use std::fmt::Write as _;

impl Year {
    pub(super) fn joins_a_group(&mut self) -> bool {
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

    pub(super) fn adds(&mut self, group: usize, name: Name) -> bool {
        let dn = self.dn_of(&name);
        let is_primary = matches!(name, Name::Person(one) if self.people[one].primary == Some(group));
        if self.names(group, &dn) || is_primary {
            return false;
        }
        self.modify(&self.group_dn(group), &format!("add: member\nmember: {dn}"));
        self.groups[group].names.push(name);
        true
    }

    pub(super) fn leaves_a_group(&mut self) -> bool {
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

    pub(super) fn a_group_is_made(&mut self) -> bool {
        let name = format!("team {}{}", self.next(), self.suffix);
        self.makes_a_group(name);
        true
    }

    pub(super) fn makes_a_group(&mut self, name: String) {
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

    pub(super) fn a_group_is_renamed(&mut self) -> bool {
        let Some(group) = self.group(|_| true) else { return false };
        let before = self.group_dn(group);
        self.groups[group].name = format!("club {}{}", self.next(), self.suffix);
        let rdn = format!("CN={}", self.groups[group].name);
        let _ = write!(self.ldif, "dn: {before}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n\n");
        self.named_otherwise(&Name::Group(group), &before);
        true
    }

    pub(super) fn a_group_goes(&mut self) -> bool {
        let Some(group) = self.group_that_may_go(3) else { return false };
        self.delete(&Name::Group(group));
        self.groups[group].gone = true;
        true
    }

    /// Small enough, and nobody's primary group; with so many others besides.
    pub(super) fn group_that_may_go(&mut self, others: usize) -> Option<usize> {
        let primary: BTreeSet<usize> = self.people.iter().filter(|one| !one.gone).filter_map(|one| one.primary).collect();
        let is_meant = |at: &usize| !self.groups[*at].gone && !primary.contains(at) && self.groups[*at].names.len() < 9;
        let all: Vec<usize> = (0..self.groups.len()).filter(is_meant).collect();
        let group = *all.choose(&mut self.dice)?;
        // Whoever is in it, and what names it, which are members that leave.
        let named = self.groups.iter().filter(|other| !other.gone && other.names.contains(&Name::Group(group))).count();
        let cost = self.groups[group].names.len() + named;
        (all.len() > others && self.spends(cost)).then_some(group)
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
        let Some(group) = (0..self.groups.len()).find(|at| !self.groups[*at].gone && in_group(&self.groups[*at]).is_some())
        else {
            return false;
        };
        let at = in_group(&self.groups[group]).expect("it was found by it");
        let name = self.groups[group].names.remove(at);
        self.modify(&self.group_dn(group), &format!("delete: member\nmember: {}", self.dn_of(&name)));
        true
    }

    /// A group goes, and another of the same name comes.
    pub fn a_group_is_made_again(&mut self) -> bool {
        let Some(group) = self.group_that_may_go(0) else { return false };
        self.delete(&Name::Group(group));
        self.groups[group].gone = true;
        self.makes_a_group(self.groups[group].name.clone());
        true
    }
}
