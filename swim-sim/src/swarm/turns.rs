//! Whose turn it is to be probed: nobody waits for ever, whoever else comes and goes.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Event, Incarnation, Instant, Node, NodeId};

use crate::swarm::shadow::Checked;
use crate::swarm::violation::Checker;
use crate::swarm::watch::{Kind, Turn};

/// How long a member has waited for its turn.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// Periods that have begun with somebody else.
    periods: usize,
    /// The most members that were live meanwhile.
    most: usize,
}

/// The probes of one process.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: BTreeMap<NodeId, Waiting>,
    /// The probe under way, or the last one: its nonce, whom it went to, and the incarnation that was known then.
    probed: Option<(u32, NodeId, Incarnation)>,
    /// When that one has failed.
    deadline: Option<Instant>,
}

impl Turns {
    /// The nonce of the probe under way, or of the last one.
    pub(crate) fn nonce(&self) -> Option<u32> {
        self.probed.map(|(nonce, ..)| nonce)
    }

    /// An ack is too late at the deadline, even if it is read before the timer goes off.
    pub(crate) fn check_ack(&self, clock: Instant) -> Checked {
        match self.deadline {
            Some(deadline) if clock >= deadline => {
                Err((Checker::Ack, format!("the probe ended at {deadline:?}, and was acked at {clock:?}")))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check(&mut self, turn: &Turn, clock: Instant, node: &Node) -> Checked {
        self.check_accusation(turn, node)?;
        for event in &turn.events {
            match *event {
                // Whoever comes back takes a new place in the round.
                Event::MemberUp { id, .. } => drop(self.waiting.remove(&id)),
                Event::Lagged { .. } => self.waiting.clear(),
                _ => {}
            }
        }
        let begun = node.stats().probes - turn.before.probes;
        if begun == 0 {
            return Ok(());
        }
        self.probed = None;
        let interval = node.config().probe_interval;
        self.deadline =
            Some(clock + Duration::from_micros(interval.as_micros() as u64 * (u64::from(node.health()) + 1)));
        if turn.kind != Kind::Timeout || begun > 1 || node.stats().outbox_full > turn.before.outbox_full {
            // Whom they went to is not to be seen.
            self.waiting.clear();
            return Ok(());
        }
        for &(_, message) in &turn.probes {
            let Message::Ping { target, nonce } = message else { continue };
            self.probed = node.member(target).map(|row| (nonce, target, row.incarnation()));
            self.waiting.remove(&target);
        }
        self.wait(node)
    }

    /// A period has begun: all others wait.
    fn wait(&mut self, node: &Node) -> Checked {
        let (me, peers) = (node.me(), node.live_count().saturating_sub(1));
        let mut still = BTreeMap::new();
        for row in node.members().filter(|row| row.status().is_live() && row.id() != me.id()) {
            // One that seems to be where this node is is probed without a datagram.
            if row.addr() == me.addr() || self.probed.is_some_and(|(_, target, _)| target == row.id()) {
                continue;
            }
            let before = self.waiting.get(&row.id()).copied().unwrap_or_default();
            let waits = Waiting { periods: before.periods + 1, most: before.most.max(peers) };
            if waits.periods > 2 * waits.most - 1 {
                let text = format!("{} waits for {} periods among {}", row.id(), waits.periods, waits.most);
                return Err((Checker::Turn, text));
            }
            still.insert(row.id(), waits);
        }
        self.waiting = still;
        Ok(())
    }

    /// A node names itself as the accuser only where its probe has failed.
    fn check_accusation(&self, turn: &Turn, node: &Node) -> Checked {
        let Some((_, target, probed)) = self.probed else { return Ok(()) };
        for event in &turn.events {
            let Event::MemberSuspect { id, incarnation, by } = *event else { continue };
            if by == Some(node.me().id()) && (id, incarnation) != (target, probed) {
                let text = format!("{id} is accused at {incarnation:?}, and {target} was probed at {probed:?}");
                return Err((Checker::Accusation, text));
            }
        }
        Ok(())
    }
}
