//! A failing plan made smaller, as long as the same rule is broken.

use std::time::Duration;

use crate::swarm::plan::{ANCHORS, Plan};
use crate::swarm::violation::Violation;

/// Drops faults and nodes and shortens the chaos while `run` still finds a violation of the same rule, at most so many tries
/// long. Gives the smallest plan that was found, and what is broken in it.
///
/// First halves of the faults, then ever smaller parts of them, down to single ones; then the same with nodes; then the chaos
/// by half, by a quarter, ...; and all of it again until nothing more can go.
pub fn shrink(
    plan: Plan,
    violation: Violation,
    tries: usize,
    run: impl Fn(&Plan) -> Option<Violation>,
) -> (Plan, Violation) {
    let checker = violation.checker;
    let mut search = Search { plan, violation, tries, fails: |plan: &Plan| run(plan).filter(|v| v.checker == checker) };
    loop {
        let size = search.size();
        search.drop_some(|plan| plan.faults.iter().map(|f| f.number).collect(), |plan, kept| plan.with_faults(kept));
        let mortal = |plan: &Plan| plan.nodes.iter().map(|n| n.number).filter(|&n| n >= ANCHORS).collect();
        search.drop_some(mortal, |plan, kept| plan.with_nodes(kept));
        search.shorten();
        if search.size() == size || search.tries == 0 {
            return (search.plan, search.violation);
        }
    }
}

struct Search<F> {
    plan: Plan,
    violation: Violation,
    tries: usize,
    fails: F,
}

impl<F: Fn(&Plan) -> Option<Violation>> Search<F> {
    fn size(&self) -> (usize, usize, Duration) {
        (self.plan.faults.len(), self.plan.nodes.len(), self.plan.chaos)
    }

    /// Takes this plan when it fails, too.
    fn attempt(&mut self, plan: Plan) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        let violation = (self.fails)(&plan);
        let fails = violation.is_some();
        if let Some(violation) = violation {
            (self.plan, self.violation) = (plan, violation);
        }
        fails
    }

    fn drop_some(&mut self, all: impl Fn(&Plan) -> Vec<usize>, keep: impl Fn(Plan, &[usize]) -> Plan) {
        let mut part = all(&self.plan).len().div_ceil(2);
        while part > 0 {
            let mut at = 0;
            while at < all(&self.plan).len() {
                let numbers = all(&self.plan);
                let end = (at + part).min(numbers.len());
                let kept: Vec<usize> = [&numbers[..at], &numbers[end..]].concat();
                if !self.attempt(keep(self.plan.clone(), &kept)) {
                    at += part;
                }
            }
            part /= 2;
        }
    }

    /// To whole milliseconds: the command that runs the plan again says no less.
    fn shorten(&mut self) {
        for part in [2, 4, 8] {
            loop {
                let shorter = self.plan.chaos - self.plan.chaos / part;
                let shorter = Duration::from_millis(shorter.as_millis() as u64);
                if shorter >= self.plan.chaos || !self.attempt(self.plan.clone().with_chaos(shorter)) {
                    break;
                }
            }
        }
    }
}
