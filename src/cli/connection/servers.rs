//! The servers of a directory in a check: each url is signed in to, and asked what it is and can do. All of them, since the
//! one that is not looked at is the one a sync will need.

use super::report::Report;
use crate::ldap::advice::advice;
use crate::ldap::connect::{NotConnected, Session, connect};
use crate::ldap::delta::Strategy;
use crate::ldap::failure::{Cause, Failure, Step};
use crate::ldap::root::Root;
use crate::ldap::settings::{Address, Bind, Protection, Settings, Trust};
use crate::model::directory::DirectoryServer;
use std::collections::BTreeSet;

/// What became of one url.
enum Visit {
    SignedIn {
        session: Box<Session>,
        passed_over: Vec<Failure>,
        root: Result<Root, Cause>,
    },
    Unusable(NotConnected),
    /// A server before it refused the account, and would not be the last to count it.
    NotTried,
}

/// Signs in to each; the session with the first that let us.
pub async fn visit(settings: &Settings, report: &mut Report) -> Option<Session> {
    let mut visits = Vec::with_capacity(settings.urls.len());
    let mut refused = false;
    for address in &settings.urls {
        if refused {
            visits.push((address, Visit::NotTried));
            continue;
        }
        let one = Settings { urls: vec![address.clone()], ..settings.clone() };
        visits.push(match connect(&one).await {
            Ok(connected) => {
                let mut session = Box::new(connected.session);
                let root = Root::read(&mut session).await;
                (address, Visit::SignedIn { session, passed_over: connected.passed_over, root })
            }
            Err(not) => {
                refused = not.refuses_the_account();
                (address, Visit::Unusable(not))
            }
        });
    }
    let serves = visits.iter().any(|(_, visit)| matches!(visit, Visit::SignedIn { .. }));
    let mut first: Option<(Session, Option<Root>)> = None;
    for (address, visit) in visits {
        match visit {
            Visit::NotTried => report.skipped("reach", format!("{address} was not tried: the account was refused before")),
            Visit::Unusable(NotConnected(failures)) => tell(settings, address, &failures, serves, report),
            Visit::SignedIn { session, passed_over, root } => {
                tell(settings, address, &passed_over, true, report);
                come_to(settings, address, Step::Search, report);
                let root = describe(settings, address, root, report);
                match &first {
                    None => first = Some((*session, root)),
                    Some((_, known)) => compare(address, known.as_ref(), root.as_ref(), report),
                }
            }
        }
    }
    first.map(|(session, _)| session)
}

/// The steps that worked with one server before `step`.
fn come_to(settings: &Settings, address: &Address, step: Step, report: &mut Report) {
    if step == Step::Reach {
        return;
    }
    report.ok("reach", address.to_string());
    if step == Step::Tls {
        return;
    }
    let trust = match &settings.trust {
        Trust::System => String::from("a certificate this system trusts"),
        Trust::File(path) => format!("a certificate that comes from {}", path.display()),
    };
    match address.protection {
        Protection::Tls => report.ok("tls", trust),
        Protection::StartTls => report.ok("tls", format!("StartTLS, {trust}")),
        Protection::None => report.skipped("tls", "none: the directory is on this machine"),
    }
    if step == Step::Bind {
        return;
    }
    match &settings.bind {
        Bind::Simple { dn, .. } => report.ok("bind", format!("as {dn}")),
        Bind::External { certificate, .. } => report.ok("bind", format!("by {}", certificate.display())),
    }
}

/// A server, or an address of one, that could not be used: a failure, or a warning where another one could.
fn tell(settings: &Settings, address: &Address, failures: &[Failure], others_serve: bool, report: &mut Report) {
    for failure in failures {
        // Files of ours are read before anything is tried.
        if failure.url.is_some() {
            come_to(settings, address, failure.step, report);
        }
        let step = match failure.step {
            Step::Reach => "reach",
            Step::Tls => "tls",
            Step::Bind => "bind",
            Step::Search => "server",
        };
        let advice = advice(settings, failure.step, &failure.cause, "user_base");
        if others_serve {
            report.warning(step, failure.to_string(), format!("Another one serves meanwhile. {advice}"));
        } else {
            report.failed(step, failure.to_string(), advice);
        }
    }
}

/// What a server says of itself, and what that means for a sync.
fn describe(settings: &Settings, address: &Address, root: Result<Root, Cause>, report: &mut Report) -> Option<Root> {
    let root = match root {
        Ok(root) => root,
        Err(cause) => {
            let advice = "What it can do is not known; a sync reads everything each time. Let the account read the root entry.";
            report.warning("server", format!("{address} does not say what it is: {cause}"), advice);
            return None;
        }
    };
    report.ok("server", format!("{}; {}", product(&root), changes(settings, &root)));
    if let Some(kind) = root.kind.filter(|kind| *kind != settings.server) {
        let (name, word) = names(kind);
        let advice = format!(
            "Set server={word}, which decides mapping, filters and ids; those that were set by hand stay. A person who is known \
             by another id is met as somebody new."
        );
        report.warning("server", format!("{address} is {name}, and server is {}", names(settings.server).1), advice);
    }
    if !root.controls.is_empty() && !root.pages() {
        let advice = "Switch paged results (RFC 2696) on: without them nobody can tell a part from the whole.";
        report.warning("server", format!("{address} does not offer pages"), advice);
    }
    let areas = [("user_base", Some(&settings.users)), ("group_base", settings.groups.as_ref())];
    for (option, area) in areas {
        let Some(area) = area.filter(|area| !root.naming_contexts.is_empty() && root.context_of(&area.base).is_none()) else {
            continue;
        };
        let advice = format!("It holds {}.", root.naming_contexts.join(", "));
        report.warning("server", format!("{option} {} lies in nothing that {address} holds", area.base), advice);
    }
    Some(root)
}

fn product(root: &Root) -> String {
    match (root.kind.map(names), &root.vendor) {
        (Some((name, _)), Some(vendor)) => format!("{name} ({vendor})"),
        (Some((name, _)), None) => name.to_owned(),
        (None, Some(vendor)) => vendor.clone(),
        (None, None) => String::from("a directory that does not say which"),
    }
}

/// By which ways changes can be followed; of those that the connection could use, why the others can't.
fn changes(settings: &Settings, root: &Root) -> String {
    let (mut ways, mut missing) = (Vec::new(), Vec::new());
    for way in Strategy::ALL {
        match (way.fits(settings, &settings.users), way.offered(root, settings, &settings.users)) {
            (Ok(()), Ok(())) => ways.push(way.as_str()),
            (Ok(()), Err(why)) => missing.push(format!("not by {}: {why}", way.as_str())),
            (Err(_), _) => {}
        }
    }
    let ways = if ways.is_empty() { String::from("none") } else { ways.join(", ") };
    let missing: String = missing.iter().map(|why| format!("; {why}")).collect();
    format!("changes can be followed by {ways}{missing}")
}

/// One directory has one content, whichever server is asked.
fn compare(address: &Address, first: Option<&Root>, root: Option<&Root>, report: &mut Report) {
    let contexts = |root: &Root| -> BTreeSet<String> { root.naming_contexts.iter().map(|dn| dn.to_lowercase()).collect() };
    let (Some(first), Some(root)) = (first, root) else { return };
    if contexts(first) != contexts(root) {
        let advice = "All servers of a connection hold the same people: one that does not would have the others taken for gone.";
        report.warning("server", format!("{address} holds other naming contexts than the first url"), advice);
    }
}

/// As it is called, and as the option `server` has it.
fn names(server: DirectoryServer) -> (&'static str, &'static str) {
    match server {
        DirectoryServer::ActiveDirectory => ("Active Directory", "ad"),
        DirectoryServer::OpenLdap => ("OpenLDAP", "openldap"),
        DirectoryServer::Ds389 => ("389 Directory Server", "389"),
        DirectoryServer::Generic => ("another directory", "generic"),
    }
}
