//! What a mapping compiles to: instructions, slots, order and policies, as far as others rely on them.

use rosterd_mapping::check::{Compiled, Sources, compile};
use rosterd_mapping::plan::{Conversion, Node, Plan, Rule, RuleValue};
use rosterd_mapping::target::{Absent, Merge, WritePolicy};

struct Nothing;

impl Sources for Nothing {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(format!("no {path}"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

fn compiled(text: &str) -> Compiled {
    let compiled = compile("t", text, &Nothing);
    assert!(compiled.plan.is_some(), "{:#?}", compiled.diagnostics);
    compiled
}

fn plan(text: &str) -> Plan {
    compiled(text).plan.expect("just looked")
}

fn ldap(rules: &str) -> Plan {
    plan(&format!("mapping t from ldap to profile\n{rules}\n"))
}

fn rule<'p>(plan: &'p Plan, target: &str) -> &'p Rule {
    plan.rules.iter().find(|rule| *rule.target == *target).expect("the rule")
}

fn value<'p>(plan: &'p Plan, target: &str) -> &'p Node {
    let node = match rule(plan, target).value {
        RuleValue::Expr(node) => Some(node),
        RuleValue::FirstFree(_) => None,
    };
    &plan.nodes[node.expect("an expression") as usize]
}

#[test]
fn the_read_set_is_what_is_read_each_attribute_once_whatever_its_case() {
    let plan = ldap(
        "name = $displayName ?? $DISPLAYNAME\nnickname = $uid\ngroups = [ g.rdn(\"cn\") for g in nested($memberOf[*]) if has($memberOf) ]",
    );
    let slots: Vec<_> = plan.slots.iter().map(|slot| (&*slot.name, slot.nested)).collect();
    assert_eq!(slots, [("displayName", false), ("uid", false), ("memberOf", true), ("memberOf", false)]);
}

#[test]
fn prefixes_are_written_out_in_slots() {
    let plan = plan("mapping t from saml to profile\nprefix c = \"http://c/\"\nname = $c:name\n");
    assert_eq!(&*plan.slots[0].name, "http://c/name");
}

#[test]
fn a_scim_extension_is_one_slot_with_members() {
    let plan =
        plan("mapping t from scim to profile\napp_metadata.a = $enterprise:department\napp_metadata.b = $enterprise:division\n");
    let slots: Vec<_> = plan.slots.iter().map(|slot| &*slot.name).collect();
    assert_eq!(slots, ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]);
    assert!(plan.nodes.iter().any(|node| matches!(node, Node::Field(_, name) if **name == *"division")));
}

#[test]
fn a_scim_attribute_may_be_written_in_any_case() {
    let plan = plan("mapping t from scim to profile\nname = $NAME.GIVENNAME\n");
    assert_eq!(&*plan.slots[0].name, "name");
    assert!(plan.nodes.iter().any(|node| matches!(node, Node::Field(_, name) if **name == *"givenName")));
}

#[test]
fn conversions_stand_where_the_value_is_used() {
    let plan = ldap("nickname = $objectGUID\napp_metadata.until = $accountExpires\napp_metadata.ids = $tokenGroups[*]");
    assert!(matches!(value(&plan, "nickname"), Node::Convert { to: Conversion::GuidText, .. }));
    assert!(matches!(value(&plan, "app_metadata.until"), Node::Convert { to: Conversion::DateTimeToText, .. }));
    assert!(matches!(value(&plan, "app_metadata.ids"), Node::ConvertEach { to: Conversion::SidText, .. }));
}

#[test]
fn json_that_is_compared_converts_without_failing() {
    let plan = plan("mapping t from json to profile\nblocked = $state == 3\n");
    assert!(plan.nodes.iter().any(|node| matches!(node, Node::Convert { to: Conversion::Int, optional: true, .. })));
}

#[test]
fn a_check_of_json_looks_at_text_without_failing() {
    let plan = plan("mapping t from json to profile\napp_metadata.x = $x with check email\n");
    let condition = rule(&plan, "app_metadata.x").checks[0].condition;
    let Node::Matches { text, .. } = plan.nodes[condition as usize] else { unreachable!("a named check is a match") };
    assert!(matches!(plan.nodes[text as usize], Node::Convert { to: Conversion::Text, optional: true, .. }));
}

#[test]
fn unique_of_a_comprehension_is_one_loop() {
    let plan = ldap("groups = unique([ g.rdn(\"CN\") for g in $memberOf[*] if g.under(\"DC=x\") ])");
    assert!(matches!(value(&plan, "groups"), Node::Comprehension { unique: true, condition: Some(_), .. }));
}

#[test]
fn membership_in_literals_is_a_set_and_like_a_regular_expression() {
    let plan = ldap("const ous = [\"a\", \"b\"]\nblocked = $ou in ous or $cn like \"x.*\"");
    assert_eq!(plan.sets[0].len(), 2);
    assert!(plan.nodes.iter().any(|node| matches!(node, Node::InSet { .. })));
    assert!(plan.regexes[0].is_match("x.y") && !plan.regexes[0].is_match("xay"));
}

#[test]
fn what_is_known_is_computed_once_here() {
    let plan = ldap("const d = \"corp\"\nname = \"{d}\" + \".example\" when not (1 == 2)");
    assert!(matches!(value(&plan, "name"), Node::Constant(constant) if format!("{constant:?}").contains("corp.example")));
    assert_eq!(rule(&plan, "name").condition, None);
}

#[test]
fn rules_run_after_what_they_read_through_lets_too() {
    let plan = ldap("let n = new.nickname\nname = n\nnickname = new.email\nemail = $mail");
    assert_eq!(plan.order, [2, 1, 0]);
}

#[test]
fn loop_variables_of_lets_and_rules_never_share_a_place() {
    let plan = ldap("let a = [ x for x in $seeAlso[*] if x.under(\"DC=a\") ]\ngroups = [ y for y in $memberOf[*] if y in a ]");
    assert_eq!(plan.locals, 2);
}

#[test]
fn absence_defaults_by_source_and_target() {
    let absent = |kind: &str| {
        let plan = plan(&format!("mapping t from {kind} to profile\nname = $name\nemail = $email\n"));
        (rule(&plan, "name").absent, rule(&plan, "email").absent)
    };
    assert_eq!(absent("oidc"), (Absent::Keep, Absent::Keep));
    let plan = ldap("name = $cn\nemail = $mail");
    assert_eq!((rule(&plan, "name").absent, rule(&plan, "email").absent), (Absent::Clear, Absent::Keep));
}

#[test]
fn groups_are_owned_by_their_source_and_a_rule_beats_the_default_of_its_file() {
    let plan = ldap(
        "default on_change, absent keep\nname = $cn with create\nnickname = $uid\ngroups = [ g for g in $memberOf[*] if g.under(\"DC=x\") ]",
    );
    assert_eq!(rule(&plan, "groups").merge, Merge::Owned);
    assert_eq!(rule(&plan, "name").policy, Some(WritePolicy::Create));
    assert_eq!((rule(&plan, "nickname").policy, rule(&plan, "nickname").absent), (Some(WritePolicy::OnChange), Absent::Keep));
}

#[test]
fn nothing_said_is_nothing_said_so_that_the_connection_decides() {
    assert_eq!(rule(&ldap("name = $cn"), "name").policy, None);
}

struct Base;

impl Sources for Base {
    fn include(&self, _: &str) -> Result<String, String> {
        Ok("mapping base from ldap to profile\nlet full = \"{$givenName} {$sn}\"\nname = full\nnickname = $uid\n".to_owned())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

#[test]
fn an_override_stands_where_the_inherited_rule_stood_and_sees_its_own_names() {
    let text = "mapping t from ldap to profile\nuse \"base\"\nlet full = $cn\nemail = $mail\noverride name = inherited ?? full\n";
    let compiled = compile("t", text, &Base);
    let plan = compiled.plan.expect("no errors");
    let targets: Vec<_> = plan.rules.iter().map(|rule| &*rule.target).collect();
    assert_eq!(targets, ["name", "nickname", "email"]);
    let names: Vec<_> = plan.lets.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["full", "full"]);
    assert!(matches!(value(&plan, "name"), Node::Coalesce(..)));
}

#[test]
fn facts_say_where_a_policy_comes_from_what_is_read_and_what_it_costs() {
    let compiled = compiled(
        "mapping t from ldap to profile\ndefault on_change\nname = $cn\ngroups = [ g.rdn(\"CN\") for g in $memberOf[*] if g.under(\"DC=x\") ] with create\n",
    );
    let [name, groups] = &compiled.facts[..] else { unreachable!("two rules") };
    assert_eq!((name.policy_by_default, groups.policy_by_default), (true, false));
    assert_eq!((&name.reads[..], &groups.reads[..]), (&[0][..], &[1][..]));
    assert!(groups.cost > name.cost);
}
