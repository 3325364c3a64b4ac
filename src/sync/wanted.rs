//! What to ask a directory for, so that a mapping can run, an entry is recognised again, and its last change is known.

use crate::mapping::Reads;
use crate::model::directory::DirectoryServer;

/// Active Directory: the last part of the identifier of a group whose `member` does not name the person.
pub const PRIMARY_GROUP: &str = "primaryGroupID";

/// What is asked for, and what of it is no part of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub attributes: Vec<String>,
    pub left_out: Vec<String>,
    /// Read as bytes though they may look like text.
    pub binary: Vec<String>,
    /// Whatever there is was asked for.
    pub is_everything: bool,
    /// Where the server keeps when an entry changed.
    pub mark: &'static str,
}

impl Wanted {
    /// `reads` = what the mapping looks at, `beside_groups` = the same without what it reads for `groups` alone, which a
    /// connection that reads groups does not need: then a membership is a row of its group, and no change of a person.
    pub fn of(reads: &Reads, beside_groups: &Reads, id_attribute: &str, server: DirectoryServer, reads_groups: bool) -> Self {
        let reads_here = if reads_groups { beside_groups } else { reads };
        let mark = match server {
            DirectoryServer::ActiveDirectory => "whenChanged",
            DirectoryServer::OpenLdap | DirectoryServer::Ds389 | DirectoryServer::Generic => "modifyTimestamp",
        };
        let is_everything = reads_here.attributes.is_none();
        let mut attributes = attributes(reads_here, id_attribute);
        let mut left_out = Vec::new();
        // The groups a person is in are part of the person only where nothing else says them.
        if is_everything && reads_groups {
            attributes.retain(|name| name != "memberOf");
            left_out.push(String::from("memberOf"));
        }
        if !attributes.iter().any(|name| name.eq_ignore_ascii_case(mark)) {
            attributes.push(mark.to_owned());
            left_out.push(mark.to_owned());
        }
        let needs_primary = reads_groups && !is_everything && server == DirectoryServer::ActiveDirectory;
        if needs_primary && !attributes.iter().any(|name| name.eq_ignore_ascii_case(PRIMARY_GROUP)) {
            attributes.push(PRIMARY_GROUP.to_owned());
            left_out.push(PRIMARY_GROUP.to_owned());
        }
        Self { attributes, left_out, binary: reads.binary.clone(), is_everything, mark }
    }
}

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

    fn reads(names: Option<&[&str]>) -> Reads {
        Reads { attributes: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()), binary: Vec::new() }
    }

    #[test]
    fn the_id_is_asked_for_once_and_a_script_gets_everything() {
        assert_eq!(attributes(&reads(Some(&["mail", "ENTRYuuid"])), "entryUUID"), ["mail", "ENTRYuuid"]);
        assert_eq!(attributes(&reads(Some(&["mail"])), "entryUUID"), ["mail", "entryUUID"]);
        assert_eq!(attributes(&reads(None), "objectGUID"), ["*", "memberOf", "objectGUID"]);
    }

    #[test]
    fn the_time_of_the_change_is_asked_for_and_left_out_unless_the_mapping_reads_it() {
        let of = |names: &[&str], groups| {
            let reads = reads(Some(names));
            Wanted::of(
                &reads,
                &Reads { attributes: Some(vec!["mail".into()]), ..reads.clone() },
                "id",
                DirectoryServer::OpenLdap,
                groups,
            )
        };
        let plain = of(&["mail", "memberOf"], false);
        assert_eq!(
            (plain.attributes, plain.left_out),
            (
                vec!["mail".into(), "memberOf".into(), "id".into(), "modifyTimestamp".into()],
                vec![String::from("modifyTimestamp")],
            )
        );
        let read = of(&["ModifyTimestamp"], false);
        assert_eq!((read.attributes.len(), read.left_out.len()), (2, 0));
        assert_eq!(of(&["mail", "memberOf"], true).attributes, ["mail", "id", "modifyTimestamp"]);
        let script = Wanted::of(&reads(None), &reads(None), "id", DirectoryServer::OpenLdap, true);
        assert_eq!((script.attributes[0].as_str(), script.left_out[0].as_str()), ("*", "memberOf"));
    }
}
