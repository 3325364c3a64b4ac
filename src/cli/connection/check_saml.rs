//! `rosterd connection check` of a SAML connection: what a login would need, step by step, and what to change. Reads the
//! metadata where it comes from, and writes nothing: what it would change is told.

use super::check::mapping;
use super::metadata::{binding, end_of};
use super::report::Report;
use crate::cli::context::Context;
use crate::cli::mapping::try_entry::Subject;
use crate::clock::rfc3339;
use crate::model::connection::Connection;
use crate::model::saml::{SamlOptions, SignRequests};
use crate::model::tenant::Tenant;
use crate::outbound::{Outbound, Validators};
use crate::registration::connections::saml_contradictions;
use crate::saml::addresses::{Addresses, base_url};
use crate::saml::joining::{Around, will_not_join};
use crate::saml::keys::own;
use crate::saml::metadata::certificates::{self, Counted};
use crate::saml::metadata::decide::{Fresh, InForce, Plan, Refuse, Word, decide};
use crate::saml::metadata::place::{self, Document, Failure, Found, Place, asked};
use crate::saml::metadata::{Unusable, endpoint, known};
use crate::store::saml_metadata::{self, MetadataRow};
use crate::store::{organizations, tokens};
use rosterd_mapping::target::Kind;
use rosterd_saml::metadata::IdpMetadata;

pub const STEPS: [&str; 8] = ["settings", "metadata", "certificates", "endpoints", "keys", "mapping", "joining", "addresses"];

pub async fn check(context: &Context, tenant: &Tenant, connection: &Connection, report: &mut Report) -> anyhow::Result<()> {
    settings(&connection.options.saml, report);
    if let Some((metadata, counted)) = metadata(context, connection, report).await? {
        expiry(context, &metadata, &counted, report);
        endpoints(connection, &metadata, report);
    }
    keys(&connection.options.saml, report).await;
    let subject = mapping(context, connection, Kind::Saml, report).await?;
    joining(context, tenant, connection, subject.as_ref(), report).await?;
    addresses(context, tenant, connection, report);
    Ok(())
}

fn settings(options: &SamlOptions, report: &mut Report) {
    let wrong = saml_contradictions(options);
    if wrong.is_empty() {
        report.ok("settings", "whole");
    }
    for (what, advice) in wrong {
        report.failed("settings", what, advice);
    }
    if options.idp_initiated {
        let advice = "Switch it off unless a portal of the identity provider needs it.";
        report.warning("settings", "logins may begin at the identity provider: anybody's, for whoever opens a link", advice);
    }
}

/// Reads it where it comes from; what would count with it.
async fn metadata(
    context: &Context,
    connection: &Connection,
    report: &mut Report,
) -> anyhow::Result<Option<(IdpMetadata, Vec<Counted>)>> {
    let now = context.clock.now();
    let row = saml_metadata::find(&context.store, connection).await?;
    let Ok(stored) = row.as_ref().map(known).transpose() else {
        let name = &connection.name;
        let advice = format!("Have it read again: rosterd connection metadata {name} --refresh; or give it: --set FILE");
        report.failed("metadata", Unusable::Unreadable.to_string(), advice);
        return Ok(None);
    };
    let stored = stored.flatten();
    let outbound = Outbound::new(&context.config.outbound.allow);
    let place = Place::of(connection);
    let found = match (place, row.as_ref().and_then(|row| row.document.as_ref())) {
        (Place::Paste, Some(text)) => Ok(Document { text: text.clone(), validators: Validators::default(), is_page: false }),
        _ => place::read(place, connection, Validators::default(), &outbound).await.and_then(|found| match found {
            Found::Document(document) => Ok(document),
            Found::NotModified => Err(Failure::Nowhere),
        }),
    };
    let understood = found.and_then(|document| {
        let metadata = place::understood(&document, connection, now)?;
        if metadata.signing.is_empty() { Err(Failure::NoCertificate(metadata.unusable)) } else { Ok((document, metadata)) }
    });
    let (document, metadata) = match understood {
        Ok(understood) => understood,
        Err(failure) => {
            let last_good = stored.filter(|(metadata, _)| super::metadata::is_valid(metadata, now));
            match &last_good {
                Some(_) => {
                    let detail = format!("{failure}; the last good document is in force");
                    report.warning("metadata", detail, failure.advice());
                }
                None => report.failed("metadata", failure.to_string(), failure.advice()),
            }
            return Ok(last_good);
        }
    };
    let by = match place {
        Place::Url(url) => format!("from {url}"),
        Place::File(path) => format!("from {path}"),
        Place::Paste => String::from("pasted"),
    };
    let plan = plan(connection, row.as_ref(), stored.as_ref(), &document, &metadata, now);
    let name = &connection.name;
    let detail = format!("{}, {by}", metadata.entity_id);
    Ok(match plan {
        Plan::Hold(hold) => {
            let advice = format!(
                "Compare what rosterd connection metadata {name} --refresh shows with the identity provider; if it is right, take it by \
                 --approve with the SHA-256 that is printed."
            );
            let detail = format!("{detail}: not taken, since {}", hold.says());
            let former = stored.as_ref().filter(|(metadata, _)| super::metadata::is_valid(metadata, now));
            match former {
                Some((former, _)) => {
                    let detail = format!("{detail}; logins go on with the former metadata, of {}", former.entity_id);
                    report.warning("metadata", detail, advice);
                }
                None => report.failed("metadata", detail, advice),
            }
            stored
        }
        Plan::Refuse(Refuse::NoCertificate) => stored,
        Plan::Unchanged => {
            report.ok("metadata", detail);
            stored
        }
        Plan::Take(taken) => {
            if stored.is_none() {
                let advice =
                    format!("A running gateway does so within seconds; so does rosterd connection metadata {name} --refresh.");
                report.warning("metadata", format!("{detail}: not taken yet"), advice);
            } else {
                report.ok("metadata", detail);
            }
            Some((metadata, taken.certificates))
        }
    })
}

fn plan(
    connection: &Connection,
    row: Option<&MetadataRow>,
    stored: Option<&(IdpMetadata, Vec<Counted>)>,
    document: &Document,
    metadata: &IdpMetadata,
    now: i64,
) -> Plan {
    let in_force = stored.zip(row).map(|((metadata, certificates), row)| InForce {
        text: row.document.clone().unwrap_or_default(),
        metadata: metadata.clone(),
        certificates: certificates.clone(),
        seen_at: row.fetched_at.unwrap_or_default(),
        has_waiting: row.waiting_document.is_some(),
    });
    let is_other = row.and_then(|row| row.asked.as_ref()).is_some_and(|known| *known != asked(connection));
    let word = if is_other { Word::Administrator } else { Word::Place };
    let grace = certificates::grace(connection.options.saml.certificate_grace_days);
    decide(in_force.as_ref(), Fresh { text: &document.text, metadata }, now, grace, word)
}

fn expiry(context: &Context, metadata: &IdpMetadata, counted: &[Counted], report: &mut Report) {
    let now = context.clock.now();
    let listed = counted.iter().filter(|counted| counted.gone.is_none());
    let ends: Vec<String> = listed
        .map(|counted| {
            format!("{}, ends {}", counted.certificate.fingerprint(), counted.not_after().map_or_else(String::new, rfc3339))
        })
        .collect();
    match end_of(counted, now) {
        Some(end) => {
            let advice =
                "Ask whoever runs the identity provider to renew it: a second one beside it in the metadata is taken by itself.";
            report.warning("certificates", format!("{end}: {}", ends.join("; ")), advice);
        }
        None => report.ok("certificates", ends.join("; ")),
    }
    for refusal in &metadata.unusable {
        report.warning(
            "certificates",
            format!("one can't be used: {refusal}"),
            "The others are used; a signature by it alone is refused.",
        );
    }
    if let Some(until) = metadata.valid_until {
        let left = (until.as_microsecond() - now) / certificates::DAY;
        if left < 1 {
            let advice = "Logins end with it, unless newer metadata is published before.";
            report.warning("certificates", format!("the metadata is valid until {until}"), advice);
        }
    }
}

fn endpoints(connection: &Connection, metadata: &IdpMetadata, report: &mut Report) {
    let options = &connection.options.saml;
    let wanted = endpoint(&metadata.sign_on, options.request_binding);
    match wanted {
        None => {
            let offered: Vec<&str> = metadata.sign_on.iter().map(binding).collect();
            let detail = format!("request_binding is not offered; sign-on is by {}", offered.join(", "));
            report.failed("endpoints", detail, "Set request_binding=auto.");
        }
        Some(endpoint) if endpoint.location.starts_with("http://") => {
            let advice = "Anybody on the way can sign people in as others. The identity provider has to be reached by https.";
            report.warning("endpoints", format!("sign-on by {} {}", binding(endpoint), endpoint.location), advice);
        }
        Some(endpoint) => report.ok("endpoints", format!("sign-on by {} {}", binding(endpoint), endpoint.location)),
    }
    if metadata.wants_signed_requests && options.sign_requests == SignRequests::Never {
        let advice = "Set sign_requests=auto, unless it is known to take them all the same.";
        report.warning("endpoints", "the identity provider wants signed requests, and sign_requests is false", advice);
    }
    match metadata.logout.first() {
        Some(endpoint) if options.single_logout => {
            report.ok("endpoints", format!("logout by {} {}", binding(endpoint), endpoint.location));
        }
        None if options.single_logout => report.skipped("endpoints", "no single logout: the identity provider offers none"),
        _ => report.skipped("endpoints", "no single logout: it is switched off (single_logout)"),
    }
}

async fn keys(options: &SamlOptions, report: &mut Report) {
    match own(options.decryption_key_file.as_deref(), options.decryption_cert_file.as_deref()).await {
        Ok(None) => report.skipped("keys", "no key of your own: decryption_key_file is not set"),
        Ok(Some((_, Some(certificate)))) => report.ok("keys", format!("decryption by {}", certificate.fingerprint())),
        Ok(Some((_, None))) => {
            let advice = "Set decryption_cert_file, or give the certificate to the identity provider yourself.";
            report.warning("keys", "our metadata does not publish the key: decryption_cert_file is not set", advice);
        }
        Err(error) => {
            let advice = "decryption_key_file has to be a private RSA key in PEM that the gateway's user may read, and \
                          decryption_cert_file its certificate.";
            report.failed("keys", error.to_string(), advice);
        }
    }
}

/// Whether who logs in will be who is there.
async fn joining(
    context: &Context,
    tenant: &Tenant,
    connection: &Connection,
    subject: Option<&Subject>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let joined = match &connection.options.join {
        Some(name) => crate::store::connections::find_by_name(&context.store, &tenant.id, name).await?,
        None => None,
    };
    let organization = match &connection.organization_id {
        Some(id) => organizations::find(&context.store, &tenant.id, id).await?,
        None => None,
    };
    let has_scim_side = tokens::has_any(&context.store, &tenant.id, &connection.id).await?;
    // Of a mapping that does not run, or a script, nothing is said.
    let gives = |target: &str| subject.is_none_or(|subject| subject.may_give(target));
    let around = Around {
        has_scim_side,
        joined: joined.as_ref().map(|stored| &stored.connection),
        has_domain: organization.is_some_and(|organization| !organization.domains.is_empty()),
        gives_username: gives("username"),
        gives_verified_email: gives("email_verified"),
    };
    let reasons = will_not_join(connection, &around);
    let is_alone = !has_scim_side && connection.options.join.is_none();
    match (reasons.is_empty(), is_alone) {
        (true, true) => report.skipped("joining", "nobody is pushed to it and it joins no other connection"),
        (true, false) => report.ok("joining", "nothing is known against it"),
        (false, _) => {}
    }
    for reason in reasons {
        report.warning("joining", reason, "Until then who logs in is somebody new, beside who is there.");
    }
    Ok(())
}

/// What to paste at the identity provider.
fn addresses(context: &Context, tenant: &Tenant, connection: &Connection, report: &mut Report) {
    let base = base_url(&context.public_url(), tenant);
    let Addresses { entity_id, metadata, acs, slo } = Addresses::of(&base, connection);
    for (called, address) in [
        ("ACS URL (reply URL, single sign-on URL)", &acs),
        ("entity id (audience, identifier)", &entity_id),
        ("metadata", &metadata),
        ("logout URL", &slo),
    ] {
        report.ok("addresses", format!("{called}: {address}"));
    }
    if context.config.server.public_url.is_none() {
        let advice = "Set server.public_url: what an identity provider is told has to stay.";
        report.warning("addresses", "they are those of this machine, since server.public_url is not set", advice);
    }
}
