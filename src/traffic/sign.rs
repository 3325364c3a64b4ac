//! What in a request gives its sender away. Facts only; what follows from them is [`super::source`].

use serde_json::{Map, Value};

/// What is looked at. `path` is below the connection's base address; `query` as it was sent, None without a `?`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// None = the header was not sent.
    pub user_agent: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub body: Option<&'a Value>,
}

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $seen:literal;)+) => {
        /// One fact about a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Sign { $($(#[$doc])* $name),+ }

        impl Sign {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in rows.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// What was seen, for a sentence.
            pub fn seen(self) -> &'static str {
                match self { $(Self::$name => $seen),+ }
            }
        }
    };
}

signs! {
    AgentOkta = "agent_okta", "the User-Agent is Okta's";
    AgentOneLogin = "agent_onelogin", "the User-Agent is OneLogin's";
    AgentGoogle = "agent_google", "the User-Agent is Google's";
    AgentJumpCloud = "agent_jumpcloud", "the User-Agent is JumpCloud's";
    AgentPing = "agent_ping", "the User-Agent is Ping's";
    AgentAuthentik = "agent_authentik", "the User-Agent is authentik's";
    AgentKeycloak = "agent_keycloak", "the User-Agent is Keycloak's";
    AgentRippling = "agent_rippling", "the User-Agent is Rippling's";
    AgentWorkday = "agent_workday", "the User-Agent is Workday's";
    AgentScimGateway = "agent_scimgateway", "the User-Agent is scimgateway's";
    AgentEmpty = "agent_empty", "the User-Agent header is empty";
    NoAgentScimUtf8 = "no_agent_scim_utf8", "no User-Agent, and application/scim+json; charset=utf-8";
    MicrosoftFlag = "aad_flag", "the Tenant URL carries aadOptscim062020";
    MicrosoftReverseFlag = "aad_reverse_flag", "the Tenant URL carries AzureAdScimPatch2017";
    MicrosoftUrn = "microsoft_urn", "Microsoft's own schema URN";
    CapitalOperations = "capital_operations", "PATCH operations with a capital letter";
    CapitalBooleans = "capital_booleans", "booleans as the texts True and False";
    NullReferences = "null_references", "members with \"$ref\": null";
    GuestName = "guest_name", "a user name with #EXT# or onmicrosoft.com";
    GroupsWithoutMembers = "groups_without_members", "groups read with excludedAttributes=members";
    MemberTest = "member_test", "a membership test by id and members";
    RandomProbe = "random_probe", "a look-up of a random GUID";
    FoldedKeys = "folded_keys", "one PATCH value without path whose keys are paths";
    OktaExternalId = "okta_external_id", "an externalId in the form of Okta's user ids";
    PasswordAndGroups = "password_and_groups", "a new user with a password and \"groups\": []";
    FilterWithPage = "filter_with_page", "a filter with startIndex=1&count=100";
    ActiveWithoutPath = "active_without_path", "PATCH {active} without a path";
    UserPut = "user_put", "users changed by PUT";
    EchoPut = "echo_put", "PUT of the whole user as it was answered, id included";
    RenameWithId = "rename_with_id", "a group renamed by PATCH with its id in the value";
    LegacyUrn = "legacy_urn", "URNs of SCIM 1";
    NullId = "null_id", "\"id\": null";
    QuestionMark = "question_mark", "addresses that end in ?";
    ManagerId = "manager_id", "managerId instead of manager";
    LowerBooleans = "lower_booleans", "booleans as the texts true and false";
    TestUser = "jumpcloud_test", "JumpCloud's test user or test group";
    WholeEmails = "whole_emails", "a filter by emails without a sub-attribute";
    BareFilter = "bare_filter", "a filter value without quotes";
    SlashBeforeQuery = "slash_before_query", "a slash before the query";
    SingleMember = "single_member", "members given as one object";
    NullPath = "null_path", "PATCH operations with \"path\": null";
    ReadsDiscovery = "reads_discovery", "discovery is read";
}

impl Sign {
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|sign| sign.as_str() == word)
    }
}

/// The signs of one request, each once, in the order of [`Sign::ALL`].
pub fn signs_of(request: &Request<'_>) -> Vec<Sign> {
    let mut found = Found(Vec::new());
    of_headers(request, &mut found);
    of_address(request, &mut found);
    if let Some(Value::Object(body)) = request.body {
        of_body(request, body, &mut found);
    }
    found.0.sort_unstable();
    found.0.dedup();
    found.0
}

struct Found(Vec<Sign>);

impl Found {
    fn when(&mut self, holds: bool, sign: Sign) {
        if holds {
            self.0.push(sign);
        }
    }
}

fn of_headers(request: &Request<'_>, found: &mut Found) {
    let agent = request.user_agent.map(str::to_ascii_lowercase);
    for (word, sign) in [
        ("okta", Sign::AgentOkta),
        ("onelogin", Sign::AgentOneLogin),
        ("google", Sign::AgentGoogle),
        ("jumpcloud", Sign::AgentJumpCloud),
        ("ping", Sign::AgentPing),
        ("authentik", Sign::AgentAuthentik),
        ("keycloak", Sign::AgentKeycloak),
        ("rippling", Sign::AgentRippling),
        ("workday", Sign::AgentWorkday),
        ("scimgateway", Sign::AgentScimGateway),
    ] {
        found.when(agent.as_deref().is_some_and(|agent| agent.contains(word)), sign);
    }
    found.when(agent.as_deref() == Some(""), Sign::AgentEmpty);
    let media = request.content_type.unwrap_or_default().to_ascii_lowercase().replace(' ', "");
    found.when(agent.is_none() && media == "application/scim+json;charset=utf-8", Sign::NoAgentScimUtf8);
}

fn of_address(request: &Request<'_>, found: &mut Found) {
    let raw = request.query.unwrap_or_default();
    let lower = raw.to_ascii_lowercase();
    let in_path = request.path.to_ascii_lowercase();
    found.when(lower.contains("aadoptscim062020") || in_path.contains("aadoptscim062020"), Sign::MicrosoftFlag);
    found.when(lower.contains("azureadscimpatch2017"), Sign::MicrosoftReverseFlag);
    found.when(request.method == "PUT" && request.query == Some(""), Sign::QuestionMark);
    found.when(!raw.is_empty() && request.path.len() > 1 && request.path.ends_with('/'), Sign::SlashBeforeQuery);
    let discovery = ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"];
    found.when(discovery.iter().any(|path| request.path.starts_with(path)), Sign::ReadsDiscovery);
    let on_groups = request.path.starts_with("/Groups");
    found.when(on_groups && lower.contains("excludedattributes=members"), Sign::GroupsWithoutMembers);
    let Some(filter) = parameter(raw, "filter") else { return };
    found.when(lower.contains("startindex=1&count=100"), Sign::FilterWithPage);
    let words: Vec<&str> = filter.split_whitespace().collect();
    found.when(words.len() == 7 && on_groups && words[0] == "id" && words[4] == "members", Sign::MemberTest);
    if let [attribute, operator, value] = words[..]
        && operator.eq_ignore_ascii_case("eq")
    {
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let name = attribute.eq_ignore_ascii_case("userName");
        found.when(quoted.is_some_and(is_guid) && (name || attribute.eq_ignore_ascii_case("displayName")), Sign::RandomProbe);
        found.when(quoted.is_none() && name, Sign::BareFilter);
        found.when(attribute.eq_ignore_ascii_case("emails"), Sign::WholeEmails);
    }
    found.when(is_guest(&filter), Sign::GuestName);
}

fn of_body(request: &Request<'_>, body: &Map<String, Value>, found: &mut Found) {
    for urn in body.get("schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        found.when(urn.starts_with("http://schemas.microsoft.com/"), Sign::MicrosoftUrn);
        found.when(urn.starts_with("urn:scim:schemas:core:"), Sign::LegacyUrn);
    }
    let operations = member(body, "Operations").and_then(Value::as_array);
    if request.method == "PATCH"
        && let Some(operations) = operations
    {
        operations.iter().filter_map(Value::as_object).for_each(|operation| of_operation(request, operation, found));
        return;
    }
    found.when(body.get("id") == Some(&Value::Null), Sign::NullId);
    found.when(body.contains_key("managerId"), Sign::ManagerId);
    of_boolean(body.get("active"), found);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    found.when(is_guest(text("userName")), Sign::GuestName);
    found.when(text("externalId").len() == 20 && text("externalId").starts_with("00u"), Sign::OktaExternalId);
    let jumpcloud = text("displayName").starts_with("JumpCloudTest") || text("userName").contains("@jumpcloudtest.");
    found.when(jumpcloud, Sign::TestUser);
    let no_groups = body.get("groups").and_then(Value::as_array).is_some_and(Vec::is_empty);
    found.when(request.method == "POST" && no_groups && body.contains_key("password"), Sign::PasswordAndGroups);
    let user_put = request.method == "PUT" && request.path.starts_with("/Users/");
    found.when(user_put, Sign::UserPut);
    let echoed = body.contains_key("id") && (body.contains_key("meta") || body.contains_key("groups"));
    found.when(user_put && echoed && body.get("id") != Some(&Value::Null), Sign::EchoPut);
}

fn of_operation(request: &Request<'_>, operation: &Map<String, Value>, found: &mut Found) {
    let op = member(operation, "op").and_then(Value::as_str).unwrap_or_default();
    found.when(["Add", "Replace", "Remove"].contains(&op), Sign::CapitalOperations);
    found.when(operation.get("path") == Some(&Value::Null), Sign::NullPath);
    let path = member(operation, "path").and_then(Value::as_str);
    let Some(value) = member(operation, "value") else { return };
    match (path, value) {
        (None, Value::Object(object)) => {
            found.when(object.len() == 1 && object.contains_key("active"), Sign::ActiveWithoutPath);
            let is_path = |key: &String| key.contains(['.', '[', ':']);
            found.when(
                op.starts_with('r') && object.iter().any(|(key, value)| is_path(key) && !value.is_object()),
                Sign::FoldedKeys,
            );
            let renames = object.len() == 2 && object.contains_key("id") && object.contains_key("displayName");
            found.when(request.path.starts_with("/Groups/") && renames, Sign::RenameWithId);
            of_boolean(object.get("active"), found);
        }
        (Some(path), Value::Object(_)) => found.when(path.eq_ignore_ascii_case("members"), Sign::SingleMember),
        (Some(_), Value::Array(items)) => {
            found.when(items.iter().any(|item| item.get("$ref") == Some(&Value::Null)), Sign::NullReferences);
        }
        (Some(path), value) if path.eq_ignore_ascii_case("active") || path.ends_with(".primary") => {
            of_boolean(Some(value), found);
        }
        _ => {}
    }
}

fn of_boolean(value: Option<&Value>, found: &mut Found) {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    found.when(["True", "False"].contains(&text), Sign::CapitalBooleans);
    found.when(["true", "false"].contains(&text), Sign::LowerBooleans);
}

fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case(name)))?.1;
    Some(percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

fn is_guest(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("#ext#") || lower.contains(".onmicrosoft.com")
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if [8, 13, 18, 23].contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}
