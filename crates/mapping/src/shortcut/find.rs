//! Which nodes have a shortcut. Only looks: the nodes stay.

use super::{Link, List, Shortcut, Shortcuts, Step, Test, Text, Truth};
use crate::functions::{Body, DnBelow, Function, Presence};
use crate::plan::{Constant, Conversion, Node, NodeId, Part, Plan, Rule, RuleValue};
use crate::target::Absent;

/// Deeper expressions than this keep to their nodes, so that a shortcut needs no bound of its own on the stack.
pub const DEPTH_MAX: u32 = 8;
const PARTS_MAX: usize = 8;
/// Longer literals stay where they are rather than be held twice.
const LITERAL_BYTES_MAX: usize = 256;

pub fn all(plan: &Plan) -> Shortcuts {
    let finder = Finder { plan };
    Shortcuts {
        steps: plan.order.iter().map(|rule| finder.rule(plan.rules.get(usize::from(*rule))?)).collect(),
        lets: plan.lets.iter().map(|(_, node)| finder.text(*node, 0)).collect(),
    }
}

struct Finder<'p> {
    plan: &'p Plan,
}

impl Finder<'_> {
    fn node(&self, id: NodeId) -> Option<&Node> {
        self.plan.nodes.get(id as usize)
    }

    fn rule(&self, rule: &Rule) -> Option<Step> {
        let RuleValue::Expr(node) = rule.value else { return None };
        if rule.condition.is_some() || !rule.checks.is_empty() || rule.max_bytes.is_some() {
            return None;
        }
        let shortcut = self
            .text(node, 0)
            .map(Shortcut::Text)
            .or_else(|| self.list(node).map(Shortcut::List))
            .or_else(|| self.truth(node).map(Shortcut::Truth))?;
        Some(Step { shortcut, is_wanted: rule.required || rule.absent == Absent::Reject })
    }

    fn text(&self, id: NodeId, depth: u32) -> Option<Text> {
        if depth >= DEPTH_MAX {
            return None;
        }
        let below = |id: NodeId| self.text(id, depth + 1).map(Box::new);
        Some(match self.node(id)? {
            Node::Constant(Constant::Absent) => Text::Nothing,
            Node::Constant(_) => Text::Constant(self.literal(id).filter(|text| !text.is_empty())?.into()),
            Node::One { slot, strict: false } => Text::Slot(*slot),
            Node::Let(index) => Text::Let { index: *index, node: id },
            Node::Coalesce(left, right) => {
                // Whether an empty text on the left counts depends on where it is from.
                if matches!(self.node(*left)?, Node::Constant(_)) {
                    return None;
                }
                Text::Either { left: below(*left)?, right: below(*right)?, node: id, right_node: *right }
            }
            Node::Template(parts) if parts.len() <= PARTS_MAX => {
                Text::Template(parts.iter().map(|part| self.part(part, depth + 1)).collect::<Option<Vec<_>>>()?.into())
            }
            Node::If { condition, then, otherwise } => match (self.node(*condition)?, self.node(*then)?) {
                (Node::InSet { needle, set }, Node::Constant(Constant::Absent)) => {
                    Text::Unless { needle: below(*needle)?, set: *set, of: below(*otherwise)? }
                }
                _ => return None,
            },
            Node::Lookup { table, key } => Text::Row { table: *table, key: below(*key)? },
            Node::Convert { to, value, optional: false } => match to {
                Conversion::Text | Conversion::Display => self.text(*value, depth + 1)?,
                Conversion::GuidText => Text::Guid(below(*value)?),
                Conversion::SidText => Text::Sid(below(*value)?),
                Conversion::DateTimeToText => Text::FileTime(Box::new(self.file_time(*value, depth + 1)?)),
                _ => return None,
            },
            Node::Call { function, arguments, optional: _ } => self.call(function, arguments, depth)?,
            _ => return None,
        })
    }

    fn part(&self, part: &Part, depth: u32) -> Option<Text> {
        match part {
            Part::Text(text) if text.len() <= LITERAL_BYTES_MAX => Some(Text::Constant(text.clone())),
            Part::Hole { value, optional: false } => self.text(*value, depth),
            _ => None,
        }
    }

    /// The ticks below a conversion to datetime.
    fn file_time(&self, id: NodeId, depth: u32) -> Option<Text> {
        let ticks = match self.node(id)? {
            Node::Call { function, arguments, .. } if function.name == "filetime" => *arguments.first()?,
            Node::Convert { to: Conversion::FileTimeToDateTime, value, optional: false } => *value,
            _ => return None,
        };
        self.number(ticks, depth)
    }

    /// A number that is still the source's text.
    fn number(&self, id: NodeId, depth: u32) -> Option<Text> {
        match self.node(id)? {
            Node::Convert { to: Conversion::Int, value, optional: false } => self.text(*value, depth),
            Node::One { .. } => self.text(id, depth),
            _ => None,
        }
    }

    fn call(&self, function: &'static Function, arguments: &[NodeId], depth: u32) -> Option<Text> {
        let first = *arguments.first()?;
        if let (Body::Text(_), true) = (function.body, gives_text(function)) {
            return Some(Text::Call { of: Box::new(self.text(first, depth + 1)?), link: self.link(function, arguments)? });
        }
        match (function.name, arguments) {
            ("replace", [of, what, by]) => {
                let Node::RegexArgument(regex) = self.node(*what)? else { return None };
                let by = self.literal(*by).filter(|by| !by.contains('$'))?.into();
                Some(Text::Replace { of: Box::new(self.text(*of, depth + 1)?), regex: *regex, by })
            }
            ("data_uri", [bytes, kind]) => {
                let Node::Convert { to: Conversion::Binary, value, optional: false } = self.node(*bytes)? else { return None };
                let head = format!("data:{};base64,", self.literal(*kind)?).into();
                Some(Text::DataUri { bytes: Box::new(self.text(*value, depth + 1)?), head })
            }
            _ => None,
        }
    }

    /// A function of one text whose other argument, if there is one, is literal.
    fn link(&self, function: &'static Function, arguments: &[NodeId]) -> Option<Link> {
        let Body::Text(body) = function.body else { return None };
        let other = match arguments {
            [_] => None,
            [_, other] => self.other(function, *other)?,
            _ => return None,
        };
        Some(match (function.name, other) {
            ("lower", None) => Link::Lower(body),
            ("drop_prefix", Some(prefix)) => Link::DropPrefix(prefix),
            (_, other) => Link::Other { body, other },
        })
    }

    /// A second argument: literal, or left out where it may be.
    fn other(&self, function: &Function, id: NodeId) -> Option<Option<Box<str>>> {
        match self.node(id)? {
            Node::Constant(Constant::Absent) => {
                function.parameters.get(1).is_some_and(|parameter| parameter.presence != Presence::Required).then_some(None)
            }
            _ => self.literal(id).map(|text| Some(text.into())),
        }
    }

    fn literal(&self, id: NodeId) -> Option<&str> {
        match self.node(id)? {
            Node::Constant(Constant::String(text)) if text.len() <= LITERAL_BYTES_MAX => Some(text),
            _ => None,
        }
    }

    fn truth(&self, id: NodeId) -> Option<Truth> {
        match self.node(id)? {
            Node::Present(all) => match self.node(*all)? {
                Node::All(slot) => Some(Truth::HasValue(*slot)),
                _ => None,
            },
            Node::Call { function, arguments, .. } if function.name == "bit" => match **arguments {
                [of, mask] => match self.node(mask)? {
                    Node::Constant(Constant::Int(mask)) => Some(Truth::Bit { of: self.number(of, 1)?, mask: *mask }),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn list(&self, id: NodeId) -> Option<List> {
        match self.node(id)? {
            Node::Coalesce(left, right) => match self.node(*right)? {
                Node::Constant(Constant::Absent) => {
                    Some(List::OrNothing { list: Box::new(self.plain_list(*left)?), node: id, right_node: *right })
                }
                _ => None,
            },
            _ => self.plain_list(id),
        }
    }

    fn plain_list(&self, id: NodeId) -> Option<List> {
        match self.node(id)? {
            Node::Call { function, arguments, .. } if function.name == "rdns" => match (function.body, &**arguments) {
                (Body::Text(body), [of, kind]) => {
                    Some(List::Call { of: self.text(*of, 1)?, body, other: self.literal(*kind)?.into() })
                }
                _ => None,
            },
            Node::Comprehension { list, local, condition, item, unique } => {
                let slot = match self.node(*list)? {
                    Node::All(slot) => *slot,
                    Node::ConvertEach { to: Conversion::Text, list } => match self.node(*list)? {
                        Node::All(slot) => *slot,
                        _ => return None,
                    },
                    _ => return None,
                };
                if let Some(condition) = condition
                    && let Some(below) = self.below((slot, *local), *condition, *item, *unique)
                {
                    return Some(below);
                }
                let test = match condition {
                    Some(condition) => Some(self.test(*condition, *local)?),
                    None => None,
                };
                Some(List::Each { slot, test, links: self.links(*item, *local)?, unique: *unique })
            }
            _ => None,
        }
    }

    /// `g.rdn(kind)` if `g.under(base)`, with a base that reads.
    fn below(&self, (slot, local): (u16, u16), condition: NodeId, item: NodeId, unique: bool) -> Option<List> {
        let (Node::Call { function: under, arguments: asked, .. }, Node::Call { function: rdn, arguments: taken, .. }) =
            (self.node(condition)?, self.node(item)?)
        else {
            return None;
        };
        let (Body::Test(under_body), Body::Text(rdn_body)) = (under.body, rdn.body) else { return None };
        let ([name, base], [named, kind]) = (&**asked, &**taken) else { return None };
        let is_item = |id: NodeId| matches!(self.node(id), Some(Node::Local(found)) if *found == local);
        let (base, kind) = (self.literal(*base)?, self.literal(*kind)?);
        let fits = under.name == "under" && rdn.name == "rdn" && is_item(*name) && is_item(*named);
        let below = Box::new(DnBelow::new(base, kind).filter(|_| fits)?);
        Some(List::Below { slot, under: under_body, rdn: rdn_body, below, unique })
    }

    fn test(&self, id: NodeId, local: u16) -> Option<Test> {
        let Node::Call { function, arguments, .. } = self.node(id)? else { return None };
        let (Body::Test(body), [of, other]) = (function.body, &**arguments) else { return None };
        let Node::Local(found) = self.node(*of)? else { return None };
        let other = self.literal(*other).filter(|_| *found == local)?.into();
        Some(if function.name == "starts_with" { Test::StartsWith(other) } else { Test::Other { body, other } })
    }

    /// Calls one around the other with the loop's variable innermost; first the innermost.
    fn links(&self, id: NodeId, local: u16) -> Option<Box<[Link]>> {
        let mut links = Vec::new();
        let mut at = id;
        loop {
            match self.node(at)? {
                Node::Local(found) if *found == local => break,
                Node::Call { function, arguments, .. } if gives_text(function) && links.len() < 4 => {
                    links.push(self.link(function, arguments)?);
                    at = *arguments.first()?;
                }
                _ => return None,
            }
        }
        links.reverse();
        Some(links.into())
    }
}

/// `rdns` alone of those that take a text gives a list; what else does is left when it is met.
fn gives_text(function: &Function) -> bool {
    function.name != "rdns"
}
