//! A frame taken apart, and written again with less in it.

mod app;

use swim_core::NodeId;
use swim_core::wire::{Frame, Item, KeyRange, Message, Writer};

use self::app::AppParts;

/// All that a frame says, but for what every version skips.
pub(super) struct Parts<'a> {
    frame: Frame<'a>,
    room: usize,
    updates: Vec<Item<'a>>,
    rows: Vec<Item<'a>>,
    asks_who: bool,
    cookie: Option<u64>,
    proof: Option<u64>,
    held: Vec<(NodeId, u32, u32)>,
    wanted: Vec<NodeId>,
    ranges: Vec<KeyRange>,
    app: AppParts<'a>,
}

impl<'a> Parts<'a> {
    /// `None` when these bytes are no frame.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(bytes).ok()?;
        Some(Self {
            frame,
            // Sections are written with room for the longest length.
            room: bytes.len() + 64,
            updates: frame.updates().collect(),
            rows: frame.rows().collect(),
            asks_who: frame.asks_who,
            cookie: frame.cookie,
            proof: frame.proof,
            held: frame.held().collect(),
            wanted: frame.wanted().collect(),
            ranges: frame.ranges().collect(),
            app: AppParts::of(&frame),
        })
    }

    /// The frame without its part number `n`: 0 what is skipped, then whole sections, then single items; `None` behind the last.
    pub(super) fn without(mut self, n: usize) -> Option<Vec<u8>> {
        let mut n = n;
        // Counts down, and tells whether this is the one.
        let mut take = |count: usize| {
            let found = n < count;
            let at = n;
            n = n.wrapping_sub(count);
            found.then_some(at)
        };
        if take(1).is_some() {
        } else if take(1).is_some() {
            self.updates.clear();
        } else if take(1).is_some() {
            self.rows.clear();
        } else if take(1).is_some() {
            (self.asks_who, self.cookie) = (false, None);
        } else if take(1).is_some() {
            self.held.clear();
        } else if take(1).is_some() {
            self.wanted.clear();
        } else if take(1).is_some() {
            self.proof = None;
        } else if let Some(at) = take(self.updates.len()) {
            self.updates.remove(at);
        } else if let Some(at) = take(self.rows.len()) {
            self.rows.remove(at);
        } else if let Some(at) = take(self.held.len()) {
            self.held.remove(at);
        } else if let Some(at) = take(self.wanted.len()) {
            self.wanted.remove(at);
        } else if let Some(at) = take(self.ranges.len()) {
            if self.ranges.len() > 1 {
                self.ranges.remove(at);
            }
        } else if !self.app.leave_out(n) {
            return None;
        }
        self.written()
    }

    fn written(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.room];
        let Frame { sender, incarnation, view_hash, message, .. } = self.frame;
        let mut w = Writer::new(&mut bytes, sender, incarnation, view_hash)?;
        let mut fits = match message {
            None => true,
            Some(Message::Pull { nonce }) => w.pull(nonce, self.ranges.iter().copied()),
            Some(Message::Compare { nonce, level }) => {
                w.compare(nonce, level, self.frame.nodes().map(|node| (node.prefix, node.hashes)))
            }
            Some(Message::Differ { nonce }) => w.differ(nonce, self.frame.bitmaps()),
            Some(Message::Digest { nonce }) => w.digest(nonce, self.app.digests.iter().copied()),
            Some(message) => w.message(message),
        };
        if !self.updates.is_empty() {
            fits &= w.open_updates() && self.updates.iter().all(|item| w.item(item));
            w.close_section();
        }
        if !self.rows.is_empty() {
            fits &= w.open_rows() && self.rows.iter().all(|item| w.item(item));
            w.close_section();
        }
        fits &= !self.asks_who || w.ask_who(self.cookie);
        fits &= w.held(self.held.iter().copied()) && w.wanted(self.wanted.iter().copied());
        fits &= self.app.put(&mut w);
        fits &= self.proof.is_none_or(|proof| w.proof(proof));
        let len = w.written();
        bytes.truncate(len);
        fits.then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use swim_core::wire::{Detail, More};
    use swim_core::{Incarnation, Status};

    use super::*;

    fn item(n: u64) -> Item<'static> {
        let at = Incarnation::new(1, 0);
        let detail = Detail { at, addr: "10.0.0.1:7".parse().unwrap(), name: "name", meta: b"meta" };
        Item { id: NodeId::new(n), status: Status::alive(at), more: More::Detail(detail) }
    }

    #[test]
    fn every_part_can_be_left_out() {
        let mut bytes = [0; 1_400];
        let mut w = Writer::new(&mut bytes, NodeId::new(1), Incarnation::new(1, 2), 3).unwrap();
        let ranges = [KeyRange { from: 0, to: 9 }, KeyRange { from: 12, to: 99 }];
        assert!(w.pull(7, ranges.into_iter()) && w.open_updates());
        assert!(w.item(&item(1)) && w.item(&item(2)));
        w.close_section();
        assert!(w.open_rows() && w.item(&item(3)));
        w.close_section();
        assert!(w.ask_who(Some(6)) && w.held([(NodeId::new(4), 4, 5)].into_iter()));
        assert!(w.wanted([NodeId::new(5)].into_iter()) && w.proof(7));
        let len = w.written();
        let padded = [&bytes[..len], &[255, 3, 0, 0, 0]].concat();
        let sizes = |bytes: &[u8]| {
            let f = Frame::parse(bytes).unwrap();
            let all = [f.updates().count(), f.rows().count(), f.held().count(), f.wanted().count(), f.ranges().count()];
            (all, (f.cookie, f.proof), bytes.len())
        };
        let without = |n| Parts::of(&padded).unwrap().without(n);
        assert_eq!(without(0).unwrap(), bytes[..len]);
        let (all, _, _) = sizes(&padded);
        assert_eq!(all, [2, 1, 1, 1, 2]);
        let left = |n: usize| sizes(&without(n).unwrap());
        assert_eq!(
            [left(1).0, left(2).0, left(4).0, left(5).0].map(|s| s[..4].to_vec()),
            [vec![0, 1, 1, 1], vec![2, 0, 1, 1], vec![2, 1, 0, 1], vec![2, 1, 1, 0],]
        );
        assert_eq!((left(3).0, left(3).1, left(2).1), (all, (None, Some(7)), (Some(6), Some(7))));
        assert_eq!((left(6).0, left(6).1), (all, (Some(6), None)));
        let second = without(8).unwrap();
        let only: Vec<NodeId> = Frame::parse(&second).unwrap().updates().map(|i| i.id).collect();
        assert_eq!(only, [NodeId::new(1)]);
        // Behind the last there are five of application data.
        assert_eq!((left(12).0[4], left(13).0[4], without(19)), (1, 1, None));
        assert!(Parts::of(b"no frame").is_none());
    }
}
