//! Counters: what came, what went, and why something was not taken.

use serde::{Deserialize, Serialize};

use crate::members::ensure;

/// One more. A counter that has come to its end stays there.
#[inline]
pub(crate) fn count(counter: &mut u64) {
    count_all(counter, 1);
}

/// So many more.
#[inline]
pub(crate) fn count_all(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more);
}

/// Counters since construction. `datagrams_received = datagrams_accepted + ` the sum of the `dropped_*` fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Datagrams parsed whole and taken.
    pub datagrams_accepted: u64,
    /// Bytes of frames handed in.
    pub bytes_received: u64,
    /// Datagrams encoded for sending.
    pub datagrams_sent: u64,
    /// Bytes of frames encoded for sending.
    pub bytes_sent: u64,
    /// Dropped: not a frame of this version.
    pub dropped_malformed: u64,
    /// Dropped: sent by this node itself.
    pub dropped_from_self: u64,
    /// Dropped: this node has left.
    pub dropped_after_leave: u64,

    /// Probes started.
    pub probes: u64,
    /// Probes answered in time, directly or through a relay.
    pub probes_acked: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Indirect probes asked of others.
    pub ping_reqs_sent: u64,
    /// Indirect probes relayed for others.
    pub relayed: u64,
    /// Indirect probes refused because `relays_max` were under way, or the target is not known.
    pub relays_refused: u64,
    /// Answers that belong to no question under way: acks, nacks, proves and answers of syncs that are late, forged,
    /// twice there or for a former instance.
    pub stray_acks: u64,
    /// Pings that named somebody else: an address was taken over.
    pub misdirected_pings: u64,
    /// Answers from somebody who is not the one that was pinged.
    pub wrong_responders: u64,

    /// Suspicions begun, mine and others'.
    pub suspicions: u64,
    /// Independent confirmations counted.
    pub confirmations: u64,
    /// Suspicions that run without counting confirmations, because `suspicions_max` were under way.
    pub suspicions_untracked: u64,
    /// Times that a suspicion of this node's own was told again, because nobody else had confirmed it.
    pub suspicions_retold: u64,
    /// Times this node raised its incarnation to refute.
    pub refutations: u64,
    /// Pieces of news that were told no further, because enough members had shown that they know them.
    pub news_settled: u64,
    /// Members that this node itself declared dead.
    pub deaths_declared: u64,
    /// Failed probes that accused nobody, because two members have one address: the target and another, or this node and
    /// another.
    pub verdicts_withheld: u64,
    /// Times that another member answered at a member's address, or that one was at this node's own, of which nothing
    /// was told and nobody spared, because as many others were in conflict as are kept in mind.
    pub conflicts_untold: u64,

    /// Claims that changed nothing.
    pub claims_stale: u64,
    /// Claims about members that are not known and that the claim cannot create.
    pub claims_unknown: u64,
    /// Accusations of another epoch or too far ahead of the known incarnation, and claims near the end of all incarnations.
    pub claims_implausible: u64,
    /// Claims by others of a later epoch of a member that is believed alive, which were not taken over at once: the member itself
    /// is asked, unless it was asked just now, or too many are.
    pub supersede_refused: u64,
    /// Claims by senders that are not known live members.
    pub claims_from_strangers: u64,
    /// Introductions by nodes that are not known, or not at the address that they come from, without the cookie that shows them
    /// to be heard there: they were asked for it.
    pub introductions_unproven: u64,
    /// Questions of members who this node is that were not answered, because as many had been in this `probe_interval`.
    pub introductions_refused: u64,
    /// Newcomers refused: `members_max` rows are taken, or 32 of those that have a place in the tree of hashes with them.
    pub members_refused: u64,
    /// Newcomers, returns and moves refused: too many live members share the address.
    pub addresses_refused: u64,

    /// Syncs begun: after the first answer to a join or a knock, and because view hashes kept disagreeing.
    pub syncs: u64,
    /// Syncs given up because the peer did not answer.
    pub syncs_failed: u64,
    /// Questions asked in syncs, repeated ones included.
    pub sync_questions: u64,
    /// Questions of others not answered, because `sync_rate` was used up.
    pub syncs_refused: u64,
    /// Pages of rows sent.
    pub pages_sent: u64,
    /// Pages of rows taken over.
    pub pages_received: u64,
    /// Rows sent because the peer of a sync lacked them.
    pub rows_pushed: u64,
    /// Addresses of lost members and missing seeds that were tried again.
    pub knocks: u64,
    /// Seeds not kept: `seeds_max` are.
    pub seeds_refused: u64,
    /// Rumors broadcast here.
    pub rumors_broadcast: u64,
    /// Rumors of others that were delivered.
    pub rumors_received: u64,
    /// Copies of rumors put into datagrams.
    pub rumors_sent: u64,
    /// Copies of rumors that had been delivered before.
    pub rumors_known: u64,
    /// Rumors refused: further behind their origin's newest than `rumor_window`, of another life of it, or
    /// older than `rumor_ttl`.
    pub rumors_stale: u64,
    /// Rumors refused: their origin is not known. A sync brings them once it is.
    pub rumors_unknown: u64,
    /// Rumors that made way for others because `rumors_max` or `rumor_bytes` were reached.
    pub rumors_evicted: u64,
    /// Rumors given up: nobody who was asked keeps them any more, or `rumor_window` newer ones came first.
    pub rumors_missed: u64,
    /// Rumors so far ahead of all that is known of their origin that they were asked for instead of believed.
    pub rumors_implausible: u64,
    /// Rumors whose Lamport time was too far ahead to be followed at once.
    pub lamport_implausible: u64,
    /// Broadcasts, puts and deletes of the embedder refused: too long, no room, or a leave has begun.
    pub commands_refused: u64,
    /// Entries of this node's own state written or deleted.
    pub state_writes: u64,
    /// Deltas of others' states that brought something.
    pub deltas_applied: u64,
    /// Deltas that brought nothing new.
    pub deltas_stale: u64,
    /// Deltas that begin behind what is known here: what lies between is asked for.
    pub deltas_gapped: u64,
    /// Deltas so far ahead of the known version that they were asked for instead of believed.
    pub deltas_implausible: u64,
    /// Deltas refused: of a member or a life that is not known, about this node, or beyond what a state may have.
    pub deltas_refused: u64,
    /// Copies of deltas put into datagrams.
    pub deltas_sent: u64,
    /// Digests asked: what is new in these members' states and rumors?
    pub digests_sent: u64,
    /// Digests of others not answered, because `sync_rate` was used up.
    pub digests_refused: u64,
    /// Of the deltas refused, those for which `state_total` left no room.
    pub state_refused: u64,
    /// Intents dropped because the outbox was full.
    pub outbox_full: u64,
    /// Sends that the driver reported as failed.
    pub sends_failed: u64,
    /// Probes without a verdict because this node was held up past their deadline.
    pub stalls: u64,
    /// Times the machine was asleep past its own deadline.
    pub pauses: u64,
    /// Times that nothing could be sent for more than a `probe_interval`, counted when sending goes on, and only with
    /// `Config::pause_guard`.
    pub send_blocks: u64,
    /// Times that `now` was earlier than before.
    pub clock_backwards: u64,
    /// Deadlines handled.
    pub timeouts: u64,
}

impl Stats {
    /// All datagrams that were dropped, by whatever reason.
    pub fn dropped(&self) -> u64 {
        let dropped = [self.dropped_malformed, self.dropped_from_self, self.dropped_after_leave];
        dropped.into_iter().fold(0, u64::saturating_add)
    }

    /// Every datagram was taken or dropped.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let counted = self.datagrams_accepted.saturating_add(self.dropped());
        ensure(counted == self.datagrams_received, "every datagram is counted once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A snapshot says what it likes, numbers that cannot be added among them.
    #[test]
    fn what_came_was_taken_or_dropped() {
        let counted = |datagrams_received, datagrams_accepted, dropped_malformed| Stats {
            datagrams_received,
            datagrams_accepted,
            dropped_malformed,
            ..Stats::default()
        };
        assert_eq!(counted(3, 2, 1).check(), Ok(()));
        assert!(counted(3, 2, 0).check().is_err());
        assert!(counted(1, 2, u64::MAX).check().is_err());
        assert_eq!(counted(u64::MAX, u64::MAX, 1).check(), Ok(()), "a counter that has come to its end stays there");
    }
}
