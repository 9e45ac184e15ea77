//! What a run may find: which rule was broken, by whom, when.

use std::fmt;

use serde::Serialize;
use swim_core::Instant;

use crate::host::NodeIx;

/// A rule that holds in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Checker {
    /// At one node, a member's status never decreases while it has a row, nor does the incarnation that wrote its detail. So
    /// who was dead or left is live again only at a higher incarnation.
    StatusFell,
    /// Nobody believes of a member an incarnation that no process of its id has ever taken: only the subject raises it.
    NotItsOwn,
    /// A node is alive to itself unless it was told to leave, under its own address, and its incarnation never decreases.
    Oneself,
    /// Every change of a row is told by an event: folding the events gives the table.
    Untold,
    /// A tombstone is kept for `tombstone_ttl` by the node's own clock, and no longer.
    Tombstone,
    /// A node declares dead only whom it has suspected at that very incarnation for the shortest suspicion at least, and for
    /// the longest where others could have confirmed it and nobody has. What rows say that were asked for is a suspicion.
    TooSoon,
    /// A node that was asleep notices, and declares nobody dead before the shortest suspicion has passed again.
    AfterPause,
    /// A raised incarnation leaves at once, with the datagrams that follow from the one that made it rise; where the budget
    /// for that may be used up, with the next gossip tick.
    Refutation,
    /// An ack ends a probe only with that probe's nonce, from its target or a relay, before its deadline.
    Ack,
    /// Relays are neither the target, nor at its address, nor the asking node itself.
    Relay,
    /// A leave is told to eight members, or to all that there are; and then there is silence.
    Goodbye,
    /// Whoever is live is probed within 2N − 1 periods, N being the most members that were live meanwhile.
    Turn,
    /// A node accuses only the incarnation that its probe went to.
    Accusation,
    /// Datagrams go to members, former ones included, to seeds, and to the source of what they answer, nowhere else; acks and
    /// other answers to that source only.
    Destination,
    /// A datagram has one answer; who is not known to be at its source is sent at most three times as much.
    Amplified,
    /// What was received is what was taken and what was dropped for a reason that has a name; what was sent is what has left.
    Uncounted,
    /// No datagram is larger than the `mtu`.
    TooLarge,
    /// The next deadline is later than now, and no instant has many time-outs.
    Spin,
    /// Tables, queues and logs keep their bounds, and `Node::check` holds.
    Bounds,
    /// The recorded inputs of one node give the same outputs and the same final state in a fresh node.
    Replay,
    /// A node that was written to a snapshot and read back in the middle goes on identically.
    Restore,
    /// The entries of a node itself are those that it was told to write, at the versions that follow from that.
    OwnState,
    /// Nobody sees an entry that its owner has not written in the row's epoch, at that version.
    NeverWritten,
    /// What was deleted, overwritten or over is not seen again at the version that it had.
    CameBack,
    /// A rumor is delivered at most once in a life, as it was broadcast, and its origin has delivered none of a later time.
    Rumor,
    /// After the calm a rumor reaches everybody.
    Unheard,
    /// A run without any fault suspects nobody.
    Quiet,
    /// After the calm everybody who runs is alive to everybody who runs.
    Liveness,
    /// After the calm nobody believes that a process lives that has ended.
    Ghost,
    /// After the calm all hold the same: incarnations, addresses, profiles, and view hashes.
    Agreement,
    /// After the calm nothing is left to tell, and all are healthy.
    Settled,
    /// Late in the calm nobody declares a process dead that runs, and that is reached where it is looked for.
    FalseVerdict,
    /// Once all agree in the calm, nobody is suspected and nothing changes.
    Unrest,
    /// Once all agree in the calm, there is no traffic but probes, knocks, and their answers.
    Idle,
    /// The code does not panic.
    Panic,
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).expect("a unit variant can be written");
        f.write_str(name.as_str().expect("a unit variant is its name"))
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub checker: Checker,
    /// The node that broke it, or at which it showed.
    pub node: Option<NodeIx>,
    /// When, by the time of the world; of no meaning for a panic, which says nothing of it.
    pub at: Instant,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.checker)?;
        // A panic has unwound the world, and its time with it.
        if self.checker != Checker::Panic {
            write!(f, " at {:.6} s", seconds(self.at))?;
        }
        if let Some(node) = self.node {
            write!(f, ", {node:?} ({})", node.addr())?;
        }
        write!(f, ": {}", self.text)
    }
}

pub(crate) fn seconds(at: Instant) -> f64 {
    at.as_micros() as f64 / 1e6
}
