//! Datagrams that the socket would not take yet.
//!
//! Invariants: what is held leaves in the order in which it was handed out, and nothing overtakes it; it is bounded; and
//! a node that has left waits for a socket that takes nothing only so long.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::Instant;

#[derive(Debug, Default)]
pub(crate) struct Held {
    queue: VecDeque<(SocketAddr, Box<[u8]>)>,
    /// When the socket first refused what a node that has left still has to say.
    refused: Option<Instant>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Holds a datagram; `false` when there is no room for it.
    pub(crate) fn push(&mut self, to: SocketAddr, bytes: &[u8]) -> bool {
        let fits = self.queue.len() < HELD_MAX;
        if fits {
            self.queue.push_back((to, bytes.into()));
        }
        fits
    }

    /// What is to be sent next.
    pub(crate) fn front(&self) -> Option<(SocketAddr, &[u8])> {
        self.queue.front().map(|(to, bytes)| (*to, &**bytes))
    }

    /// Where what is held goes, in its order.
    pub(crate) fn addrs(&self) -> impl Iterator<Item = SocketAddr> {
        self.queue.iter().map(|(to, _)| *to)
    }

    /// The first has left.
    pub(crate) fn pop(&mut self) {
        self.queue.pop_front();
    }

    /// Nobody waits for it any more.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// The socket would not take the first. Whether it is not to be asked for it any more: the node has left, and has waited
    /// long enough.
    pub(crate) fn gives_up(&mut self, has_left: bool, now: Instant) -> bool {
        if !has_left {
            self.refused = None;
            return false;
        }
        now.since(*self.refused.get_or_insert(now)) >= PATIENCE
    }
}

/// A node sends two datagrams per period when all is well, and some dozen in a bad one. What would come after these would be
/// old when it left.
pub(crate) const HELD_MAX: usize = 64;
/// How long a goodbye waits for a socket that takes nothing.
const PATIENCE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn first_in_first_out_and_no_more_than_fit() {
        let mut held = Held::default();
        for n in 1..=HELD_MAX as u16 {
            assert!(held.push(addr(n), &n.to_be_bytes()));
        }
        assert!(!held.push(addr(9), b"late"));
        for n in 1..=HELD_MAX as u16 {
            assert_eq!(held.front(), Some((addr(n), &n.to_be_bytes()[..])));
            held.pop();
        }
        assert!(held.is_empty() && held.front().is_none());
    }

    #[test]
    fn a_node_that_has_left_gives_up_in_the_end() {
        let (mut held, start) = (Held::default(), Instant::ORIGIN);
        assert!(!held.gives_up(false, start) && !held.gives_up(false, start + PATIENCE), "it has not left");
        assert!(!held.gives_up(true, start + PATIENCE));
        assert!(!held.gives_up(true, start + PATIENCE * 3 / 2));
        assert!(held.gives_up(true, start + PATIENCE * 2));
        assert!(!held.gives_up(false, start + PATIENCE * 2), "it is back");
    }
}
