//! `POST /login/{connection}` from beginning to end: who asks for what, how often they may, whether the password opens, what
//! the roster says, and then the session.

use super::answer::{self, Refused, goes_to};
use super::directory::{Failed, PasswordCheck};
use super::limits::Who;
use super::request::{self, Credentials, NAME_BYTES_MAX, PASSWORD_BYTES_MAX};
use super::session::Beginning;
use super::told::{self, Noted};
use super::{Logins, cookie, named, return_to};
use crate::clock::SECOND;
use crate::ldap::bind::may_be_a_password;
use crate::ldap::failure::Failure;
use crate::ldap::settings::Settings;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::connection_secrets::ConnectionSecrets;
use crate::model::ids::TenantId;
use crate::model::proof::Proof;
use crate::model::session::ABSOLUTE;
use crate::profile::verified::{LoginRecord, Verified};
use crate::provisioning::login::Login;
use crate::provisioning::{self};
use crate::secret::Secret;
use crate::store::login_failures::{self, Counted};
use crate::store::{self, Batch, connections};
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a directory may take over one login, all its servers and steps together. Nobody waits longer before a page.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The most of it that one server is waited for, whatever a sync may wait: the next has to get its turn.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const STEP_WITHIN: Duration = Duration::from_secs(8);

/// Somebody who is signed in now.
pub(super) struct Entered {
    secret: Secret<String>,
    profile: Value,
    /// Where a form's browser goes on.
    goes_to: Option<String>,
}

impl Entered {
    /// JSON is answered with what `GET /session` shows, a form with where to go.
    pub(super) fn into_response(self, public_url: &str) -> Response {
        let mut response = match self.goes_to {
            None => answer::json(StatusCode::OK, &self.profile),
            Some(path) => goes_to(&path),
        };
        response.headers_mut().insert(SET_COOKIE, cookie::keep(public_url, &self.secret, ABSOLUTE / SECOND));
        response
    }
}

/// `read_at` is told when the request was all there: what it takes from then on is ours.
pub(super) async fn enter(logins: &Logins, parts: &Parts, body: Body, read_at: &mut Instant) -> Result<Entered, Refused> {
    logins.same_origin(parts)?;
    let tenant = logins.tenant(parts).await?;
    let connection = logins.connection(&tenant, &named(parts)).await?;
    if connection.kind != ConnectionKind::Ldap {
        return Err(Refused::NoPasswords);
    }
    let credentials = request::read(logins, parts, body).await?;
    *read_at = Instant::now();
    let address = logins.client_address(parts);
    let login = logins.login(&connection, parts);
    // Several right passwords at once are no failures of each other; who waits too long is counted like anybody.
    let turn = logins.places.turn(&connection.id, &credentials.username).await;
    let _place = logins.place(&connection)?;
    let mut tries = Tries { logins, tenant: &tenant, counted: Vec::new(), at_password: false, first: None };
    let [name, name_from_here] = tries.of(Who::Name(&credentials.username), &login);
    tries.count(vec![logins.limits.of_address(address), name, name_from_here]).await?;
    let checking = timeout(ANSWER_WITHIN, verified(&login, &credentials, &mut tries)).await;
    let verified = match checking {
        Ok(verified) => verified?,
        Err(_) => return Err(timed_out(&login, &tries).await),
    };
    let beginning = Beginning::new(logins, &tenant, parts).proved_by(Proof::new(None, ["pwd"]));
    let begin = |entering: &provisioning::login::Entering<'_>, batch: &mut Batch| beginning.store(entering, batch);
    let entered = logins.provisioner.login_storing(&login, &verified, &begin).await.map_err(|error| stopped(&error))?;
    // Why somebody with the right password is not let in is logged there, and theirs to ask an administrator. The tries
    // stay counted: whether a password was right must not show in how often it may be tried.
    let note = |status: StatusCode, noted: Noted| told::note(logins, &connection, parts, (*read_at, status), noted, false);
    let trace = match entered {
        Ok(entered) => entered.trace,
        Err(denial) => {
            note(StatusCode::UNAUTHORIZED, Noted::denied(&denial));
            return Err(Refused::InvalidCredentials);
        }
    };
    let status = if credentials.is_form { StatusCode::SEE_OTHER } else { StatusCode::OK };
    note(status, Noted::entered(trace, json!({ "server": tries.first }), &[]));
    // They are in: that their tries stay counted is no reason to tell them otherwise.
    if let Err(error) = tries.forget().await {
        tracing::warn!(%error, "the failures before a login could not be forgotten");
    }
    drop(turn);
    let profile = beginning.shown(logins).await?;
    let goes_to = credentials.is_form.then(|| credentials.return_to.unwrap_or_else(|| return_to::DEFAULT.to_owned()));
    Ok(Entered { secret: beginning.secret, profile, goes_to })
}

/// The password is the person's, and this is what the directory says of them.
async fn verified(login: &Login<'_>, credentials: &Credentials, tries: &mut Tries<'_>) -> Result<Verified<LoginRecord>, Refused> {
    let logins = tries.logins;
    let Credentials { username, password, .. } = credentials;
    if !is_worth_asking(username, password) {
        return Err(refused(logins, login, "malformed_credentials", None).await);
    }
    let connection = login.connection;
    if logins.avoided.refused_account(&connection.id, connection.version, logins.clock.now()) {
        return Err(unverified(logins, login, Failed::Unavailable { failures: Vec::new(), sent: false }, None, tries).await);
    }
    let mut settings = settings(logins, connection).await?;
    logins.avoided.put_last(&connection.id, &mut settings.urls, logins.clock.now());
    tries.first = settings.urls.first().map(ToString::to_string);
    let mapping = logins.provisioner.login_mapping(connection).await.map_err(|error| stopped(&error))?;
    let passed_over = |failures: &[Failure]| logins.avoided.note(&connection.id, failures, logins.clock.now());
    let mut check = match PasswordCheck::begin(&settings, &*mapping, username, password, &passed_over).await {
        Ok(check) => check,
        Err(failed) => return Err(unverified(logins, login, failed, None, tries).await),
    };
    let external_id = check.whom.external_id().map(str::to_owned);
    let who = external_id.as_deref().map_or(Who::Nobody(username), Who::Person);
    match tries.count(tries.of(who, login).into()).await {
        Ok(()) => {}
        // That two names mean one person must not show: only what counts names as typed says that there were too many.
        Err(Refused::TooManyFailures { .. }) => check.of_nobody("too_many_failures"),
        Err(refused) => return Err(refused),
    }
    tries.at_password = true;
    match Verified::by(check).await {
        Ok(verified) => Ok(verified),
        Err(failed) => Err(unverified(logins, login, failed, external_id.as_deref(), tries).await),
    }
}

/// Could this be a name and a password at all? An empty password must not reach a directory: to some it is nobody's, and
/// opens (RFC 4513 §5.1.2).
fn is_worth_asking(username: &str, password: &Secret<String>) -> bool {
    let name = (1..=NAME_BYTES_MAX).contains(&username.len()) && !username.contains(char::is_control);
    name && may_be_a_password(password) && password.expose().len() <= PASSWORD_BYTES_MAX
}

async fn unverified(logins: &Logins, login: &Login<'_>, failed: Failed, external_id: Option<&str>, tries: &Tries<'_>) -> Refused {
    match failed {
        Failed::Refused(reason) => refused(logins, login, reason, external_id).await,
        Failed::AccountRefused => {
            let connection = login.connection;
            logins.avoided.note_refused_account(&connection.id, connection.version, logins.clock.now());
            match tries.take_back().await {
                Ok(()) => Refused::Unavailable,
                Err(refused) => refused,
            }
        }
        Failed::Unavailable { failures, sent } => {
            logins.avoided.note(&login.connection.id, &failures, logins.clock.now());
            if !sent && let Err(refused) = tries.take_back().await {
                return refused;
            }
            Refused::Unavailable
        }
    }
}

/// It took too long. Whoever was asked first has its part in that, and is asked last for a while.
async fn timed_out(login: &Login<'_>, tries: &Tries<'_>) -> Refused {
    let (logins, connection) = (tries.logins, login.connection);
    tracing::warn!(connection = connection.name, seconds = ANSWER_WITHIN.as_secs(), "a login could not be checked in time");
    logins.avoided.note_server(&connection.id, tries.first.clone(), logins.clock.now());
    if !tries.at_password
        && let Err(refused) = tries.take_back().await
    {
        return refused;
    }
    Refused::Unavailable
}

/// Nobody gets in; the log knows why.
async fn refused(logins: &Logins, login: &Login<'_>, reason: &'static str, external_id: Option<&str>) -> Refused {
    match logins.provisioner.note_unverified(login, reason, external_id, &[]).await {
        Ok(()) => Refused::InvalidCredentials,
        Err(error) => stopped(&error),
    }
}

async fn settings(logins: &Logins, connection: &Connection) -> Result<Settings, Refused> {
    let sealed = connections::secrets(&logins.store, &connection.tenant_id, &connection.id).await?;
    let secrets = ConnectionSecrets::open(sealed.as_deref(), &connection.id, &logins.keys).map_err(|error| {
        tracing::error!(%error, connection = connection.name, "the secrets of a connection can't be read");
        Refused::Misconfigured
    })?;
    let mut settings = Settings::of(&connection.options.directory, &secrets).map_err(|all| {
        all.iter().for_each(|error| tracing::error!(%error, connection = connection.name, "a directory can't be connected to"));
        Refused::Misconfigured
    })?;
    settings.connect_timeout = settings.connect_timeout.min(CONNECT_WITHIN);
    settings.answer_timeout = settings.answer_timeout.min(STEP_WITHIN);
    Ok(settings)
}

/// What stopped a login, and says nothing about the person.
pub(super) fn stopped(error: &provisioning::Error) -> Refused {
    match error {
        provisioning::Error::Store(reason) => {
            tracing::warn!(%reason, "the store could not answer");
            Refused::Unavailable
        }
        provisioning::Error::Mapping { .. } => {
            tracing::error!(%error, "a login's mapping can't run");
            Refused::Misconfigured
        }
        provisioning::Error::Refused(_) => {
            tracing::error!(%error, "a login was answered like a push");
            Refused::Internal
        }
    }
}

/// What was counted of one request.
struct Tries<'a> {
    logins: &'a Logins,
    tenant: &'a TenantId,
    counted: Vec<Counted>,
    /// From here on a directory may have seen the password.
    at_password: bool,
    /// The server that is asked first.
    first: Option<String>,
}

impl Tries<'_> {
    fn of(&self, who: Who<'_>, login: &Login<'_>) -> [Counted; 2] {
        let Logins { limits, keys, .. } = self.logins;
        limits.of(keys, &login.connection.id, who, login.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    async fn count(&mut self, more: Vec<Counted>) -> Result<(), Refused> {
        let Logins { limits, store, clock, metrics, .. } = self.logins;
        let counted = limits.count(store, self.tenant, &more, clock.now()).await;
        match counted {
            Ok(()) => self.counted.extend(more),
            Err(refused) => {
                metrics.refused("login_failures");
                return Err(refused);
            }
        }
        Ok(())
    }

    async fn take_back(&self) -> Result<(), Refused> {
        self.logins.limits.take_back(&self.logins.store, self.tenant, &self.counted).await
    }

    /// The password was right: the person's count begins anew, the address has one failure less.
    async fn forget(&self) -> Result<(), store::Error> {
        let mut batch = Batch::default();
        for counted in &self.counted {
            if counted.scope.is_empty() {
                login_failures::take_back(&mut batch, self.tenant, counted);
            } else {
                login_failures::forget(&mut batch, self.tenant, counted);
            }
        }
        self.logins.store.apply(batch).await
    }
}
