//! What to ask a directory for, so that a mapping can run and an entry is recognised again.

use crate::mapping::Reads;

/// The attributes of one search.
pub fn attributes(reads: &Reads, id_attribute: &str) -> Vec<String> {
    // `*` leaves out operational attributes, of which a script of a connector reads this one.
    let mut wanted = reads.attributes.clone().unwrap_or_else(|| vec![String::from("*"), String::from("memberOf")]);
    if !wanted.iter().any(|name| name.eq_ignore_ascii_case(id_attribute)) {
        wanted.push(id_attribute.to_owned());
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_asked_for_once_and_a_script_gets_everything() {
        let reads = |names: Option<&[&str]>| Reads {
            attributes: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            binary: Vec::new(),
        };
        assert_eq!(attributes(&reads(Some(&["mail", "ENTRYuuid"])), "entryUUID"), ["mail", "ENTRYuuid"]);
        assert_eq!(attributes(&reads(Some(&["mail"])), "entryUUID"), ["mail", "entryUUID"]);
        assert_eq!(attributes(&reads(None), "objectGUID"), ["*", "memberOf", "objectGUID"]);
    }
}
