//! The application data of a frame, to be left out piece by piece.

use swim_core::wire::{Digest, Frame, StateItem, Summary, Writer};
use swim_core::{Rumor, RumorId};

/// What a frame says of rumors and states.
pub(super) struct AppParts<'a> {
    hash: u32,
    pub(super) digests: Vec<Digest>,
    summaries: Vec<Summary>,
    states: Vec<StateItem<'a>>,
    rumors: Vec<Rumor<'a>>,
    known: Vec<(RumorId, bool)>,
}

impl<'a> AppParts<'a> {
    pub(super) fn of(frame: &Frame<'a>) -> Self {
        Self {
            hash: frame.app_hash,
            digests: frame.digests().collect(),
            summaries: frame.summaries().collect(),
            states: frame.states().collect(),
            rumors: frame.rumors().collect(),
            known: frame.known().collect(),
        }
    }

    /// Leaves out part number `n`: 0 the hash, then whole sections, then single items; `false` behind the last. The
    /// last record of a digest stays: without any it is none.
    pub(super) fn leave_out(&mut self, n: usize) -> bool {
        match n {
            0 => self.hash = 0,
            1 => self.summaries.clear(),
            2 => self.states.clear(),
            3 => self.rumors.clear(),
            4 => self.known.clear(),
            n => {
                let Some(n) = drop_at(&mut self.summaries, n - 5) else { return true };
                let Some(n) = drop_at(&mut self.states, n) else { return true };
                let Some(n) = drop_at(&mut self.rumors, n) else { return true };
                let Some(n) = drop_at(&mut self.known, n) else { return true };
                if self.digests.len() < 2 || n >= self.digests.len() {
                    return false;
                }
                self.digests.remove(n);
            }
        }
        true
    }

    /// Puts the sections.
    pub(super) fn put(&self, w: &mut Writer<'_>) -> bool {
        let mut fits = w.app_hash(self.hash) && w.summaries(self.summaries.iter().copied());
        if !self.states.is_empty() {
            fits &= w.open_states() && self.states.iter().all(|item| w.state_item(item));
            w.close_section();
        }
        if !self.rumors.is_empty() {
            fits &= w.open_rumors() && self.rumors.iter().all(|rumor| w.rumor(rumor));
            w.close_section();
        }
        fits && w.known(self.known.iter().copied())
    }
}

/// Takes the item at this place out; beyond the last, the place in what follows.
fn drop_at<T>(items: &mut Vec<T>, at: usize) -> Option<usize> {
    if at >= items.len() {
        return Some(at - items.len());
    }
    items.remove(at);
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swim_core::wire::{Change, Message, StateEntry, StateHead};
    use swim_core::{Incarnation, NodeId};

    use super::super::Parts;
    use super::*;

    /// Parts in front of those of application data, in a frame without any of them.
    const BEFORE: usize = 7;

    fn counts(bytes: &[u8]) -> [usize; 6] {
        let f = Frame::parse(bytes).unwrap();
        let hash = usize::from(f.app_hash != 0);
        [hash, f.digests().count(), f.summaries().count(), f.states().count(), f.rumors().count(), f.known().count()]
    }

    #[test]
    fn every_part_can_be_left_out() {
        let mut bytes = [0; 1_400];
        let mut w = Writer::new(&mut bytes, NodeId::new(1), Incarnation::new(1, 2), 3).unwrap();
        let id = NodeId::new(9);
        let digest = Digest { id, epoch: 7, version: 6, gc: 2, floor: 3, seen: 1 };
        assert!(w.digest(5, [digest, Digest { version: 2, ..digest }].into_iter()) && w.app_hash(7));
        let summary = Summary { id, epoch: 7, version: 6, last: 5, floor: 4 };
        assert!(w.summaries([summary, summary].into_iter()));
        let entry = |version| StateEntry { version, key: "k", change: Change::Delete { ttl_ms: 1 } };
        let head = StateHead { id, epoch: 7, version: 9, gc: 2, from: 3 };
        assert!(w.open_states() && w.state(&head, 0, (4..6).map(entry)) == Some(4));
        assert_eq!(w.state(&StateHead { from: 4, ..head }, 99, (5..6).map(entry)), Some(9));
        w.close_section();
        let rumor = RumorId { origin: id, epoch: 7, seq: 1 };
        assert!(
            w.open_rumors()
                && w.rumor(&Rumor { id: rumor, lamport: 1, age: Duration::ZERO, topic: "t", payload: b"p" })
        );
        w.close_section();
        assert!(w.known([(rumor, true)].into_iter()));
        let len = w.written();
        let bytes = &bytes[..len];
        let all = [1, 2, 2, 2, 1, 1];
        assert_eq!(counts(bytes), all);
        assert_eq!(Parts::of(bytes).unwrap().without(0).as_deref(), Some(bytes), "nothing is lost");
        let without = |n| Parts::of(bytes).unwrap().without(BEFORE + n);
        // The hash, whole sections, and then items in order: which of the six has how many fewer.
        let less =
            [(0, 1), (2, 2), (3, 2), (4, 1), (5, 1), (2, 1), (2, 1), (3, 1), (3, 1), (4, 1), (5, 1), (1, 1), (1, 1)];
        for (n, (which, fewer)) in less.into_iter().enumerate() {
            let mut left = all;
            left[which] -= fewer;
            assert_eq!(counts(&without(n).unwrap()), left, "part {n}");
        }
        assert_eq!(without(less.len()), None);
        let second = without(7).unwrap();
        let kept = Frame::parse(&second).unwrap().states().next().unwrap();
        assert_eq!((kept.from, kept.upto(), kept.is_complete()), (4, 9, true));
        let first = without(8).unwrap();
        assert_eq!(Frame::parse(&first).unwrap().states().next().unwrap().upto(), 4, "what was left out remains so");
        // One record of a digest is left in any case.
        let one = without(11).unwrap();
        assert_eq!(Parts::of(&one).unwrap().without(BEFORE + 11), None);
        let f = Frame::parse(&one).unwrap();
        assert_eq!((f.message, f.digests().next().map(|d| d.version)), (Some(Message::Digest { nonce: 5 }), Some(2)));
    }
}
