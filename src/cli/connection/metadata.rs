//! `rosterd connection metadata`: what a SAML connection knows of its identity provider, what waits for a word, and that word.

use crate::cli::context::{Context, TenantArg};
use crate::cli::output::{self, time, time_json};
use crate::clock::{Micros, rfc3339};
use crate::model::connection::{Connection, ConnectionKind};
use crate::outbound::Outbound;
use crate::saml::metadata::certificates::{self, Counted, days_left, last_end, warned_at};
use crate::saml::metadata::decide::Hold;
use crate::saml::metadata::place::{self, Failure, Place};
use crate::saml::metadata::refresh::{Approval, Outcome, Refresher};
use crate::saml::metadata::{IdentityProviders, Unusable, instant, known};
use crate::store::saml_metadata::{self, MetadataRow};
use anyhow::{Context as _, bail};
use clap::Args;
use rosterd_saml::limits::METADATA_BYTES_MAX;
use rosterd_saml::metadata::{Binding, Endpoint, IdpMetadata};
use rosterd_saml::verify::Certificate;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::process::ExitCode;

/// Options by which metadata comes from elsewhere, or another part of it is meant.
pub const MOVED_BY: [&str; 4] = ["metadata_url", "metadata_file", "idp_entity_id", "allow_plaintext"];
/// As for a run that is held.
const WAITS: u8 = 3;
const ACTOR: &str = "cli";
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

#[derive(Debug, Args)]
pub struct MetadataArgs {
    /// Name or id
    name: String,
    /// Take this document, from a file or, as -, from standard input: your word that it is the identity provider's
    #[arg(long, value_name = "FILE", group = "act")]
    set: Option<String>,
    /// Read it now where it comes from
    #[arg(long, group = "act")]
    refresh: bool,
    /// Take the document that waits, if it is the one with this SHA-256, all 64 digits as printed: your word that it is the identity
    /// provider's
    #[arg(long, value_name = "SHA256", group = "act", value_parser = shown)]
    approve: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub fn refresher(context: &Context) -> Refresher {
    Refresher {
        store: context.store.clone(),
        outbound: Outbound::new(&context.config.outbound.allow),
        clock: context.clock.clone(),
        entropy: context.entropy.clone(),
    }
}

pub async fn run(context: &Context, args: &MetadataArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.name).await?.connection;
    if connection.kind != ConnectionKind::Samlp {
        bail!(
            "connection {} is of kind {}; only a SAML connection (samlp) has metadata",
            connection.name,
            connection.kind.as_str()
        );
    }
    let refresher = refresher(context);
    let outcome = match (&args.set, &args.approve) {
        (Some(from), _) => Some(refresher.paste(&connection, given(from)?, ACTOR).await?),
        (None, Some(shown)) => match refresher.approve(&connection, shown, ACTOR).await? {
            Approval::Approved(outcome) => Some(outcome),
            Approval::NothingWaits => bail!("no metadata of connection {} waits", connection.name),
            Approval::AnotherWaits => {
                show(&View::of(context, &connection).await?, args.json)?;
                bail!(
                    "not taken: another document waits than {shown}, as shown; look at it again (the SHA-256 is the document's, not that \
                     of a certificate)"
                );
            }
        },
        (None, None) if args.refresh => Some(refresher.refresh(&connection, ACTOR).await?),
        (None, None) => None,
    };
    match &outcome {
        Some(Outcome::Failed(failure)) => return Err(refused(failure)),
        Some(Outcome::Superseded) => {
            bail!("not taken: somebody set the connection's options meanwhile; look at them and say it again")
        }
        _ => {}
    }
    let view = View::of(context, &connection).await?;
    if let Some(outcome) = outcome.as_ref().filter(|_| !args.json) {
        output::line(told(outcome))?;
        output::line("")?;
    }
    show(&view, args.json)?;
    Ok(match outcome {
        Some(Outcome::Held(_)) => ExitCode::from(WAITS),
        _ => ExitCode::SUCCESS,
    })
}

fn show(view: &View, json: bool) -> anyhow::Result<()> {
    if json { Ok(output::json(&view.to_json())?) } else { view.print() }
}

/// The digest of what was looked at, whole: two documents that begin alike can be made. Other tools write it in upper case or with
/// colons.
fn shown(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let is_digest = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest
        .then(|| digits.to_ascii_lowercase())
        .ok_or_else(|| format!("the SHA-256 of the document that waits, all {DIGITS} digits, as `connection metadata` prints it"))
}

fn refused(failure: &Failure) -> anyhow::Error {
    anyhow::anyhow!("the metadata was not taken: {failure}\n{}", failure.advice())
}

/// A file, or standard input.
fn given(from: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let room = METADATA_BYTES_MAX as u64 + 1;
    match from {
        "-" => std::io::stdin().lock().take(room).read_to_end(&mut bytes),
        path => std::fs::File::open(path).with_context(|| path.to_owned())?.take(room).read_to_end(&mut bytes),
    }
    .with_context(|| from.to_owned())?;
    Ok(bytes)
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unchanged => String::from("Unchanged."),
        Outcome::Taken { added, missed } => {
            format!("Taken: {} certificates added, {} no longer listed.", added.len(), missed.len())
        }
        Outcome::Held(hold) => format!("Not taken: {}. Look at what waits below.", hold.says()),
        Outcome::Failed(failure) => format!("Not taken: {failure}"),
        Outcome::Superseded => String::from("Not taken: the connection's options were set anew meanwhile."),
    }
}

/// After options were set that say where metadata comes from: reads it at once, and says on stderr what did not go well. A
/// connection whose identity provider does not answer yet is one all the same.
pub async fn learn(context: &Context, connection: &Connection) -> anyhow::Result<Option<View>> {
    if connection.kind != ConnectionKind::Samlp {
        return Ok(None);
    }
    let stored = saml_metadata::find(&context.store, connection).await?;
    if Place::of(connection) == Place::Paste && stored.is_none_or(|row| row.document.is_none()) {
        eprintln!(
            "The identity provider is not known yet: set metadata_url or metadata_file, or paste its metadata: rosterd connection \
             metadata {} --set FILE",
            connection.name
        );
        return Ok(None);
    }
    match refresher(context).refresh(connection, ACTOR).await? {
        Outcome::Failed(failure) => {
            eprintln!(
                "The connection is stored, but its metadata could not be read: {failure}\n{}\nA running gateway tries again by \
                 itself; so does: rosterd connection metadata {} --refresh",
                failure.advice(),
                connection.name
            );
        }
        outcome @ (Outcome::Held(_) | Outcome::Superseded) => eprintln!("{}", told(&outcome)),
        Outcome::Unchanged | Outcome::Taken { .. } => {}
    }
    View::of(context, connection).await.map(Some)
}

/// What is known of one identity provider.
pub struct View {
    connection: Connection,
    row: Option<MetadataRow>,
    known: Option<(IdpMetadata, Vec<Counted>)>,
    /// What is stored can't be read, so that it is not known.
    is_unreadable: bool,
    usable: Result<(), Unusable>,
    waiting: Option<IdpMetadata>,
    now: Micros,
}

impl View {
    pub async fn of(context: &Context, connection: &Connection) -> anyhow::Result<Self> {
        let now = context.clock.now();
        let row = saml_metadata::find(&context.store, connection).await?;
        let read = row.as_ref().map(known).transpose();
        let is_unreadable = read.is_err();
        let known = read.ok().flatten().flatten();
        let usable = IdentityProviders::new(context.store.clone()).known(connection, now).await?.map(|_| ());
        let wanted = connection.options.saml.idp_entity_id.as_deref();
        let waiting = row.as_ref().and_then(|row| row.waiting_document.as_deref());
        let waiting = waiting.and_then(|text| IdpMetadata::read(text, wanted, jiff::Timestamp::MIN).ok());
        Ok(Self { connection: connection.clone(), row, known, is_unreadable, usable, waiting, now })
    }

    /// When it is read again by itself: what was pasted never is.
    fn next_at(&self) -> Option<Micros> {
        self.row.as_ref().filter(|_| Place::of(&self.connection) != Place::Paste).map(|row| row.next_at)
    }

    fn place(&self) -> String {
        match Place::of(&self.connection) {
            Place::Url(url) => format!("url {url}"),
            Place::File(path) => format!("file {path}"),
            Place::Paste => String::from("paste"),
        }
    }

    /// One line for `connection show`.
    pub fn line(&self) -> String {
        let Some((metadata, _)) = &self.known else {
            if self.is_unreadable {
                return Unusable::Unreadable.to_string();
            }
            let error = self.row.as_ref().and_then(|row| row.last_error.as_deref());
            return error.map_or_else(|| String::from("none yet"), |error| format!("none yet: {error}"));
        };
        let warnings = self.warnings();
        let more: String = warnings.iter().map(|warning| format!("; {warning}")).collect();
        format!("{} from {}{more}", metadata.entity_id, self.place())
    }

    /// What somebody should look at.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let (Err(why), Some(_)) = (self.usable, &self.known) {
            all.push(format!("nobody can log in: {why} ({})", why.code()));
        }
        if self.is_unreadable {
            let (why, name) = (Unusable::Unreadable, &self.connection.name);
            all.push(format!("nobody can log in: {why}: rosterd connection metadata {name} --refresh, or --set FILE"));
        }
        let Some(row) = &self.row else { return all };
        if let Some(hold) = row.waiting_reason.as_deref().and_then(Hold::parse) {
            all.push(format!(
                "a newer document waits for your word: {} (look at it: rosterd connection metadata {})",
                hold.says(),
                self.connection.name
            ));
        }
        if let Some((metadata, counted)) = &self.known {
            all.extend(end_of(counted, self.now));
            // One address often serves both bindings, and logout too.
            let endpoints = metadata.sign_on.iter().chain(&metadata.logout).map(|endpoint| endpoint.location.as_str());
            let plain: BTreeSet<&str> = endpoints.filter(|location| location.starts_with("http://")).collect();
            all.extend(plain.into_iter().map(|location| format!("{location} is not encrypted")));
            all.extend(metadata.unusable.iter().map(|refusal| format!("a certificate can't be used: {refusal}")));
        }
        if let Some(error) = &row.last_error {
            let first = error.lines().next().unwrap_or_default();
            all.push(format!("reading it failed {} times since: {first}; tried again {}", row.failures, time(Some(row.next_at))));
        }
        all
    }

    pub fn to_json(&self) -> Value {
        let row = self.row.as_ref();
        let (metadata, counted) = match &self.known {
            Some((metadata, counted)) => (Some(metadata), counted.as_slice()),
            None => (None, [].as_slice()),
        };
        let grace = certificates::grace(self.connection.options.saml.certificate_grace_days);
        let at = |of: fn(&MetadataRow) -> Option<Micros>| time_json(row.and_then(of));
        let certificate = |counted: &Counted| {
            json!({
                "fingerprint": counted.certificate.fingerprint(),
                "kind": kind(&counted.certificate),
                "not_after": time_json(counted.not_after()),
                "first_seen": rfc3339(counted.first_seen),
                "last_seen": time_json(counted.gone.map(|gone| gone.last_seen).or(row.and_then(|row| row.fetched_at))),
                "listed": counted.gone.is_none(),
                "counts": counted.counts(self.now, grace),
                "counts_until": time_json(counted.gone.map(|gone| gone.since.saturating_add(grace))),
            })
        };
        let waiting = row.and_then(|row| row.waiting_reason.as_deref()).map(|reason| {
            let listed = self.waiting.as_ref().map_or(&[][..], |metadata| &metadata.signing);
            json!({
                "sha256": row.and_then(|row| row.waiting_document.as_deref()).map(place::digest),
                "reason": reason,
                "says": Hold::parse(reason).map(Hold::says),
                "since": at(|row| row.waiting_since),
                "entity_id": self.waiting.as_ref().map(|metadata| &metadata.entity_id),
                "certificates": listed.iter().map(Certificate::fingerprint).collect::<Vec<_>>(),
            })
        });
        json!({
            "connection": self.connection.name,
            "usable": self.usable.is_ok(),
            "reason": self.usable.err().map(Unusable::code),
            "place": self.place(),
            "origin": row.and_then(|row| row.origin.as_ref()),
            "entity_id": metadata.map(|metadata| &metadata.entity_id),
            "certificates": counted.iter().map(certificate).collect::<Vec<_>>(),
            "sign_on": endpoints(metadata.map_or(&[][..], |metadata| &metadata.sign_on)),
            "logout": endpoints(metadata.map_or(&[][..], |metadata| &metadata.logout)),
            "wants_signed_requests": metadata.map(|metadata| metadata.wants_signed_requests),
            "name_id_formats": metadata.map(|metadata| &metadata.name_id_formats),
            "scopes": metadata.map(|metadata| metadata.scopes.iter().map(|scope| &scope.value).collect::<Vec<_>>()),
            "valid_until": at(|row| row.valid_until),
            "taken_at": at(|row| row.taken_at),
            "fetched_at": at(|row| row.fetched_at),
            "next_at": time_json(self.next_at()),
            "refetched_at": at(|row| row.refetched_at),
            "failures": row.map_or(0, |row| row.failures),
            "last_error": row.and_then(|row| row.last_error.as_ref()),
            "waiting": waiting,
            "warnings": self.warnings(),
        })
    }

    pub fn print(&self) -> anyhow::Result<()> {
        let Some(((metadata, counted), row)) = self.known.as_ref().zip(self.row.as_ref()) else {
            output::fields(&[("metadata", self.line()), ("place", self.place())])?;
            self.print_waiting()?;
            return self.print_warnings();
        };
        let mut fields = vec![
            ("entity id", metadata.entity_id.clone()),
            ("place", self.place()),
            ("origin", output::or_dash(row.origin.as_deref())),
            ("taken", time(row.taken_at)),
            ("last read", time(row.fetched_at)),
        ];
        fields.extend(self.next_at().map(|at| ("next read", rfc3339(at))));
        fields.extend(row.valid_until.map(|until| ("valid until", rfc3339(until))));
        fields.extend(metadata.sign_on.iter().map(|endpoint| ("sign-on", endpoint_line(endpoint))));
        fields.extend(metadata.logout.iter().map(|endpoint| ("logout", endpoint_line(endpoint))));
        fields.push(("wants signed requests", metadata.wants_signed_requests.to_string()));
        output::fields(&fields)?;
        output::line("")?;
        let grace = certificates::grace(self.connection.options.saml.certificate_grace_days);
        let row_of = |counted: &Counted| {
            let state = match counted.gone {
                None => String::from("listed"),
                Some(gone) if counted.counts(self.now, grace) => {
                    format!("no longer listed; counts until {}", rfc3339(gone.since.saturating_add(grace)))
                }
                Some(_) => String::from("no longer listed; does not count"),
            };
            let certificate = &counted.certificate;
            vec![certificate.fingerprint().to_owned(), kind(certificate).to_owned(), time(counted.not_after()), state]
        };
        output::table(&["CERTIFICATE (SHA-256)", "KEY", "ENDS", ""], &counted.iter().map(row_of).collect::<Vec<_>>())?;
        self.print_waiting()?;
        self.print_warnings()
    }

    fn print_waiting(&self) -> anyhow::Result<()> {
        let Some((waiting, row)) = self.waiting.as_ref().zip(self.row.as_ref()) else { return Ok(()) };
        let Some(reason) = row.waiting_reason.as_deref().and_then(Hold::parse) else { return Ok(()) };
        output::line("")?;
        let mut fields = vec![("waits", reason.says().to_owned())];
        let digest = row.waiting_document.as_deref().map(place::digest).unwrap_or_default();
        fields.push(("its SHA-256", digest.clone()));
        fields.push(("its entity id", waiting.entity_id.clone()));
        fields.extend(waiting.signing.iter().map(|certificate| ("its certificate", certificate.fingerprint().to_owned())));
        fields.push(("to take it", format!("rosterd connection metadata {} --approve {digest}", self.connection.name)));
        output::fields(&fields)?;
        Ok(())
    }

    fn print_warnings(&self) -> anyhow::Result<()> {
        for warning in self.warnings() {
            output::line(format_args!("\n! {}", output::printable(&warning)))?;
        }
        Ok(())
    }
}

/// What to say of certificates that end, or have ended, all of them.
pub fn end_of(counted: &[Counted], now: Micros) -> Option<String> {
    let end = last_end(counted)?;
    warned_at(end, now)?;
    let days = days_left(end, now);
    Some(match days {
        ..0 => format!("the last certificate ended {}; it still counts, and the identity provider should renew it", rfc3339(end)),
        days => format!("the last certificate ends in {days} days ({}); it counts after that too", rfc3339(end)),
    })
}

pub fn kind(certificate: &Certificate) -> &'static str {
    match certificate.family() {
        rosterd_saml::signature::Family::Rsa => "RSA",
        rosterd_saml::signature::Family::Ec => "EC",
    }
}

pub fn binding(endpoint: &Endpoint) -> &'static str {
    match endpoint.binding {
        Binding::Redirect => "redirect",
        Binding::Post => "post",
    }
}

fn endpoint_line(endpoint: &Endpoint) -> String {
    format!("{} {}", binding(endpoint), endpoint.location)
}

fn endpoints(all: &[Endpoint]) -> Vec<Value> {
    let one = |endpoint: &Endpoint| json!({ "binding": binding(endpoint), "location": endpoint.location, "response_location": endpoint.response_location });
    all.iter().map(one).collect()
}

/// Whether metadata may still be believed.
pub fn is_valid(metadata: &IdpMetadata, now: Micros) -> bool {
    metadata.valid_until.is_none_or(|until| instant(now) < until)
}
