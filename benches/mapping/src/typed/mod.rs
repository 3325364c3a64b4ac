//! The limit: the mapping written out by hand in Rust. Typed input that borrows from the entry's bytes, output that borrows
//! from the input, one arena per entry for what has to be made, tables as `match`, no regex. A general engine can't be faster;
//! how near it comes is the question.

mod binary;
mod dn;
mod filetime;
mod input;
mod output;
mod text;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use std::hint::black_box;

use crate::Contender;
use input::Entry;
use output::Profile;

const APPS: &[u8] = b"OU=Apps,DC=corp,DC=example";

/// The contender: decoded entries and the arena of the entry at hand.
#[derive(Default)]
pub struct Typed {
    entries: Vec<Entry<'static>>,
    arena: Bump,
}

impl Contender for Typed {
    fn load(&mut self, lines: &'static [&'static [u8]]) {
        let arena: &'static Bump = Box::leak(Box::default());
        self.entries = lines.iter().map(|line| input::decode(line, arena)).collect();
    }

    fn map(&mut self, index: usize) {
        self.arena.reset();
        black_box(&map(&self.entries[index], &self.arena));
    }

    fn map_to_json(&mut self, index: usize, out: &mut Vec<u8>) {
        self.arena.reset();
        map(&self.entries[index], &self.arena).write_json(out);
    }

    fn bytes_to_json(&mut self, line: &[u8], out: &mut Vec<u8>) {
        self.arena.reset();
        map(&input::decode(line, &self.arena), &self.arena).write_json(out);
    }
}

fn map<'e>(entry: &Entry<'e>, arena: &'e Bump) -> Profile<'e> {
    let mail = entry.mail.map(|mail| text::lower(mail, arena));
    let phone = entry.telephone_number.or(entry.mobile);
    Profile {
        user_id: entry.object_guid.and_then(binary::user_id),
        email: mail.or_else(|| entry.user_principal_name.map(|upn| text::lower(upn, arena))),
        email_verified: mail.is_some(),
        name: entry.display_name.or_else(|| text::full_name(entry.given_name?, entry.sn?, arena)).or(entry.cn),
        given_name: entry.given_name,
        family_name: entry.sn,
        nickname: entry.sam_account_name.or(entry.cn),
        phone_number: phone.and_then(|phone| text::dialable(phone, arena)),
        picture: entry.thumbnail_photo,
        groups: groups(entry.member_of, arena),
        blocked: entry.user_account_control.and_then(text::integer).map(|flags| flags & 2 != 0),
        locale: entry.c.and_then(lang),
        cost_centre: entry.department.and_then(cost_centre),
        expires: entry.account_expires.and_then(filetime::expiry),
        aliases: aliases(entry.proxy_addresses, arena),
        ous: entry.dn.map_or(&[][..], |dn| dn::values(dn, b"OU", arena)),
        manager: entry.manager.and_then(|manager| dn::first_value(manager, b"CN", arena)),
        sid: entry.object_sid.and_then(binary::sid),
    }
}

/// The names of the groups below [`APPS`], each once, in source order.
fn groups<'e>(dns: &[&'e str], arena: &'e Bump) -> &'e [&'e str] {
    let mut names = BumpVec::with_capacity_in(dns.len(), arena);
    for group in dns {
        if dn::under(group, APPS)
            && let Some(name) = dn::first_value(group, b"CN", arena)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names.into_bump_slice()
}

/// The secondary addresses: a primary one is spelled `SMTP:`.
fn aliases<'e>(addresses: &[&'e str], arena: &'e Bump) -> &'e [&'e str] {
    let mut aliases = BumpVec::with_capacity_in(addresses.len(), arena);
    aliases.extend(addresses.iter().filter_map(|address| address.strip_prefix("smtp:")).map(|a| text::lower(a, arena)));
    aliases.into_bump_slice()
}

fn lang(country: &str) -> Option<&'static str> {
    Some(match country.as_bytes() {
        b"DE" | b"AT" => "de-DE",
        b"CH" => "de-CH",
        b"US" => "en-US",
        b"GB" | b"IE" => "en-GB",
        b"FR" => "fr-FR",
        b"ES" => "es-ES",
        b"IT" => "it-IT",
        b"PL" => "pl-PL",
        b"SE" => "sv-SE",
        b"DK" => "da-DK",
        _ => return None,
    })
}

fn cost_centre(department: &str) -> Option<&'static str> {
    Some(match department {
        "Sales" => "1100",
        "Marketing" => "1200",
        "Finance" => "1300",
        "Human Resources" => "1400",
        "Legal" => "1500",
        "Engineering" => "2100",
        "Research" => "2200",
        "Quality" => "2300",
        "IT Operations" => "2400",
        "Support" => "2500",
        "Einkauf" => "3100",
        "Qualitätssicherung" => "3200",
        "Vertrieb Süd" => "3300",
        "Logistics" => "3400",
        _ => return None,
    })
}
