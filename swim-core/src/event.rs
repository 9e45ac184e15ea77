//! What a node has to say to its embedder.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::status::{Incarnation, NodeId, RumorId};

/// Something that has just happened. Small and `Copy`; names and addresses are read from the member's row.
///
/// Every change to a row is told by exactly one event that names its id, except that an update that changes address
/// and profile at once is told by two. Folding the stream rebuilds the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A member that was unknown, dead or gone is there.
    MemberUp {
        /// Who.
        id: NodeId,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// A member that was there is there in a higher epoch: it restarted, and nobody missed it.
    MemberRestarted {
        /// Who.
        id: NodeId,
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// A member changed what it says about itself.
    MemberUpdated {
        /// Who.
        id: NodeId,
    },
    /// A member is reached at another address from now on.
    MemberMoved {
        /// Who.
        id: NodeId,
        /// Where it was.
        from: SocketAddr,
    },
    /// A member is suspected; it has until the suspicion runs out to refute.
    MemberSuspect {
        /// Who.
        id: NodeId,
        /// The incarnation that is suspected.
        incarnation: Incarnation,
        /// Who says so: this node itself after a failed probe, or another accuser when one was named.
        by: Option<NodeId>,
    },
    /// A live member raised its incarnation: a suspicion of it, if there was one, is over.
    MemberRefuted {
        /// Who.
        id: NodeId,
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// A member is gone.
    MemberDown {
        /// Who.
        id: NodeId,
        /// The incarnation that is over.
        incarnation: Incarnation,
        /// It said goodbye; otherwise its suspicion ran out.
        left: bool,
    },
    /// The row of a dead or left member was dropped: its tombstone expired.
    MemberForgotten {
        /// Who.
        id: NodeId,
    },
    /// This node has raised its incarnation: it was accused, a former life of it was known, or it came back after a leave.
    Refuted {
        /// The new incarnation.
        incarnation: Incarnation,
    },
    /// Another live process has this node's id. Both are told; the one at the greater address falls silent.
    Conflict {
        /// Where the other one is.
        with: SocketAddr,
        /// This node is the one that has fallen silent: it answers nothing from now on. Give it an id of its own.
        parked: bool,
    },
    /// A seed's rows have been taken over: this node is in the cluster.
    Joined {
        /// Live members, this node included.
        members: u32,
    },
    /// All live peers that were heard of late report the view that this node has. Local: it says nothing of those that
    /// were not heard.
    Converged {
        /// Live members, this node included.
        members: u32,
    },
    /// All live peers that were heard for a while report another view than this node's, and a sync is about to find out
    /// why. Local, too.
    Diverged,
    /// This node's leave has been handed to enough peers. It answers nothing from now on.
    Left,
    /// Local health changed.
    Health {
        /// 0 is healthy; interval and time-out are multiplied by `score + 1`.
        score: u32,
    },
    /// A rumor has come, or was broadcast here: [`crate::Node::rumor`] reads it, before the next input at the latest.
    Rumor {
        /// Which one.
        id: RumorId,
    },
    /// Entries of a member's state were written, deleted, or have vanished; or all of it is gone, because the member is in
    /// another life.
    StateChanged {
        /// Whose.
        id: NodeId,
    },
    /// Events were lost because nobody polled them: read the members afresh.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// Where a live member is to be reached another one answers: two machines have one address, or the other has taken
    /// over what was this one's, and then this one dies soon. At most one per member and minute, and of 16 members at a
    /// time; what is not told is counted in [`crate::Stats::conflicts_untold`]. It changes no row.
    AddressConflict {
        /// Whose address it is; its row has it.
        id: NodeId,
        /// Who answers there; this node itself when it is its own address.
        with: NodeId,
    },
}

impl Event {
    /// The member it is about, if it is about one.
    pub fn member(&self) -> Option<NodeId> {
        match *self {
            Self::MemberUp { id, .. }
            | Self::MemberRestarted { id, .. }
            | Self::MemberUpdated { id }
            | Self::MemberMoved { id, .. }
            | Self::MemberSuspect { id, .. }
            | Self::MemberRefuted { id, .. }
            | Self::MemberDown { id, .. }
            | Self::MemberForgotten { id }
            | Self::StateChanged { id }
            | Self::AddressConflict { id, .. } => Some(id),
            Self::Refuted { .. }
            | Self::Conflict { .. }
            | Self::Joined { .. }
            | Self::Converged { .. }
            | Self::Diverged
            | Self::Left
            | Self::Health { .. }
            | Self::Rumor { .. }
            | Self::Lagged { .. } => None,
        }
    }
}
