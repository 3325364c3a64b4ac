//! In which order operations run: as listed, but what an operation refers to is created before it. Linear in operations and
//! references, and without recursion, so that a chain of any length costs its length.

use std::collections::BTreeSet;

/// What one operation refers to, as indices of the operations that create it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Has to exist before: a member, or the resource in the path.
    pub first: Vec<usize>,
    /// May be filled in later: a user's manager.
    pub later: Vec<usize>,
}

impl Needs {
    fn get(&self, position: usize) -> Option<usize> {
        self.first.get(position).or_else(|| self.later.get(position - self.first.len())).copied()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    One(usize),
    /// Operations that refer to each other.
    Circle {
        /// Can run in this order, with what is not there yet filled in at the end.
        run: Vec<usize>,
        /// Would each have to exist before the other.
        stuck: Vec<usize>,
    },
}

/// The steps, every operation in exactly one. An index in `needs` must be one of the list's.
pub fn steps(needs: &[Needs]) -> Vec<Step> {
    let mut search = Search {
        needs,
        number: vec![0; needs.len()],
        low: vec![0; needs.len()],
        on_stack: vec![false; needs.len()],
        stack: Vec::new(),
        next: 1,
        steps: Vec::new(),
    };
    // From the first listed on: a component comes out once all it needs came out.
    for root in 0..needs.len() {
        if search.number[root] == 0 {
            search.from(root);
        }
    }
    search.steps
}

/// Tarjan's search for strongly connected components.
struct Search<'n> {
    needs: &'n [Needs],
    /// When an operation was met; 0: not yet.
    number: Vec<usize>,
    /// The earliest one met that it reaches and that is not in a component yet.
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
    steps: Vec<Step>,
}

impl Search<'_> {
    fn meet(&mut self, node: usize) {
        self.number[node] = self.next;
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn from(&mut self, root: usize) {
        self.meet(root);
        // An operation and which of its needs comes next.
        let mut path = vec![(root, 0)];
        while let Some((node, position)) = path.last_mut() {
            let node = *node;
            if let Some(needed) = self.needs[node].get(*position) {
                *position += 1;
                if self.number[needed] == 0 {
                    self.meet(needed);
                    path.push((needed, 0));
                } else if self.on_stack[needed] {
                    self.low[node] = self.low[node].min(self.number[needed]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                self.low[*parent] = self.low[*parent].min(self.low[node]);
            }
            if self.low[node] == self.number[node] {
                self.component(node);
            }
        }
    }

    /// Takes the component whose first met operation is `root`.
    fn component(&mut self, root: usize) {
        let from = self.stack.iter().rposition(|node| *node == root).unwrap_or_default();
        let members: BTreeSet<usize> = self.stack.drain(from..).collect();
        members.iter().for_each(|node| self.on_stack[*node] = false);
        let needs = &self.needs[root];
        let alone = members.len() == 1 && !needs.first.contains(&root) && !needs.later.contains(&root);
        self.steps.push(if alone { Step::One(root) } else { circle(self.needs, &members) });
    }
}

/// The listed order again, by what has to exist before alone.
fn circle(needs: &[Needs], members: &BTreeSet<usize>) -> Step {
    let mut missing: Vec<(usize, usize)> = Vec::new();
    let mut needed_by: std::collections::HashMap<usize, Vec<usize>> = std::collections::HashMap::new();
    let mut ready = BTreeSet::new();
    for node in members {
        let first: BTreeSet<usize> = needs[*node].first.iter().copied().filter(|needed| members.contains(needed)).collect();
        first.iter().for_each(|needed| needed_by.entry(*needed).or_default().push(*node));
        if first.is_empty() {
            ready.insert(*node);
        }
        missing.push((*node, first.len()));
    }
    let mut missing: std::collections::HashMap<usize, usize> = missing.into_iter().collect();
    let mut run = Vec::new();
    while let Some(node) = ready.pop_first() {
        run.push(node);
        for waiting in needed_by.remove(&node).unwrap_or_default() {
            let left = missing.entry(waiting).or_default();
            *left -= 1;
            if *left == 0 {
                ready.insert(waiting);
            }
        }
    }
    let done: BTreeSet<usize> = run.iter().copied().collect();
    Step::Circle { stuck: members.difference(&done).copied().collect(), run }
}
