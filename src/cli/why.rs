//! `rosterd users why USER [ATTRIBUTE] [--at TIME]`: for each value of a profile the connection, event and mapping line
//! it came from, what the identity itself says, and what was there before; now, or as it was. The answer is the management API's.
//!
//! Members that provenance or history lack are left out, never guessed.

use super::context::{Context, TenantArg};
use super::output;
use super::users::{find_user, plain};
use crate::clock::{Micros, rfc3339};
use crate::model::nearest::nearest;
use crate::provisioning::history::read::Subject;
use crate::provisioning::history::{Hiding, Reason};
use anyhow::bail;
use clap::Args;
use serde_json::Value;

/// Older values shown per attribute.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// user_id, e-mail address, user name, or SCIM id
    user: String,
    /// An attribute like email or app_metadata.department; without it all are explained
    attribute: Option<String>,
    /// Explain the values of that instant, for instance 2026-11-20T23:50:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Micros>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

fn instant(text: &str) -> Result<Micros, String> {
    let wanted = || format!("`{text}` is no instant like 2026-11-20T23:50:00Z");
    text.parse::<jiff::Timestamp>().map(|at| at.as_microsecond()).map_err(|_| wanted())
}

pub async fn run(context: &Context, args: &WhyArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let user = find_user(context, &tenant.id, &args.user).await?;
    let subject = Subject::load(&context.store, &tenant.id, user).await?;
    let user_id = &subject.user.user_id;
    let Some(reasons) = subject.why(args.attribute.as_deref(), args.at).await? else {
        bail!("there was no {user_id} yet: the profile was made at {}", rfc3339(subject.user.created_at));
    };
    if let (Some(name), true) = (&args.attribute, reasons.is_empty()) {
        let known = subject.attributes().await?;
        let hint = nearest(name, known.iter().map(String::as_str)).map(|near| format!("; did you mean {near}?"));
        bail!("nothing ever gave {user_id} a value for {name}{}", hint.unwrap_or_default());
    }
    let keyed = |text: &str| context.keys.fingerprint(text);
    let hiding = Hiding(&keyed);
    if args.json {
        output::json(&reasons.iter().map(|reason| reason.as_json(hiding)).collect())?;
        return Ok(());
    }
    for (index, reason) in reasons.iter().enumerate() {
        if index > 0 {
            println!();
        }
        print(reason, hiding);
    }
    Ok(())
}

fn print(reason: &Reason, hiding: Hiding<'_>) {
    let path = reason.attribute.as_str();
    let shown = |value: &Option<Value>| {
        value.clone().map_or_else(|| String::from("(no value)"), |value| hiding.shown(path, value).to_string())
    };
    let text = |member: &str| reason.provenance.get(member).filter(|value| !value.is_null()).map(plain);
    println!("{path} = {}", output::printable(&shown(&reason.value)));
    let line = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            println!("  {name:<11} {}", output::printable(&text));
        }
    };
    let with = |text: Option<String>, rest: Option<String>| match (text, rest) {
        (Some(text), Some(rest)) => Some(format!("{text} ({rest})")),
        (text, _) => text,
    };
    line("connection", with(text("connection"), text("connection_id")));
    line("event", with(text("event"), reason.provenance.get("at").and_then(Value::as_i64).map(rfc3339)));
    let version = text("mapping_version").map(|version| format!(" version {version}")).unwrap_or_default();
    let number = text("line").map(|line| format!(", line {line}")).unwrap_or_default();
    line("mapping", text("mapping").map(|name| format!("{name}{version}{number}")));
    line("rule", text("rule"));
    line("actor", text("actor"));
    line("identity", text("identity_id"));
    line("it mapped", reason.mapped.as_ref().map(|value| hiding.shown(path, value.clone()).to_string()));
    for other in &reason.others {
        let value = hiding.shown(path, other.value.clone());
        line("others say", Some(format!("{value} on {}, which did not count", other.connection)));
    }
    for older in reason.older.iter().take(SHOWN) {
        let connection = older.connection.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
        let (value, at) = (shown(&older.value), rfc3339(older.at));
        line("before", Some(format!("{value}, until {at} ({}{connection}, by {})", older.event, older.actor)));
    }
    if reason.older.len() > SHOWN {
        line("", Some(format!("… and {} older", reason.older.len() - SHOWN)));
    }
}
