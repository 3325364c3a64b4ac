//! Options of a directory. Defaults that differ by server are shown for Active Directory until one is set.

use super::{Form, NEXT, OptionSpec, interval, interval_text, line, number, some_text, urls};
use crate::model::connection::{ConnectionKind, Options};
use crate::model::directory::{BindMethod, Deltas, DirectoryServer};

const DIRECTORY: &[ConnectionKind] = &[ConnectionKind::Ldap];

pub(super) fn directory() -> Vec<OptionSpec> {
    let mut table = reaching();
    table.extend(searching());
    table
}

/// Where a directory is and how we get in.
fn reaching() -> Vec<OptionSpec> {
    vec![
        option!("server" DIRECTORY, Text, "ad, openldap, 389 or generic",
            "What the directory is: decides the defaults of mapping, of the two filters and of the two id attributes.",
            words!(directory.server: "ad" => DirectoryServer::ActiveDirectory, "openldap" => DirectoryServer::OpenLdap,
                "389" => DirectoryServer::Ds389, "generic" => DirectoryServer::Generic)),
        option!("url" DIRECTORY, Texts, "ldaps://HOST[:PORT] or ldap://HOST[:PORT], up to 16",
            "Where the directory is. Set it several times for several servers of one directory: they are tried in that order.",
            (|o, t| urls(t).map(|urls| o.directory.urls = urls), |o| some_text(o.directory.urls.join(&NEXT.to_string())))),
        option!("start_tls" DIRECTORY, Boolean, "true or false",
            "Whether connections to ldap:// are encrypted by StartTLS before anything else is said.",
            words!(directory.start_tls: "true" => true, "false" => false)),
        option!("ca_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The certificates that the directory's certificate must come from. Unset: those the system trusts.",
            (|o, t| line(t).map(|path| o.directory.ca_file = path), |o| o.directory.ca_file.clone())),
        option!("allow_plaintext" DIRECTORY, Boolean, "true or false",
            "Whether ldap:// may go without encryption, password included. Only for a directory on this machine (loopback).",
            words!(directory.allow_plaintext: "true" => true, "false" => false)),
        option!("bind_method" DIRECTORY, Text, "simple or external",
            "How the connection signs in: with bind_dn and the secret bind_password, or with a TLS certificate (SASL EXTERNAL).",
            words!(directory.bind_method: "simple" => BindMethod::Simple, "external" => BindMethod::External)),
        option!("bind_dn" DIRECTORY, Text, "the DN of an account, or nothing",
            "The account that reads the directory. Active Directory also takes user@domain and DOMAIN\\user.",
            (|o, t| line(t).map(|dn| o.directory.bind_dn = dn), |o| o.directory.bind_dn.clone())),
        option!("client_cert_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The certificate we show the directory, for bind_method=external.",
            (|o, t| line(t).map(|path| o.directory.client_cert_file = path), |o| o.directory.client_cert_file.clone())),
        option!("client_key_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The key of client_cert_file. It stays in its file.",
            (|o, t| line(t).map(|path| o.directory.client_key_file = path), |o| o.directory.client_key_file.clone())),
        option!("connect_timeout_seconds" DIRECTORY, Integer, "a whole number from 1 to 120",
            "How long one server may take to be reached and to agree on TLS before the next url is tried.",
            (|o, t| number(t, 1, 120).map(|value| o.directory.connect_timeout_seconds = value),
                |o| Some(o.directory.connect_timeout_seconds.to_string()))),
        option!("answer_timeout_seconds" DIRECTORY, Integer, "a whole number from 1 to 600",
            "How long the directory may be silent while it owes an answer or the next entry of one.",
            (|o, t| number(t, 1, 600).map(|value| o.directory.answer_timeout_seconds = value),
                |o| Some(o.directory.answer_timeout_seconds.to_string()))),
    ]
}

/// What is read of a directory.
fn searching() -> Vec<OptionSpec> {
    vec![
        option!("user_base" DIRECTORY, Text, "a DN", "The entry below which people are looked for, however deep.",
            (|o, t| line(t).map(|dn| o.directory.user_base = dn), |o| o.directory.user_base.clone())),
        option!("user_filter" DIRECTORY, Text, "a filter like (objectClass=inetOrgPerson)",
            "Which entries below user_base are people. Leave the disabled ones in: a mapping blocks them, a filter loses them.",
            (|o, t| line(t).map(|filter| o.directory.user_filter = filter), |o| o.directory.user_filter.clone())),
        option!("login_filter" DIRECTORY, Text, "a filter like (uid={}), {} being what was typed",
            "Whom of the people a login name means: it has to be exactly one. What was typed is escaped; user_filter holds besides.",
            (|o, t| line(t).map(|filter| o.directory.login_filter = filter), |o| o.directory.login_filter.clone())),
        option!("group_base" DIRECTORY, Text, "a DN, or nothing",
            "The entry below which groups are looked for. Unset: no groups are read.",
            (|o, t| line(t).map(|dn| o.directory.group_base = dn), |o| o.directory.group_base.clone())),
        option!("group_filter" DIRECTORY, Text, "a filter like (objectClass=groupOfNames)",
            "Which entries below group_base are groups.",
            (|o, t| line(t).map(|filter| o.directory.group_filter = filter), |o| o.directory.group_filter.clone())),
        option!("id_attribute" DIRECTORY, Text, "the name of an attribute",
            "The attribute that names an entry for good, whatever it is renamed to: a person is recognised by nothing else.",
            (|o, t| line(t).map(|name| o.directory.id_attribute = name), |o| o.directory.id_attribute.clone())),
        option!("group_id_attribute" DIRECTORY, Text, "the name of an attribute", "The same of a group.",
            (|o, t| line(t).map(|name| o.directory.group_id_attribute = name), |o| o.directory.group_id_attribute.clone())),
        option!("page_size" DIRECTORY, Integer, "a whole number from 1 to 1000",
            "How many entries are asked for at a time. Active Directory gives 1000 at most, others may give less.",
            (|o, t| number(t, 1, 1_000).map(|value| o.directory.page_size = value),
                |o| Some(o.directory.page_size.to_string()))),
        option!("entries_max" DIRECTORY, Integer, "a whole number from 1 to 10000000",
            "How many entries one search may bring; a directory with more is a mistake in base or filter and read no further.",
            (|o, t| number(t, 1, 10_000_000).map(|value| o.directory.entries_max = value),
                |o| Some(o.directory.entries_max.to_string()))),
        option!("expect_references" DIRECTORY, Boolean, "true or false",
            "Whether parts below the bases that lie on other servers are left out on purpose; false: such a read counts as cut.",
            words!(directory.expect_references: "true" => true, "false" => false)),
        option!("schedule" DIRECTORY, Text, "a duration from 1m to 30d, like 15m, 1h or 7d, or off",
            "How often a running gateway follows the directory by itself. `rosterd sync` does it at any time.",
            (|o, t| interval(t).map(|seconds| o.directory.schedule_seconds = seconds),
                |o| Some(interval_text(o.directory.schedule_seconds)))),
        option!("delta" DIRECTORY, Text, "auto, off, modifyTimestamp, uSNChanged, syncrepl or DirSync",
            "How a run reads what changed since the last one instead of everything; auto: by what the server has that shows the most.",
            words!(directory.deltas: "auto" => Deltas::Auto, "off" => Deltas::Off, "modifyTimestamp" => Deltas::Modified,
                "uSNChanged" => Deltas::Usn, "syncrepl" => Deltas::SyncRepl, "DirSync" => Deltas::DirSync)),
        option!("full_every" DIRECTORY, Text, "a duration from 1m to 30d, like 6h, 24h or 7d",
            "How old the last complete read may be before a run reads everything again, whatever changes told.",
            (|o, t| interval(t).flatten().map(|seconds| o.directory.full_every_seconds = seconds),
                |o| Some(interval_text(Some(o.directory.full_every_seconds))))),
    ]
}
