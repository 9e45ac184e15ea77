//! How long whom was suspected before it was declared dead.

use swim_core::{Fact, Incarnation, Instant, Node, NodeId, State, Status};

use crate::swarm::shadow::{CONFIRMABLE, Checked, MANY, Shadow, Told};
use crate::swarm::violation::Checker;

impl Shadow {
    /// By the node's own account, the suspicion that has just begun runs for the shortest time at least; for the longest
    /// where there are others to confirm it, which have not done so yet.
    pub(super) fn check_suspicion(&self, id: NodeId, suspected: Incarnation, node: &Node) -> Checked {
        let begun = node.why(id).filter_map(|evidence| match evidence.fact {
            Fact::Suspected { incarnation, deadline, .. } if incarnation == suspected => Some((evidence.at, deadline)),
            _ => None,
        });
        let (shortest, longest) = node.config().suspicion_bounds(1);
        let confirmable = node.config().suspicion_confirmations > 0 && self.live().min(node.live_count()) > MANY;
        let least = if confirmable { longest } else { shortest };
        match begun.last() {
            Some((at, deadline)) if deadline.since(at) < least => {
                Err((Checker::TooSoon, format!("{id} is to be dead {:?} after it was suspected", deadline.since(at))))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_verdict(&self, id: NodeId, status: Status, before: Option<Told>, node: &Node) -> Checked {
        let suspected = Status::new(status.incarnation(), State::Suspect);
        let Some(suspicion) = before.filter(|told| told.status == suspected) else {
            return Err((Checker::TooSoon, format!("{id} is dead, of whom was told {before:?}")));
        };
        let shortest = node.config().suspicion_bounds(1).0;
        let after = self.clock.since(suspicion.since);
        if suspicion.since != Instant::ORIGIN && after < shortest {
            return Err((Checker::TooSoon, format!("{id} is dead after {after:?}, the shortest is {shortest:?}")));
        }
        let longest = node.config().suspicion_bounds(CONFIRMABLE).1;
        if suspicion.since != Instant::ORIGIN && after < longest && self.is_unconfirmed(id, suspicion, node) {
            return Err((Checker::TooSoon, format!("{id} is dead after {after:?}, and nobody has confirmed it")));
        }
        match self.woken {
            Some((at, hold)) if self.clock.since(at) < hold => {
                let awake = self.clock.since(at);
                Err((Checker::AfterPause, format!("{id} is dead, {awake:?} after it woke, and {hold:?} must pass")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the node itself says that nobody has confirmed this suspicion, where somebody could have.
    fn is_unconfirmed(&self, id: NodeId, suspicion: Told, node: &Node) -> bool {
        let alone = self.few_at.is_some_and(|at| at >= suspicion.since);
        let (mut begun, mut confirmed) = (false, false);
        for evidence in node.why(id) {
            match evidence.fact {
                Fact::Suspected { incarnation, .. } => {
                    (begun, confirmed) = (incarnation == suspicion.status.incarnation(), false);
                }
                Fact::Confirmed { .. } => confirmed = true,
                _ => {}
            }
        }
        node.config().suspicion_confirmations > 0 && !alone && begun && !confirmed
    }
}
