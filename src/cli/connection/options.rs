//! `rosterd connection options`: the table of `model::options`, printed.

use super::kind;
use crate::cli::output;
use crate::model::connection::ConnectionKind;
use crate::model::connection_secrets;
use crate::model::options::{secret_ways, table};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct OptionsArgs {
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: ConnectionKind,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub fn print(args: &OptionsArgs) -> anyhow::Result<()> {
    let specs: Vec<_> = table().into_iter().filter(|spec| spec.applies_to(args.kind)).collect();
    const ORGANIZATION: [&str; 3] =
        ["organization", "the name of an organization, or nothing", "The customer whose users the connection brings."];
    if args.json {
        let mut all: Vec<Value> = specs
            .iter()
            .map(|spec| {
                let (default, form) = (spec.default(args.kind), spec.form());
                json!({ "name": spec.name, "type": form, "values": spec.wanted, "default": default, "meaning": spec.meaning })
            })
            .collect();
        all.extend(connection_secrets::of_kind(args.kind).map(
            |spec| json!({ "name": spec.name, "type": "secret", "values": "a text", "default": null, "meaning": spec.meaning }),
        ));
        let [name, values, meaning] = ORGANIZATION;
        all.push(json!({ "name": name, "type": "text", "values": values, "default": null, "meaning": meaning }));
        output::json(&Value::Array(all))?;
        return Ok(());
    }
    for spec in &specs {
        let default = spec.default(args.kind).unwrap_or_else(|| String::from("unset"));
        output::line(format_args!("{} ({}; default: {default})\n    {}\n", spec.name, spec.wanted, spec.meaning))?;
    }
    for spec in connection_secrets::of_kind(args.kind) {
        output::line(format_args!("{} (a secret: {})\n    {}\n", spec.name, secret_ways(spec.name), spec.meaning))?;
    }
    let [name, values, meaning] = ORGANIZATION;
    Ok(output::line(format_args!("{name} ({values}; default: unset)\n    {meaning}"))?)
}
