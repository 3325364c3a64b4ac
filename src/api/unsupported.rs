//! What management SDKs can call and this gateway does not do: a 404 that says so, so that nobody looks for a mistake of theirs.

use super::call::Call;
use super::problem::Problem;

/// First words of paths.
const AREAS: [&str; 28] = [
    "actions",
    "anomaly",
    "attack-protection",
    "branding",
    "client-grants",
    "connection-profiles",
    "custom-domains",
    "device-credentials",
    "email-templates",
    "emails",
    "flows",
    "forms",
    "guardian",
    "hooks",
    "keys",
    "log-streams",
    "network-acls",
    "prompts",
    "resource-servers",
    "risk-assessments",
    "roles",
    "rules",
    "rules-configs",
    "self-service-profiles",
    "stats",
    "tickets",
    "token-exchange-profiles",
    "user-attribute-profiles",
];

/// What stands behind the id of a user or connection.
const PARTS: [(&str, &[&str]); 2] = [
    (
        "users",
        &[
            "authentication-methods",
            "authenticators",
            "connected-accounts",
            "effective-permissions",
            "effective-roles",
            "enrollments",
            "federated-connections-tokensets",
            "multifactor",
            "organizations",
            "permissions",
            "recovery-code-regeneration",
            "risk-assessments",
            "roles",
        ],
    ),
    ("connections", &["clients", "directory-provisioning", "keys"]),
];

/// 404 for a path at which nothing is served.
pub(super) fn problem(call: &Call<'_>) -> Problem {
    let area = call.segment(0);
    let part = PARTS.iter().find(|(name, _)| *name == area).filter(|(_, parts)| parts.contains(&call.segment(2)));
    match part {
        Some((name, _)) => Problem::not_implemented(&format!("/{name}/{{id}}/{}", call.segment(2))),
        None if AREAS.contains(&area) => Problem::not_implemented(&format!("/{area}")),
        None => Problem::not_found(),
    }
}
