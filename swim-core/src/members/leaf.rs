//! What the tree has of a row: its place, what it adds there, and the next one of its chain.

use super::Row;
use crate::hash::{mix64, mixed_tree_key, row_hash, tree_key};
use crate::status::{Incarnation, Status};
use crate::storage::{Chains, NONE, Slab};

impl Chains for Slab<Row> {
    #[inline]
    fn next(&self, slot: u32) -> u32 {
        self.get(slot).map_or(NONE, |row| row.next)
    }

    #[inline]
    fn set_next(&mut self, slot: u32, next: u32) {
        if let Some(row) = self.get_mut(slot) {
            row.next = next;
        }
    }
}

/// A row's place in the tree, and what it adds there: its own hash and its mark.
pub(super) fn leaf_of(rows: &Slab<Row>, marks: &[u64], slot: u32) -> (u32, u64) {
    let Some(row) = rows.get(slot) else { return (0, 0) };
    let mixed = mix64(row.id.as_u64());
    let value = live_hash(mixed, row.status, row.detail_at).wrapping_add(live_mark(rows, marks, slot));
    (mixed_tree_key(mixed), value)
}

pub(super) fn key_of(rows: &Slab<Row>, slot: u32) -> u32 {
    rows.get(slot).map_or(0, |row| tree_key(row.id.as_u64()))
}

pub(super) fn live_mark(rows: &Slab<Row>, marks: &[u64], slot: u32) -> u64 {
    let mark = marks.get(slot as usize).copied().unwrap_or(0);
    if mark != 0 && rows.get(slot).is_some_and(|r| r.status.is_live()) { mark } else { 0 }
}

/// What a live row adds to the view hash. A slot without a row adds nothing.
pub(super) fn row_value(rows: &Slab<Row>, slot: u32) -> u64 {
    rows.get(slot).map_or(0, |row| live_hash(mix64(row.id.as_u64()), row.status, row.detail_at))
}

/// What a row adds to the view hash whose id was mixed: nothing unless it is live.
#[inline]
pub(super) fn live_hash(mixed_id: u64, status: Status, detail_at: Incarnation) -> u64 {
    if status.is_live() { row_hash(mixed_id, status.incarnation().as_u64(), detail_at.as_u64()) } else { 0 }
}
