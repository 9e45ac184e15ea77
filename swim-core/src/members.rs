//! The table: one row per member, this node's own at slot 0, tombstones included, and every index over it.
//!
//! Decides nothing. Only `Node` writes, in `apply` and `change`; whatever changes a row goes through here, so that the indexes
//! (by id, by address, the round-robin, the view hash and its tree) cannot fall out of step. Map order never reaches the protocol.

mod check;
mod draw;
mod leaf;

use alloc::vec::Vec;
use core::ops::Index;

use serde::{Deserialize, Serialize};

use self::leaf::{key_of, leaf_of, live_hash, live_mark, row_value};
use crate::hash::{TableKey, mix64, mixed_tree_key, row_hash, short_hash, tree_key};
use crate::identity::{Addr, Profile};
use crate::rng::Rng;
use crate::status::{Incarnation, NodeId, State, Status};
use crate::storage::{FAN, Index as SlotIndex, Order, Radix, SLOTS_MAX, Slab, make_room};
use crate::wire::Item;

/// This node's own slot.
pub(crate) const ME: u32 = 0;

/// Most live members at one address. Several ids behind one address are legal (a port forwarder), a table full of them
/// is an attack on the index.
const ALIASES_MAX: usize = 64;

const _: () = assert!(size_of::<Row>() == 64, "a row is a cache line");

/// What is known of one member: on one cache line, since nearly all that is heard of a member needs a look at it.
#[repr(align(64))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: NodeId,
    pub(crate) status: Status,
    /// The incarnation that wrote address and profile: a second max-register beside `status`.
    pub(crate) detail_at: Incarnation,
    pub(crate) addr: Addr,
    /// The slot of the next row in its chain of the tree, in what would else be left of the cache line.
    #[serde(skip)]
    pub(crate) next: u32,
    pub(crate) profile: Profile,
}

/// Why a newcomer was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Address,
    /// Too many ids have its place in the tree.
    Crowd,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Members {
    rows: Slab<Row>,
    rows_max: usize,
    /// Live members but this node, in probe order.
    order: Order,
    #[serde(skip)]
    by_id: SlotIndex,
    /// Live members but this node.
    #[serde(skip)]
    by_addr: SlotIndex,
    /// Not written: whoever knows it can choose ids that all have one place.
    #[serde(skip)]
    key: TableKey,
    /// Live members whose address another live member has, too, counted so that 0 means all addresses are distinct.
    shared: usize,
    /// The sum over all live rows.
    view_hash: u64,
    /// By slot: the mark of the member's application data, 0 where there is none. Empty until there is any.
    marks: Vec<u64>,
    /// The sum over the marks of all live rows.
    app_sum: u64,
    /// All rows, the dead at zero, so that a death and a return move nothing. It sums rows and marks together, so that one
    /// comparison finds what differs in either.
    #[serde(skip)]
    tree: Radix,
}

impl Index<u32> for Members {
    type Output = Row;

    fn index(&self, slot: u32) -> &Row {
        self.rows.get(slot).expect("slots come from this table's own indexes, which drop a slot with its row")
    }
}

impl Members {
    pub(crate) fn new(me: Row, rows_max: usize, reserved: usize, key: TableKey) -> Self {
        let mut m = Self {
            rows: Slab::new(reserved),
            rows_max,
            order: Order::new(),
            by_id: SlotIndex::with_capacity(reserved),
            by_addr: SlotIndex::with_capacity(reserved),
            key,
            shared: 0,
            view_hash: 0,
            marks: Vec::new(),
            app_sum: 0,
            tree: Radix::default(),
        };
        m.order.grow(reserved.max(1));
        let hash = key.hash(me.id.as_u64());
        let slot = m.rows.insert(me);
        debug_assert_eq!(slot, ME);
        m.by_id.insert(slot, |_| hash);
        m.tree.grow(reserved.max(1));
        m.plant(ME);
        m.view_hash = row_value(&m.rows, ME);
        m
    }

    /// Builds the tables that are not serialised.
    pub(crate) fn rebuild(&mut self) -> Result<(), &'static str> {
        ensure(self.rows.get(ME).is_some(), "slot 0 is this node's own")?;
        self.order.grow(self.rows.slots());
        self.tree = Radix::default();
        self.tree.grow(self.rows.slots());
        let slots: Vec<u32> = self.rows.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if self.is_crowded(self[slot].id) {
                return Err("too many ids in one place of the tree");
            }
            self.plant(slot);
        }
        self.place_by(self.key);
        Ok(())
    }

    /// Builds the indexes with this key. Nothing that is decided depends on it.
    pub(crate) fn place_by(&mut self, key: TableKey) {
        self.key = key;
        self.by_id = SlotIndex::with_capacity(self.rows.len().max(self.by_id.len()));
        self.by_addr = SlotIndex::with_capacity(self.order.len().max(self.by_addr.len()));
        let rows = &self.rows;
        for (slot, row) in rows.iter() {
            self.by_id.insert(slot, |s| id_hash(rows, key, s));
            if row.status.is_live() && slot != ME {
                self.by_addr.insert(slot, |s| slot_addr_hash(rows, key, s));
            }
        }
    }

    // --- reading

    /// Rows, this node's own and tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Slots ever used.
    pub(crate) fn slots(&self) -> usize {
        self.rows.slots()
    }

    /// Live members but this node.
    pub(crate) fn peers(&self) -> usize {
        self.order.len()
    }

    /// Live members, this node included while it is one.
    pub(crate) fn live(&self) -> usize {
        self.order.len() + usize::from(self[ME].status.is_live())
    }

    pub(crate) fn view_hash(&self) -> u64 {
        self.view_hash
    }

    /// What all live members' application data adds up to, in 32 bits: 0 when nobody has any, and then only.
    pub(crate) fn app_hash(&self) -> u32 {
        match self.app_sum {
            0 => 0,
            sum => short_hash(sum, 0).max(1),
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Row> {
        self.rows.get(slot)
    }

    /// This node's own row: `new` puts it there, `rebuild` asks for it, and nothing takes it away.
    #[inline]
    pub(crate) fn me(&self) -> &Row {
        &self[ME]
    }

    /// The row at a slot that one of this node's indexes has. There always is one; were it ever missing, a debug build would
    /// say so, and any other go on without, since what a datagram says must not end in a panic.
    #[inline]
    pub(crate) fn row(&self, slot: u32) -> Option<&Row> {
        let row = self.rows.get(slot);
        debug_assert!(row.is_some(), "a slot without a row");
        row
    }

    /// The row of this member, and its slot.
    #[inline]
    pub(crate) fn find_row(&self, id: NodeId) -> Option<(u32, &Row)> {
        self.find(id).and_then(|slot| Some((slot, self.row(slot)?)))
    }

    /// The row of this member, and its slot, when it is there.
    #[inline]
    pub(crate) fn row_at(&self, slot: u32, id: NodeId) -> Option<(u32, &Row)> {
        self.rows.get(slot).filter(|row| row.id == id).map(|row| (slot, row))
    }

    /// Is this slot a live member's?
    #[inline]
    pub(crate) fn is_live_at(&self, slot: u32) -> bool {
        self.row(slot).is_some_and(|row| row.status.is_live())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.rows.iter()
    }

    #[inline]
    pub(crate) fn find(&self, id: NodeId) -> Option<u32> {
        self.by_id.find(self.key.hash(id.as_u64()), |s| self[s].id == id)
    }

    /// Is this member known and live?
    pub(crate) fn is_live(&self, id: NodeId) -> bool {
        self.find(id).is_some_and(|slot| self.is_live_at(slot))
    }

    /// Live members but this node at this address.
    pub(crate) fn aliases(&self, addr: Addr) -> usize {
        self.by_addr.count(addr_hash(self.key, addr), |s| self[s].addr == addr)
    }

    /// Is this address of a live member another's, too? Where all addresses are distinct, nothing has to be looked up.
    pub(crate) fn shares_addr(&self, addr: Addr) -> bool {
        self.shared > 0 && self.aliases(addr) > 1
    }

    /// May another live member have this address?
    pub(crate) fn has_place_at(&self, addr: Addr) -> bool {
        self.aliases(addr) < ALIASES_MAX
    }

    /// The sums of the hashes of the live rows under the 64 children of a node of the tree.
    pub(crate) fn sums(&self, level: u32, prefix: u32) -> [u64; FAN] {
        self.tree.sums(&self.rows, level, prefix, |slot| leaf_of(&self.rows, &self.marks, slot))
    }

    /// Shows the live rows with keys in `[from, to)`, this node's own included, by their keys, until `see` returns `false`;
    /// tells whether it saw all. No key at which it stopped was seen in vain: what is left begins there.
    pub(crate) fn visit_live(&self, from: u32, to: u32, mut see: impl FnMut(u32, u32) -> bool) -> bool {
        self.tree.visit(
            &self.rows,
            (from, to),
            |slot| key_of(&self.rows, slot),
            |slot, key| !self[slot].status.is_live() || see(slot, key),
        )
    }

    /// Have too many ids the place in the tree that this one has?
    fn is_crowded(&self, id: NodeId) -> bool {
        self.tree.is_crowded(&self.rows, tree_key(id.as_u64()), |slot| key_of(&self.rows, slot))
    }

    /// What a live row adds to the view hash; a dead one nothing.
    pub(crate) fn row_value(&self, slot: u32) -> u64 {
        row_value(&self.rows, slot)
    }

    /// The mark of a live member's application data; a dead one's is 0.
    pub(crate) fn mark(&self, slot: u32) -> u64 {
        live_mark(&self.rows, &self.marks, slot)
    }

    /// The mark of a row, live or not.
    pub(crate) fn raw_mark(&self, slot: u32) -> u64 {
        self.marks.get(slot as usize).copied().unwrap_or(0)
    }

    /// How many rows are taken at most.
    pub(crate) fn rows_max(&self) -> usize {
        self.rows_max
    }

    // --- writing

    /// Takes a newcomer in. Its id must not be known.
    pub(crate) fn admit(&mut self, row: Row, rng: &mut Rng) -> Result<u32, Refusal> {
        debug_assert!(self.find(row.id).is_none());
        if self.rows.len() >= self.rows_max.min(SLOTS_MAX as usize) {
            return Err(Refusal::Full);
        }
        let live = row.status.is_live();
        let aliases = if live { self.aliases(row.addr) } else { 0 };
        if aliases >= ALIASES_MAX {
            return Err(Refusal::Address);
        }
        if self.is_crowded(row.id) {
            return Err(Refusal::Crowd);
        }
        let slot = self.rows.insert(row);
        let (rows, key) = (&self.rows, self.key);
        self.by_id.insert(slot, |s| id_hash(rows, key, s));
        self.order.grow(self.rows.slots());
        self.tree.grow(self.rows.slots());
        self.plant(slot);
        if live {
            self.view_hash = self.view_hash.wrapping_add(self.row_value(slot));
            self.enlist(slot, aliases, rng);
        }
        Ok(slot)
    }

    fn plant(&mut self, slot: u32) {
        let (leaf, marks) = (leaf_of(&self.rows, &self.marks, slot), &self.marks);
        self.tree.insert(&mut self.rows, slot, leaf, |rows, s| leaf_of(rows, marks, s));
    }

    /// Drops a row that is not live, with every trace of it.
    pub(crate) fn forget(&mut self, slot: u32) {
        debug_assert!(slot != ME && !self[slot].status.is_live());
        let hash = self.key.hash(self[slot].id.as_u64());
        self.by_id.remove(slot, hash);
        self.set_mark(slot, 0);
        let key = key_of(&self.rows, slot);
        self.tree.remove(&mut self.rows, slot, (key, 0));
        self.rows.remove(slot);
    }

    /// A live row stays live, with another status.
    #[inline]
    pub(crate) fn raise(&mut self, slot: u32, status: Status) {
        let Some(row) = self.rows.get_mut(slot) else { return };
        let old = core::mem::replace(&mut row.status, status);
        debug_assert!(old.is_live() && status.is_live());
        let (mixed, at) = (mix64(row.id.as_u64()), row.detail_at.as_u64());
        let hash = |status: Status| row_hash(mixed, status.incarnation().as_u64(), at);
        let delta = hash(status).wrapping_sub(hash(old));
        self.view_hash = self.view_hash.wrapping_add(delta);
        self.tree.add(mixed_tree_key(mixed), delta);
    }

    pub(crate) fn set_status(&mut self, slot: u32, status: Status, rng: &mut Rng) {
        let Some(row) = self.rows.get_mut(slot) else { return };
        let old = core::mem::replace(&mut row.status, status);
        let (mixed, at) = (mix64(row.id.as_u64()), row.detail_at);
        let mut delta = live_hash(mixed, status, at).wrapping_sub(live_hash(mixed, old, at));
        self.view_hash = self.view_hash.wrapping_add(delta);
        if old.is_live() != status.is_live() {
            let mark = self.raw_mark(slot);
            let mark = if status.is_live() { mark } else { mark.wrapping_neg() };
            self.app_sum = self.app_sum.wrapping_add(mark);
            delta = delta.wrapping_add(mark);
            if status.is_live() {
                self.enlist(slot, self.aliases(self[slot].addr), rng);
            } else {
                self.discharge(slot);
            }
        }
        if delta != 0 {
            self.tree.add(mixed_tree_key(mixed), delta);
        }
    }

    /// Makes the view hash wrong.
    #[cfg(swim_mutations)]
    pub(crate) fn set_view_hash(&mut self, hash: u64) {
        self.view_hash = hash;
    }

    /// What this member's application data is, in one number: equal at two nodes that hold the same of it. 0 is nothing.
    pub(crate) fn set_mark(&mut self, slot: u32, mark: u64) {
        if mark == self.marks.get(slot as usize).copied().unwrap_or(0) {
            return;
        }
        let before = (self.row_value(slot), self.mark(slot));
        if self.marks.len() <= slot as usize {
            make_room(&mut self.marks, self.rows.slots());
            self.marks.resize(self.rows.slots(), 0);
        }
        self.marks[slot as usize] = mark;
        self.on_changed(slot, before);
    }

    /// A row added `before` to the sums of rows and marks, and may now add something else.
    fn on_changed(&mut self, slot: u32, before: (u64, u64)) {
        let row = self.row_value(slot).wrapping_sub(before.0);
        let mark = self.mark(slot).wrapping_sub(before.1);
        self.view_hash = self.view_hash.wrapping_add(row);
        self.app_sum = self.app_sum.wrapping_add(mark);
        if row != 0 || mark != 0 {
            self.tree.add(key_of(&self.rows, slot), row.wrapping_add(mark));
        }
    }

    /// Writes address and profile as of `at`. Refused when too many live members share the new address.
    pub(crate) fn set_detail(
        &mut self,
        slot: u32,
        at: Incarnation,
        addr: Addr,
        profile: Profile,
    ) -> Result<(), Refusal> {
        let (old, live) = (self[slot].addr, self[slot].status.is_live());
        let moves = old != addr && live && slot != ME;
        if moves && !self.has_place_at(addr) {
            return Err(Refusal::Address);
        }
        if moves {
            self.unlist_addr(slot);
        }
        let before = (self.row_value(slot), self.mark(slot));
        if let Some(row) = self.rows.get_mut(slot) {
            (row.detail_at, row.addr, row.profile) = (at, addr, profile);
        }
        self.on_changed(slot, before);
        if moves {
            self.list_addr(slot, self.aliases(addr));
        }
        Ok(())
    }

    /// Rewrites what members say about themselves. Not a change of theirs: nothing is told.
    pub(crate) fn map_profiles<E>(&mut self, mut map: impl FnMut(&Profile) -> Result<Profile, E>) -> Result<(), E> {
        for slot in 0..self.rows.slots() as u32 {
            if let Some(row) = self.rows.get_mut(slot) {
                row.profile = map(&row.profile)?;
            }
        }
        Ok(())
    }

    /// A row becomes live, at whose address so many others are.
    fn enlist(&mut self, slot: u32, aliases: usize, rng: &mut Rng) {
        if slot != ME {
            self.order.insert(slot, rng);
            self.list_addr(slot, aliases);
        }
    }

    fn discharge(&mut self, slot: u32) {
        if slot != ME {
            self.order.remove(slot);
            self.unlist_addr(slot);
        }
    }

    fn list_addr(&mut self, slot: u32, aliases: usize) {
        self.shared += usize::from(aliases > 0);
        let (rows, key) = (&self.rows, self.key);
        self.by_addr.insert(slot, |s| slot_addr_hash(rows, key, s));
    }

    fn unlist_addr(&mut self, slot: u32) {
        let addr = self[slot].addr;
        self.by_addr.remove(slot, addr_hash(self.key, addr));
        self.shared -= usize::from(self.aliases(addr) > 0);
    }
}

pub(crate) fn ensure(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

fn addr_hash(key: TableKey, addr: Addr) -> u64 {
    let (a, b) = addr.words();
    key.hash2(a, b)
}

/// The hash of an entry that a table asks for when it grows; a slot without a row cannot be in a table.
fn id_hash(rows: &Slab<Row>, key: TableKey, slot: u32) -> u64 {
    rows.get(slot).map_or(0, |r| key.hash(r.id.as_u64()))
}

fn slot_addr_hash(rows: &Slab<Row>, key: TableKey, slot: u32) -> u64 {
    rows.get(slot).map_or(0, |r| addr_hash(key, r.addr))
}

impl Row {
    pub(crate) fn state(&self) -> State {
        self.status.state()
    }

    /// Does the item say at the same incarnation another address or profile? Then two lives of the member share it.
    pub(crate) fn contradicts(&self, item: &Item<'_>) -> bool {
        item.detail().is_some_and(|d| {
            let same =
                Addr::from(d.addr) == self.addr && d.name == self.profile.name() && d.meta == self.profile.meta();
            d.at == self.detail_at && !same
        })
    }
}
