//! One address for two machines: the same was given to both, and what is sent there comes to one of them, and then to the
//! other.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::Instant;

use crate::host::NodeIx;
use crate::latency::micros;

/// One address that two nodes have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    /// Whose address it is.
    owner: NodeIx,
    /// Who has it, too.
    other: NodeIx,
    /// Microseconds that it is one's, until it is the other's; 0 for a single datagram.
    turn: u64,
    /// Of single datagrams: does the next go to the other?
    others_turn: bool,
}

impl Shared {
    pub(crate) fn new(owner: NodeIx, other: NodeIx, turn: Duration) -> Self {
        Self { owner, other, turn: micros(turn), others_turn: false }
    }

    /// Who gets a datagram that is sent to this node's address now.
    pub(crate) fn receiver(&mut self, to: NodeIx, at: Instant) -> NodeIx {
        if to != self.owner {
            return to;
        }
        let others_turn = match self.turn {
            0 => {
                self.others_turn = !self.others_turn;
                !self.others_turn
            }
            turn => at.as_micros() / turn % 2 == 1,
        };
        if others_turn { self.other } else { self.owner }
    }

    /// What a datagram from this address says that it is from.
    pub(crate) fn source(&self, from: SocketAddr) -> SocketAddr {
        if from == self.other.addr() { self.owner.addr() } else { from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::secs;

    #[test]
    fn an_address_is_the_ones_and_then_the_others() {
        let [owner, other, third] = [1, 2, 3].map(NodeIx::new);
        let receivers = |turn, seconds: &[u64]| -> Vec<NodeIx> {
            let mut shared = Shared::new(owner, other, turn);
            seconds.iter().map(|s| shared.receiver(owner, Instant::from_millis(1_000 * s))).collect()
        };
        assert_eq!(receivers(Duration::ZERO, &[5, 5, 9, 9]), [owner, other, owner, other]);
        assert_eq!(receivers(secs(10), &[0, 9, 10, 19, 20, 35]), [owner, owner, other, other, owner, other]);
        let mut shared = Shared::new(owner, other, secs(10));
        let at = Instant::from_millis(15_000);
        assert_eq!((shared.receiver(other, at), shared.receiver(third, at)), (other, third), "their own are theirs");
        let sources = [owner, other, third].map(|node| shared.source(node.addr()));
        assert_eq!(sources, [owner.addr(), owner.addr(), third.addr()]);
    }
}
