//! Planted bugs, to prove that the tests find them. They exist in builds with `--cfg swim_mutations` only: elsewhere
//! [`crate::config::Config::mutant`] is constantly false, and nothing of them is left.
//!
//! Each is a mistake that somebody could make, or has made, and stands at its place in the code as one condition.

use serde::{Deserialize, Serialize};

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(swim_mutations), allow(dead_code, unreachable_pub, reason = "it is public where it exists"))]
#[non_exhaustive]
pub enum Mutation {
    /// A newer suspicion runs out when the older one would have.
    SuspicionKeepsItsDeadline,
    /// A refutation takes the accused incarnation, not the one after it.
    RefutesTooLow,
    /// The target of a probe is asked to relay to itself.
    RelaysThroughTarget,
    /// A tombstone goes after half of its time.
    TombstoneGoesEarly,
    /// Whoever writes last is believed, not who says more.
    LastWriterWins,
    /// The dead come back with the incarnation at which they died.
    DeadReturnUnrefuted,
    /// A refutation leaves the view hash as it was.
    ViewHashMissesRefutation,
    /// A suspicion that was refuted runs out nevertheless.
    RefutedSuspicionRunsOut,
    /// Any ack of the target ends the probe, also one to an earlier ping.
    AckWithoutNonce,
    /// What was told as often as it is to be told is told again.
    NewsNeverEnds,
    /// A leave is told to nobody.
    LeaveUntold,
    /// Views that disagree never lead to a sync.
    SyncNeverBegins,
    /// Address and profile are believed only together with a greater status.
    DetailTiedToStatus,
    /// Local health never recovers.
    HealthStaysBad,
    /// Who was asleep takes the time away for evidence.
    PauseConvicts,
    /// A node that is accused says so with the next tick, not at once.
    RefutationWaits,
    /// A death is told by no event.
    DeathWithoutEvent,
    /// Nobody knocks: neither at lost members nor at seeds.
    NobodyKnocks,
    /// Nobody is told that tombstones were dropped, so who has missed a delete keeps what was deleted.
    DroppedTombstonesUntold,
    /// A rumor that is not kept any more is new again.
    RumorsForgotten,
    /// A delta is taken over although what comes before it is missing.
    DeltaOverGap,
    /// What others say of this node's own state is taken over.
    PeersWriteMyState,
    /// A tombstone lasts as long as ever at whoever hears of it.
    TombstoneTimeBegins,
    /// An answer holds what is newest, not what comes next.
    AnswersNewestFirst,
}

#[cfg(swim_mutations)]
impl Mutation {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SuspicionKeepsItsDeadline,
        Self::RefutesTooLow,
        Self::RelaysThroughTarget,
        Self::TombstoneGoesEarly,
        Self::LastWriterWins,
        Self::DeadReturnUnrefuted,
        Self::ViewHashMissesRefutation,
        Self::RefutedSuspicionRunsOut,
        Self::AckWithoutNonce,
        Self::NewsNeverEnds,
        Self::LeaveUntold,
        Self::SyncNeverBegins,
        Self::DetailTiedToStatus,
        Self::HealthStaysBad,
        Self::PauseConvicts,
        Self::RefutationWaits,
        Self::DeathWithoutEvent,
        Self::NobodyKnocks,
        Self::DroppedTombstonesUntold,
        Self::RumorsForgotten,
        Self::DeltaOverGap,
        Self::PeersWriteMyState,
        Self::TombstoneTimeBegins,
        Self::AnswersNewestFirst,
    ];
}
