//! What slots add up to, by ranges of a 30-bit key: a radix tree with 64 children per node that splits a child when it
//! holds too many slots, so it is as deep as their number needs.
//!
//! Each child is either a node of its own or a chain of slots, and carries the sum (mod 2^64) of what its slots add. A sum
//! changes in O(depth), and a slot comes in without a look at any other. Shape and chains depend on the history, but nothing
//! that can be read does: sums are of ranges, and slots are shown in the order of (key, slot).

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::NONE;

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
    /// Slots in a chain; 0 for a node, and for all children of the deepest nodes, whose chains nothing can divide.
    lens: [u8; FAN],
}

const EMPTY: Node = Node { sums: [0; FAN], heads: [NONE; FAN], lens: [0; FAN] };

/// The keys `[from, to)` under a node of the tree.
pub(crate) fn range_of(level: u32, prefix: u32) -> (u32, u32) {
    let shift = KEY_BITS - level * BITS;
    (prefix << shift, (prefix + 1) << shift)
}

fn digit(key: u32, level: u32) -> usize {
    (key >> (KEY_BITS - (level + 1) * BITS)) as usize % FAN
}

/// Where the chains of a tree are kept: with what it looks at anyway.
pub(crate) trait Chains {
    /// The slot behind this one, or `NONE`.
    fn next(&self, slot: u32) -> u32;

    fn set_next(&mut self, slot: u32, next: u32);
}

/// The tree. It keeps no keys: whoever asks knows the key of each slot, or finds it in the row that it looks at anyway.
#[derive(Clone, Debug)]
pub(crate) struct Radix {
    nodes: Vec<Node>,
    /// Places of nodes that were given up.
    free: Vec<u32>,
    /// There is room for this many.
    slots: usize,
}

impl Default for Radix {
    fn default() -> Self {
        Self { nodes: alloc::vec![EMPTY], free: Vec::new(), slots: 0 }
    }
}

impl Radix {
    /// Admits slots below `slots`; as long as their keys are spread evenly, hardly anything later allocates.
    pub(crate) fn grow(&mut self, slots: usize) {
        if self.slots < slots {
            self.slots = slots;
            let (mut nodes, mut below) = (1, FAN);
            // Some chains are split long before all of them are too long on average.
            while slots > below * (CHAIN_MAX - CHAIN_MAX / 4) {
                (nodes, below) = (nodes + below, below * FAN);
            }
            self.nodes.reserve_exact(nodes.saturating_sub(self.nodes.len()));
            self.free.reserve_exact(nodes.saturating_sub(self.free.len()));
        }
    }

    /// The sum over all slots.
    pub(crate) fn total(&self) -> u64 {
        self.nodes[0].sums.iter().fold(0, |a, b| a.wrapping_add(*b))
    }

    /// Is there no room for another slot of this key?
    pub(crate) fn is_crowded(&self, chains: &impl Chains, key: u32, key_of: impl Fn(u32) -> u32) -> bool {
        let (node, level) = self.leaf(key);
        let i = digit(key, level);
        let mut chain = chain(chains, self.nodes[node].heads[i]);
        if level + 1 == LEVELS {
            return chain.nth(CROWD_MAX - 1).is_some();
        }
        // So many may have other keys; one more, and too few are left.
        let Some(mut others) = usize::from(self.nodes[node].lens[i]).checked_sub(CROWD_MAX) else { return false };
        chain.all(|slot| key_of(slot) == key || others.checked_sub(1).map(|left| others = left).is_some())
    }

    /// Puts a slot in that has this key and adds `value`; `of` tells both of any slot.
    pub(crate) fn insert<C: Chains>(
        &mut self,
        chains: &mut C,
        slot: u32,
        (key, value): (u32, u64),
        of: impl Fn(&C, u32) -> (u32, u64),
    ) {
        debug_assert!(key < KEY_END);
        self.add(key, value);
        let (node, level) = self.leaf(key);
        let i = digit(key, level);
        chains.set_next(slot, self.nodes[node].heads[i]);
        self.nodes[node].heads[i] = slot;
        if level + 1 < LEVELS {
            self.nodes[node].lens[i] += 1;
            if usize::from(self.nodes[node].lens[i]) > CHAIN_MAX {
                self.split(chains, (node, i), level + 1, of);
            }
        }
    }

    /// The chain of a child becomes a node at `level`.
    fn split<C: Chains>(
        &mut self,
        chains: &mut C,
        (node, child): (usize, usize),
        level: u32,
        of: impl Fn(&C, u32) -> (u32, u64),
    ) {
        let mut new = EMPTY;
        let mut at = self.nodes[node].heads[child];
        while at != NONE {
            let next = chains.next(at);
            let (key, value) = of(chains, at);
            let i = digit(key, level);
            new.sums[i] = new.sums[i].wrapping_add(value);
            chains.set_next(at, new.heads[i]);
            new.heads[i] = at;
            new.lens[i] += u8::from(level + 1 < LEVELS);
            at = next;
        }
        self.nodes[node].lens[child] = 0;
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

    /// Takes a slot out that has this key and added `value`.
    pub(crate) fn remove(&mut self, chains: &mut impl Chains, slot: u32, (key, value): (u32, u64)) {
        self.add(key, 0_u64.wrapping_sub(value));
        let (node, level) = self.leaf(key);
        let i = digit(key, level);
        let next = chains.next(slot);
        let before = chain(chains, self.nodes[node].heads[i]).take_while(|&s| s != slot).last();
        match before {
            None => self.nodes[node].heads[i] = next,
            Some(before) => chains.set_next(before, next),
        }
        chains.set_next(slot, NONE);
        self.nodes[node].lens[i] -= u8::from(level + 1 < LEVELS);
        self.join(chains, key);
    }

    /// Nodes on the way to `key` that hold few slots become chains again, the deepest first; or whoever comes and goes in
    /// ever other places would make the tree grow for ever.
    fn join(&mut self, chains: &mut impl Chains, key: u32) {
        loop {
            let (node, level) = self.leaf(key);
            let inner = |&h: &u32| h != NONE && h >= NODE;
            if level == 0 || self.nodes[node].heads.iter().any(inner) {
                return;
            }
            let slots = self.nodes[node].heads.iter().flat_map(|&h| chain(chains, h));
            let len = slots.take(CHAIN_MAX / 2 + 1).count();
            if len > CHAIN_MAX / 2 {
                return;
            }
            let mut head = NONE;
            for i in 0..FAN {
                let first = self.nodes[node].heads[i];
                let last = chain(chains, first).last();
                if let Some(last) = last {
                    chains.set_next(last, head);
                    head = first;
                }
            }
            let (above, at) = self.node_above(key, level - 1);
            self.nodes[above].heads[digit(key, at)] = head;
            self.nodes[above].lens[digit(key, at)] = len as u8;
            self.free.push(node as u32);
        }
    }

    /// What a slot with this key adds has changed by `delta`.
    #[inline]
    pub(crate) fn add(&mut self, key: u32, delta: u64) {
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

    /// What the 64 children of the node at `level` with this prefix add up to, whether it exists here or not.
    pub(crate) fn sums(
        &self,
        chains: &impl Chains,
        level: u32,
        prefix: u32,
        of: impl Fn(u32) -> (u32, u64),
    ) -> [u64; FAN] {
        let (from, to) = range_of(level, prefix);
        let (node, at) = self.node_above(from, level);
        if at == level {
            return self.nodes[node].sums;
        }
        let mut sums = [0_u64; FAN];
        for slot in chain(chains, self.nodes[node].heads[digit(from, at)]) {
            let (key, value) = of(slot);
            if (from..to).contains(&key) {
                let sum = &mut sums[digit(key, level)];
                *sum = sum.wrapping_add(value);
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
    pub(crate) fn visit(
        &self,
        chains: &impl Chains,
        (from, to): (u32, u32),
        key_of: impl Fn(u32) -> u32,
        mut see: impl FnMut(u32, u32) -> bool,
    ) -> bool {
        self.visit_node(chains, (0, 0, 0), (from, to), &key_of, &mut see)
    }

    /// At most `LEVELS` deep.
    fn visit_node(
        &self,
        chains: &impl Chains,
        (node, level, prefix): (usize, u32, u32),
        (from, to): (u32, u32),
        key_of: &impl Fn(u32) -> u32,
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
                NODE.. => self.visit_node(chains, ((head - NODE) as usize, level + 1, child), (from, to), key_of, see),
                _ => visit_chain(chains, head, (from, to), key_of, see),
            };
            if !going {
                return false;
            }
        }
        true
    }

    /// Every sum, every length and every place against their plain meaning, for these slots, whose keys and values `of` tells.
    pub(crate) fn check(
        &self,
        chains: &impl Chains,
        slots: impl Iterator<Item = u32>,
        of: impl Fn(u32) -> (u32, u64),
    ) -> Result<(), &'static str> {
        let mut total = 0_u64;
        let mut count = 0;
        for slot in slots {
            let (key, value) = of(slot);
            let (node, level) = self.leaf(key);
            if !chain(chains, self.nodes[node].heads[digit(key, level)]).any(|s| s == slot) {
                return Err("a slot is not in the chain of its key");
            }
            total = total.wrapping_add(value);
            count += 1;
        }
        let mut seen = 0;
        self.visit(
            chains,
            (0, KEY_END),
            |slot| of(slot).0,
            |_, _| {
                seen += 1;
                true
            },
        );
        if seen != count {
            return Err("a slot in the tree that is not known");
        }
        if self.total() != total {
            return Err("the tree's sum is not that of its slots");
        }
        self.check_node(chains, 0, 0, &of)
    }

    /// At most `LEVELS` deep.
    fn check_node(
        &self,
        chains: &impl Chains,
        node: usize,
        level: u32,
        of: &impl Fn(u32) -> (u32, u64),
    ) -> Result<(), &'static str> {
        let node = &self.nodes[node];
        for (i, &head) in node.heads.iter().enumerate() {
            let (sum, len) = match head {
                NONE | 0..NODE => {
                    let len = if level + 1 < LEVELS { chain(chains, head).count() } else { 0 };
                    (chain(chains, head).fold(0_u64, |sum, slot| sum.wrapping_add(of(slot).1)), len)
                }
                inner => {
                    let inner = (inner - NODE) as usize;
                    self.check_node(chains, inner, level + 1, of)?;
                    (self.nodes[inner].sums.iter().fold(0_u64, |a, b| a.wrapping_add(*b)), 0)
                }
            };
            if sum != node.sums[i] {
                return Err("a child's sum is not that of what is below it");
            }
            if len != usize::from(node.lens[i]) {
                return Err("a chain is not as long as it is said to be");
            }
        }
        Ok(())
    }
}

/// The slots of a chain. What begins at a node is none.
fn chain(chains: &impl Chains, head: u32) -> impl Iterator<Item = u32> {
    let next = |&slot: &u32| Some(chains.next(slot)).filter(|&n| n != NONE);
    core::iter::successors(Some(head).filter(|&h| h < NODE), next)
}

/// A chain is in no order: a newcomer need not look at the others.
fn visit_chain(
    chains: &impl Chains,
    head: u32,
    (from, to): (u32, u32),
    key_of: &impl Fn(u32) -> u32,
    see: &mut impl FnMut(u32, u32) -> bool,
) -> bool {
    let keyed = chain(chains, head).map(|slot| (key_of(slot), slot));
    let mut slots: SmallVec<[(u32, u32); CHAIN_MAX]> = keyed.filter(|(key, _)| (from..to).contains(key)).collect();
    slots.sort_unstable();
    slots.into_iter().all(|(key, slot)| see(slot, key))
}

#[cfg(any(test, feature = "fuzzing"))]
impl Chains for Vec<u32> {
    fn next(&self, slot: u32) -> u32 {
        self[slot as usize]
    }

    fn set_next(&mut self, slot: u32, next: u32) {
        self[slot as usize] = next;
    }
}

#[cfg(test)]
mod tests;
