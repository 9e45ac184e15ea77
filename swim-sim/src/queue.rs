//! What happens when: datagrams under way, and the nodes' alarms, in one order and no other.
//!
//! At one instant datagrams come before alarms, as in the bindings, which prefer a readable socket over a passed
//! deadline; datagrams among themselves in the order in which they were sent, alarms in the order of the nodes. The two
//! are kept apart because there are few datagrams under way at a time and an alarm for every node: so neither pays for
//! the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use swim_core::Instant;

use crate::alarms::Alarms;
use crate::host::NodeIx;
use crate::pool::Slot;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The datagram in this slot arrives.
    Arrival(Slot),
    /// This node's alarm goes off. It has to be set anew, or it will go off again.
    Alarm(NodeIx),
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) alarms: Alarms,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    sent: u64,
}

/// Ordered by its fields from first to last; `sent` is unique, so `slot` never decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Instant,
    sent: u64,
    slot: Slot,
}

impl Queue {
    /// The datagram in this slot is to arrive at that time.
    pub(crate) fn send(&mut self, at: Instant, slot: Slot) {
        self.sent += 1;
        self.arrivals.push(Reverse(Arrival { at, sent: self.sent, slot }));
    }

    /// The next thing that happens, if it happens at `end` or before.
    pub(crate) fn next_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let alarm = self.alarms.first().filter(|&(at, _)| at <= end);
        let Some(&Reverse(arrival)) = self.arrivals.peek().filter(|arrival| arrival.0.at <= end) else {
            return alarm.map(|(at, node)| (at, Happening::Alarm(node)));
        };
        if let Some((at, node)) = alarm.filter(|&(at, _)| at < arrival.at) {
            return Some((at, Happening::Alarm(node)));
        }
        self.arrivals.pop();
        Some((arrival.at, Happening::Arrival(arrival.slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::Happening::{Alarm, Arrival};
    use super::*;

    #[test]
    fn earlier_first_then_datagrams_as_sent_then_alarms() {
        let at = Instant::from_millis;
        let mut q = Queue::default();
        (0..3).for_each(|_| q.alarms.add());
        let node = NodeIx::new;
        for (n, t) in [(2, 1), (1, 2), (0, 2)] {
            q.alarms.set(node(n), at(t));
        }
        for (t, slot) in [(3, 1), (2, 9), (2, 3)] {
            q.send(at(t), Slot(slot));
        }
        let mut seen = Vec::new();
        while let Some((t, what)) = q.next_until(at(2)) {
            seen.push((t, what));
            if let Alarm(n) = what {
                q.alarms.set(n, Instant::NEVER);
            }
        }
        let second = [Arrival(Slot(9)), Arrival(Slot(3)), Alarm(node(0)), Alarm(node(1))];
        assert_eq!(seen[0], (at(1), Alarm(node(2))));
        assert_eq!(seen[1..], second.map(|what| (at(2), what)));
        assert_eq!(q.next_until(at(3)), Some((at(3), Arrival(Slot(1)))));
        assert_eq!(q.next_until(Instant::NEVER), None);
    }
}
