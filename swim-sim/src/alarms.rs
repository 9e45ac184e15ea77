//! When each node wants to be woken: one alarm per node, moved in place.
//!
//! A heap with four children per entry, on (time, node), and the place of every node in it. A node always has its entry,
//! at `NEVER` when it wants nothing; so nothing is stale, and a deadline that moves costs one walk along a path.

use swim_core::Instant;

use crate::host::NodeIx;

#[derive(Debug, Default)]
pub(crate) struct Alarms {
    heap: Vec<Alarm>,
    /// Where in `heap` the alarm of each node is.
    places: Vec<u32>,
}

/// Ordered by its fields from first to last, so nodes that wake at one instant wake in the order of their indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alarm {
    at: Instant,
    node: u32,
}

const CHILDREN: usize = 4;

impl Alarms {
    /// The next node gets its alarm, which is not set.
    pub(crate) fn add(&mut self) {
        let place = self.heap.len() as u32;
        self.heap.push(Alarm { at: Instant::NEVER, node: place });
        self.places.push(place);
    }

    /// Sets a node's alarm, earlier or later than it was.
    pub(crate) fn set(&mut self, node: NodeIx, at: Instant) {
        let place = self.places[node.index()] as usize;
        let former = self.heap[place].at;
        if at == former {
            return;
        }
        let alarm = Alarm { at, node: node.index() as u32 };
        if at < former { self.rise(place, alarm) } else { self.sink(place, alarm) }
    }

    /// The earliest alarm, unless there is none.
    pub(crate) fn first(&self) -> Option<(Instant, NodeIx)> {
        let first = self.heap.first().filter(|alarm| alarm.at != Instant::NEVER)?;
        Some((first.at, NodeIx::new(first.node as usize)))
    }

    /// Puts `alarm` at the hole in `place`, or above it.
    fn rise(&mut self, mut place: usize, alarm: Alarm) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.heap[parent] < alarm {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, alarm);
    }

    /// Puts `alarm` at the hole in `place`, or below it.
    fn sink(&mut self, mut place: usize, alarm: Alarm) {
        loop {
            let first = place * CHILDREN + 1;
            let children = first..self.heap.len().min(first + CHILDREN);
            let Some(least) = children.min_by_key(|&child| self.heap[child]) else { break };
            if alarm < self.heap[least] {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, alarm);
    }

    fn put(&mut self, place: usize, alarm: Alarm) {
        self.heap[place] = alarm;
        self.places[alarm.node as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// Against the plain minimum over all nodes, through thousands of moves in both directions.
    #[test]
    fn the_first_is_the_least() {
        for nodes in [1, 2, 5, 6, 37, 200] {
            let mut draws = Stream::new(nodes as u64, Purpose::Network);
            let mut alarms = Alarms::default();
            let mut model = vec![Instant::NEVER; nodes];
            (0..nodes).for_each(|_| alarms.add());
            assert_eq!(alarms.first(), None);
            for step in 0..3_000 {
                let node = draws.within(0, nodes as u64 - 1) as usize;
                // Few distinct times, so that ties are frequent; now and then none at all.
                let t = draws.within(0, 50);
                let at = if t == 0 { Instant::NEVER } else { Instant::from_micros(t) };
                alarms.set(NodeIx::new(node), at);
                model[node] = at;
                let least = (0..nodes).min_by_key(|&n| model[n]).filter(|&n| model[n] != Instant::NEVER);
                let want = least.map(|n| (model[n], NodeIx::new(n)));
                assert_eq!(alarms.first(), want, "step {step} with {nodes} nodes");
            }
        }
    }
}
