//! How often each fate befell a datagram.

/// What became of the datagrams of a world. A test that injects a fault shows here that the fault took place.
///
/// Each datagram that was sent or injected, and each duplicate ([`NetworkStats::begun`]), ends in exactly one counter
/// out of `delivered` and those that tell how it was lost ([`NetworkStats::ended`]), unless it is still under way or
/// waits for a node that is paused, blocked or slow ([`crate::World::in_flight`]). `held_back`, `queued`, `corrupted` and
/// `truncated` count beside that: they tell what happened on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStats {
    /// Sent by nodes.
    pub sent: u64,
    /// Forged by [`crate::World::inject`].
    pub injected: u64,
    /// Second copies of datagrams.
    pub duplicated: u64,
    /// Held back by reordering, a rule, or blocked I/O ([`crate::World::block`]), first and second copies alike.
    pub held_back: u64,
    /// Had to wait behind others: in front of a clogged uplink, of a clogged link, or twice in front of both.
    pub queued: u64,
    /// Had bits flipped.
    pub corrupted: u64,
    /// Had their end cut off.
    pub truncated: u64,
    /// Handed to a process.
    pub delivered: u64,
    /// Lost by chance: [`crate::Link::loss`].
    pub lost: u64,
    /// Lost in the bad state of a link: [`crate::Link::bursts`].
    pub lost_in_bursts: u64,
    /// Lost because that way was cut.
    pub cut: u64,
    /// Lost because a rule said so: [`crate::Verdict::Drop`].
    pub ruled_out: u64,
    /// Lost because they were larger than the link's `mtu`.
    pub too_large: u64,
    /// Lost because what waited for a clogged link, or a clogged uplink, left no room.
    pub clogged: u64,
    /// Lost because a socket buffer of a node that is paused, blocked or slow was full.
    pub overflowed: u64,
    /// Sent to an address where no process runs: killed, left, or never there; or by a process that ended while its I/O
    /// was blocked.
    pub unreachable: u64,
}

/// How a datagram was lost when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Chance,
    Burst,
    Cut,
    RuledOut,
    TooLarge,
    Clogged,
    Unreachable,
}

impl NetworkStats {
    /// Datagrams that there were: sent, injected, and second copies.
    pub fn begun(&self) -> u64 {
        self.sent + self.injected + self.duplicated
    }

    /// Datagrams that are not under way any more, in whatever manner they ended.
    pub fn ended(&self) -> u64 {
        let lost = self.lost + self.lost_in_bursts + self.cut + self.ruled_out + self.too_large + self.clogged;
        self.delivered + lost + self.overflowed + self.unreachable
    }

    pub(crate) fn count(&mut self, loss: Loss) {
        let counter = match loss {
            Loss::Chance => &mut self.lost,
            Loss::Burst => &mut self.lost_in_bursts,
            Loss::Cut => &mut self.cut,
            Loss::RuledOut => &mut self.ruled_out,
            Loss::TooLarge => &mut self.too_large,
            Loss::Clogged => &mut self.clogged,
            Loss::Unreachable => &mut self.unreachable,
        };
        *counter += 1;
    }
}
