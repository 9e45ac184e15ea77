//! What slots add up to, by ranges of a 30-bit key: a radix tree with 64 children per node that splits a child when it
//! holds too many slots, so it is as deep as their number needs.
//!
//! Each child is either a node of its own or a chain of slots in the order of (key, slot), and carries the sum (mod 2^64)
//! of what its slots add. A sum changes in O(depth). The shape depends on the history, but nothing that can be read does:
//! sums are of ranges, and slots come in the order of their keys.

use alloc::vec::Vec;

use super::{NONE, Slots, make_room};

/// Keys are below this.
pub(crate) const KEY_END: u32 = 1 << KEY_BITS;
/// Children of a node.
pub(crate) const FAN: usize = 1 << BITS;
/// So deep: the children of nodes at level `LEVELS - 1` are single keys.
pub(crate) const LEVELS: u32 = KEY_BITS / BITS;

const KEY_BITS: u32 = 30;
const BITS: u32 = 6;
/// A longer chain is split.
const CHAIN_MAX: usize = 64;
/// Slots that share one key, which nothing can divide. Among a million random keys not even eight share one, but once in
/// 10^19 times; more are an attack on the walk and on the pages of a sync.
const CROWD_MAX: usize = 32;
/// Heads from here on are nodes, not slots.
const NODE: u32 = 1 << 31;

#[derive(Clone, Debug)]
struct Node {
    sums: [u64; FAN],
    /// The first slot of a chain, `NODE +` the place of a node, or `NONE`.
    heads: [u32; FAN],
}

const EMPTY: Node = Node { sums: [0; FAN], heads: [NONE; FAN] };

/// The keys `[from, to)` under a node of the tree.
pub(crate) fn range_of(level: u32, prefix: u32) -> (u32, u32) {
    let shift = KEY_BITS - level * BITS;
    (prefix << shift, (prefix + 1) << shift)
}

fn digit(key: u32, level: u32) -> usize {
    (key >> (KEY_BITS - (level + 1) * BITS)) as usize % FAN
}

#[derive(Clone, Debug)]
pub(crate) struct Radix {
    nodes: Vec<Node>,
    /// Places of nodes that were given up.
    free: Vec<u32>,
    /// By slot: the next one in its chain.
    next: Slots,
    /// By slot; `KEY_END` when it is not in the tree.
    keys: Vec<u32>,
}

impl Default for Radix {
    fn default() -> Self {
        Self { nodes: alloc::vec![EMPTY], free: Vec::new(), next: Slots::new(), keys: Vec::new() }
    }
}

impl Radix {
    /// Admits slots below `slots`.
    pub(crate) fn grow(&mut self, slots: usize) {
        if self.keys.len() < slots {
            self.next.admit(slots);
            self.next.fill(slots);
            make_room(&mut self.keys, slots);
            self.keys.resize(slots, KEY_END);
        }
    }

    /// The sum over all slots.
    pub(crate) fn total(&self) -> u64 {
        self.nodes[0].sums.iter().fold(0, |a, b| a.wrapping_add(*b))
    }

    /// Is there no room for another slot of this key?
    pub(crate) fn is_crowded(&self, key: u32) -> bool {
        let (node, level) = self.leaf(key);
        let chain = self.chain(self.nodes[node].heads[digit(key, level)]);
        chain.filter(|&s| self.keys[s as usize] == key).count() >= CROWD_MAX
    }

    /// Puts a slot in, which adds `value(slot)`; the others' values may be asked for.
    pub(crate) fn insert(&mut self, slot: u32, key: u32, value: impl Fn(u32) -> u64) {
        debug_assert!(key < KEY_END);
        self.keys[slot as usize] = key;
        self.add(key, value(slot));
        let (node, level) = self.leaf(key);
        let i = digit(key, level);
        let (mut before, mut at, mut len) = (NONE, self.nodes[node].heads[i], 1);
        while at != NONE {
            len += 1;
            if (self.keys[at as usize], at) < (key, slot) {
                before = at;
            }
            at = self.next.at(at as usize);
        }
        let next = if before == NONE { self.nodes[node].heads[i] } else { self.next.at(before as usize) };
        self.next.set(slot as usize, next);
        match before {
            NONE => self.nodes[node].heads[i] = slot,
            _ => self.next.set(before as usize, slot),
        }
        if len > CHAIN_MAX && level + 1 < LEVELS {
            self.split(node, i, level + 1, value);
        }
    }

    /// The chain of a child becomes a node at `level`.
    fn split(&mut self, node: usize, child: usize, level: u32, value: impl Fn(u32) -> u64) {
        let mut new = EMPTY;
        let mut tails = [NONE; FAN];
        let mut at = self.nodes[node].heads[child];
        while at != NONE {
            let next = self.next.at(at as usize);
            let i = digit(self.keys[at as usize], level);
            new.sums[i] = new.sums[i].wrapping_add(value(at));
            match tails[i] {
                NONE => new.heads[i] = at,
                tail => self.next.set(tail as usize, at),
            }
            tails[i] = at;
            self.next.set(at as usize, NONE);
            at = next;
        }
        if let Some(place) = self.free.pop() {
            self.nodes[node].heads[child] = NODE + place;
            self.nodes[place as usize] = new;
            return;
        }
        if self.nodes.len() == self.nodes.capacity() {
            // Nodes are large; doubling them would be half wasted.
            self.nodes.reserve_exact(self.nodes.len() / 4 + 1);
        }
        self.nodes[node].heads[child] = NODE + self.nodes.len() as u32;
        self.nodes.push(new);
        // Giving nodes up never allocates.
        self.free.reserve(self.nodes.len());
    }

    /// Takes a slot out, which added `value`.
    pub(crate) fn remove(&mut self, slot: u32, value: u64) {
        let key = self.keys[slot as usize];
        self.add(key, 0_u64.wrapping_sub(value));
        let (node, level) = self.leaf(key);
        let i = digit(key, level);
        let next = self.next.at(slot as usize);
        match self.chain(self.nodes[node].heads[i]).take_while(|&s| s != slot).last() {
            None => self.nodes[node].heads[i] = next,
            Some(before) => self.next.set(before as usize, next),
        }
        self.next.set(slot as usize, NONE);
        self.keys[slot as usize] = KEY_END;
        self.join(key);
    }

    /// Nodes on the way to `key` that hold few slots become chains again, the deepest first; or whoever comes and goes in
    /// ever other places would make the tree grow for ever.
    fn join(&mut self, key: u32) {
        loop {
            let (node, level) = self.leaf(key);
            let inner = |&h: &u32| h != NONE && h >= NODE;
            if level == 0 || self.nodes[node].heads.iter().any(inner) {
                return;
            }
            let slots = self.nodes[node].heads.iter().flat_map(|&h| self.chain(h));
            if slots.take(CHAIN_MAX / 2 + 1).count() > CHAIN_MAX / 2 {
                return;
            }
            // From the last child on, each chain goes in front of what is behind it.
            let mut head = NONE;
            for i in (0..FAN).rev() {
                let first = self.nodes[node].heads[i];
                if let Some(last) = self.chain(first).last() {
                    self.next.set(last as usize, head);
                    head = first;
                }
            }
            let (above, at) = self.node_above(key, level - 1);
            self.nodes[above].heads[digit(key, at)] = head;
            self.free.push(node as u32);
        }
    }

    /// What a slot adds has changed by `delta`.
    pub(crate) fn adjust(&mut self, slot: u32, delta: u64) {
        self.add(self.keys[slot as usize], delta);
    }

    fn add(&mut self, key: u32, delta: u64) {
        let mut node = 0;
        for level in 0..LEVELS {
            let i = digit(key, level);
            let n = &mut self.nodes[node];
            n.sums[i] = n.sums[i].wrapping_add(delta);
            match n.heads[i] {
                NONE | 0..NODE => return,
                inner => node = (inner - NODE) as usize,
            }
        }
    }

    /// The node whose child for this key is a chain, and its level.
    fn leaf(&self, key: u32) -> (usize, u32) {
        let (mut node, mut level) = (0, 0);
        while let inner @ NODE.. = self.nodes[node].heads[digit(key, level)] {
            if inner == NONE {
                break;
            }
            (node, level) = ((inner - NODE) as usize, level + 1);
        }
        (node, level)
    }

    fn chain(&self, head: u32) -> impl Iterator<Item = u32> {
        let next = |&slot: &u32| Some(self.next.at(slot as usize)).filter(|&n| n != NONE);
        core::iter::successors(Some(head).filter(|&h| h < NODE), next)
    }

    /// What the 64 children of the node at `level` with this prefix add up to, whether it exists here or not.
    pub(crate) fn sums(&self, level: u32, prefix: u32, value: impl Fn(u32) -> u64) -> [u64; FAN] {
        let (from, to) = range_of(level, prefix);
        let (node, at) = self.node_above(from, level);
        if at == level {
            return self.nodes[node].sums;
        }
        let mut sums = [0_u64; FAN];
        for slot in self.chain(self.nodes[node].heads[digit(from, at)]) {
            let key = self.keys[slot as usize];
            if (from..to).contains(&key) {
                let sum = &mut sums[digit(key, level)];
                *sum = sum.wrapping_add(value(slot));
            }
        }
        sums
    }

    /// The deepest node on the way to `key`, at most at `level`.
    fn node_above(&self, key: u32, level: u32) -> (usize, u32) {
        let (mut node, mut at) = (0, 0);
        while at < level {
            match self.nodes[node].heads[digit(key, at)] {
                NONE | 0..NODE => break,
                inner => (node, at) = ((inner - NODE) as usize, at + 1),
            }
        }
        (node, at)
    }

    /// Shows the slots with keys in `[from, to)` and their keys, in the order of their keys, until `see` returns `false`.
    /// Tells whether it saw all.
    pub(crate) fn visit(&self, from: u32, to: u32, mut see: impl FnMut(u32, u32) -> bool) -> bool {
        self.visit_node(0, 0, 0, (from, to), &mut see)
    }

    /// At most `LEVELS` deep.
    fn visit_node(
        &self,
        node: usize,
        level: u32,
        prefix: u32,
        (from, to): (u32, u32),
        see: &mut impl FnMut(u32, u32) -> bool,
    ) -> bool {
        for (i, &head) in self.nodes[node].heads.iter().enumerate() {
            let child = prefix << BITS | i as u32;
            let (start, end) = range_of(level + 1, child);
            if head == NONE || end <= from {
                continue;
            }
            if start >= to {
                break;
            }
            let going = match head {
                NODE.. => self.visit_node((head - NODE) as usize, level + 1, child, (from, to), see),
                _ => self.chain(head).all(|slot| {
                    let key = self.keys[slot as usize];
                    !(from..to).contains(&key) || see(slot, key)
                }),
            };
            if !going {
                return false;
            }
        }
        true
    }

    /// Every sum and the order of every chain against their plain meaning, for these slots with their keys and values.
    pub(crate) fn check(&self, slots: impl Iterator<Item = (u32, u32, u64)>) -> Result<(), &'static str> {
        let mut total = 0_u64;
        let mut count = 0;
        for (slot, key, value) in slots {
            if self.keys.get(slot as usize) != Some(&key) {
                return Err("a slot is not in the tree under its key");
            }
            let (node, level) = self.leaf(key);
            if !self.chain(self.nodes[node].heads[digit(key, level)]).any(|s| s == slot) {
                return Err("a slot is not in the chain of its key");
            }
            total = total.wrapping_add(value);
            count += 1;
        }
        let (mut seen, mut last) = (0, None);
        let ordered = self.visit(0, KEY_END, |slot, key| {
            let ascends = last < Some((key, slot));
            (last, seen) = (Some((key, slot)), seen + 1);
            ascends
        });
        if !ordered {
            return Err("a chain is out of order");
        }
        if seen != count {
            return Err("a slot in the tree that is not known");
        }
        if self.total() != total {
            return Err("the tree's sum is not that of its slots");
        }
        for (_, node) in self.nodes.iter().enumerate().filter(|(at, _)| !self.free.contains(&(*at as u32))) {
            for (i, &head) in node.heads.iter().enumerate() {
                let inner = |n: &Node| n.sums.iter().fold(0_u64, |a, b| a.wrapping_add(*b));
                if head != NONE && head >= NODE && inner(&self.nodes[(head - NODE) as usize]) != node.sums[i] {
                    return Err("a child's sum is not that of its own children");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use quickcheck::{TestResult, quickcheck};

    use super::*;

    const SLOTS: u32 = 400;

    /// Keys that crowd: in few places of the tree, some of them equal.
    fn key_of(slot: u32, spread: u8) -> u32 {
        let mixed = crate::hash::mix64(u64::from(slot) + 1) as u32;
        match spread % 4 {
            0 => mixed % KEY_END,
            1 => mixed % 4_096,
            2 => ((mixed % 7) << 24) | (mixed % 5),
            _ => 1_000_000 + mixed % 70,
        }
    }

    fn check_reads(tree: &Radix, model: &BTreeMap<(u32, u32), u64>, at: u32) {
        let value = |slot: u32| model.iter().find(|((_, s), _)| *s == slot).map_or(0, |(_, v)| *v);
        tree.check(model.iter().map(|(&(key, slot), &v)| (slot, key, v))).unwrap();
        for level in 0..LEVELS {
            let prefix = at >> (KEY_BITS - level * BITS);
            let sums = tree.sums(level, prefix, value);
            for (i, sum) in sums.into_iter().enumerate() {
                let (from, to) = range_of(level + 1, prefix << BITS | i as u32);
                let want = model.range((from, 0)..(to, 0)).fold(0_u64, |a, (_, v)| a.wrapping_add(*v));
                assert_eq!(sum, want, "level {level}, child {i}");
            }
        }
        let (from, to) = (at.saturating_sub(5_000), at.saturating_add(1 << 24).min(KEY_END));
        let mut seen = Vec::new();
        tree.visit(from, to, |slot, key| {
            seen.push((key, slot));
            true
        });
        assert!(seen.iter().eq(model.range((from, 0)..(to, 0)).map(|(k, _)| k)));
    }

    quickcheck! {
        fn agrees_with_a_sorted_map(ops: Vec<(u16, u64, u8)>, spread: u8) -> TestResult {
            if ops.is_empty() {
                return TestResult::discard();
            }
            let mut tree = Radix::default();
            let mut model = BTreeMap::new();
            tree.grow(SLOTS as usize);
            // Enough of them at first that chains are split.
            let many = (0..300).map(|s| (s, u64::from(s) * 77, 0_u8));
            for (slot, v, op) in many.chain(ops.iter().copied()) {
                let slot = u32::from(slot) % SLOTS;
                let key = key_of(slot, spread);
                match (model.get(&(key, slot)).copied(), op % 3) {
                    (None, _) => {
                        model.insert((key, slot), v);
                        let value = |s: u32| model.get(&(key_of(s, spread), s)).copied().unwrap_or(0);
                        tree.insert(slot, key, value);
                    }
                    (Some(old), 0) => {
                        tree.adjust(slot, v.wrapping_sub(old));
                        model.insert((key, slot), v);
                    }
                    (Some(old), _) => {
                        tree.remove(slot, old);
                        model.remove(&(key, slot));
                    }
                }
            }
            check_reads(&tree, &model, key_of(u32::from(ops[0].0) % SLOTS, spread));
            TestResult::passed()
        }
    }

    #[test]
    fn one_key_is_crowded_at_last() {
        let mut tree = Radix::default();
        tree.grow(300);
        let mut slot = 0;
        while !tree.is_crowded(5) {
            tree.insert(slot, 5, |_| 1);
            slot += 1;
        }
        assert_eq!(slot as usize, CROWD_MAX);
        assert!(!tree.is_crowded(KEY_END - 1));
        assert_eq!(tree.total(), CROWD_MAX as u64);
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing() {
        let mut tree = Radix::default();
        tree.grow(70);
        for round in 0..1000_u32 {
            let base = (round * 65_521 * 4) & (KEY_END - 1) & !63;
            for slot in 0..70 {
                tree.insert(slot, base | (slot % 64), |_| 1);
            }
            for slot in 0..70 {
                tree.remove(slot, 1);
            }
        }
        assert!(tree.nodes.len() <= 1 + LEVELS as usize, "{}", tree.nodes.len());
    }
}
