//! The rows of a view: a persistent table by id.
//!
//! A radix trie over the hashed id. Its leaves hold up to [`LEAF_MAX`] rows, its branches [`FANOUT`] children. A clone
//! shares everything; a change copies the leaf it touches and the branches above it, where somebody else still looks at
//! them, and nothing where nobody does. So publishing costs by the change, whatever the size of the cluster.
//!
//! Invariants: a row lies on the path of its hash, no child of a branch is empty, a branch counts its rows, and a branch
//! has more than [`LEAF_MIN`] of them. The hash is a bijection, so the last of its 32 levels tells any two ids apart:
//! ids chosen to fall into the same place make the path longer, but never longer than that.

use std::sync::Arc;
use std::{mem, slice};

use swim_core::NodeId;

use crate::view::MemberView;

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    root: Arc<Chunk>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Chunk {
    Leaf(Vec<MemberView>),
    Branch { rows: usize, children: [Option<Arc<Self>>; FANOUT] },
}

impl Rows {
    /// Puts the row in, in place of the one with its id, which is returned.
    pub(crate) fn insert(&mut self, row: MemberView) -> Option<MemberView> {
        let former = Chunk::insert(&mut self.root, Path::of(row.id()), row);
        self.len += usize::from(former.is_none());
        former
    }

    pub(crate) fn remove(&mut self, id: NodeId) -> Option<MemberView> {
        // Looked up first: a removal that finds nothing must not copy the path to nothing.
        self.get(id)?;
        let row = Chunk::remove(&mut self.root, Path::of(id), id);
        self.len -= usize::from(row.is_some());
        row
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&MemberView> {
        self.root.find(Path::of(id), id)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Calls for every row that may not be the same in both: then and now. What both share is passed over, so it costs by
    /// the change.
    pub(crate) fn differing<'a>(&'a self, now: &'a Self, tell: &mut Pair<'_, 'a>) {
        Chunk::differing(Some(&self.root), Some(&now.root), 0, tell);
    }

    pub(crate) fn iter(&self) -> Iter<'_> {
        self.root.iter(self.len)
    }
}

/// What is told of a row that may not be the same: then and now.
type Pair<'f, 'a> = dyn FnMut(Option<&'a MemberView>, Option<&'a MemberView>) + 'f;

impl Default for Chunk {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

impl Chunk {
    fn insert(this: &mut Arc<Self>, path: Path, row: MemberView) -> Option<MemberView> {
        let chunk = Arc::make_mut(this);
        if let Self::Leaf(rows) = chunk {
            if let Some(place) = rows.iter_mut().find(|r| r.id() == row.id()) {
                return Some(mem::replace(place, row));
            }
            if rows.len() < LEAF_MAX {
                rows.push(row);
                return None;
            }
            *chunk = Self::split(mem::take(rows), path.depth);
        }
        let Self::Branch { rows, children } = chunk else { unreachable!("a full leaf has just become a branch") };
        let (slot, path) = path.step();
        let former = Self::insert(children[slot].get_or_insert_default(), path, row);
        *rows += usize::from(former.is_none());
        former
    }

    fn split(full: Vec<MemberView>, depth: u32) -> Self {
        let rows = full.len();
        let mut leaves: [Vec<MemberView>; FANOUT] = Default::default();
        for row in full {
            let (slot, _) = Path { depth, ..Path::of(row.id()) }.step();
            leaves[slot].push(row);
        }
        let children = leaves.map(|leaf| if leaf.is_empty() { None } else { Some(Arc::new(Self::Leaf(leaf))) });
        Self::Branch { rows, children }
    }

    fn remove(this: &mut Arc<Self>, path: Path, id: NodeId) -> Option<MemberView> {
        let chunk = Arc::make_mut(this);
        match chunk {
            Self::Leaf(rows) => {
                let at = rows.iter().position(|row| row.id() == id)?;
                Some(rows.swap_remove(at))
            }
            Self::Branch { rows, children } => {
                let (slot, path) = path.step();
                let child = children[slot].as_mut()?;
                let row = Self::remove(child, path, id)?;
                if child.is_empty() {
                    children[slot] = None;
                }
                *rows -= 1;
                if *rows <= LEAF_MIN {
                    let rows = *rows;
                    *chunk = chunk.gather(rows);
                }
                Some(row)
            }
        }
    }

    /// All rows below, as one leaf.
    fn gather(&self, rows: usize) -> Self {
        Self::Leaf(self.iter(rows).cloned().collect())
    }

    fn find(&self, mut path: Path, id: NodeId) -> Option<&MemberView> {
        let mut chunk = self;
        loop {
            match chunk {
                Self::Leaf(rows) => return rows.iter().find(|row| row.id() == id),
                Self::Branch { children, .. } => {
                    let slot;
                    (slot, path) = path.step();
                    chunk = children[slot].as_deref()?;
                }
            }
        }
    }

    /// All rows below, which are so many.
    fn iter(&self, rows: usize) -> Iter<'_> {
        let mut iter = Iter { leaf: [].iter(), branches: Vec::new(), left: rows };
        iter.enter(self);
        iter
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(rows) => rows.len(),
            Self::Branch { rows, .. } => *rows,
        }
    }

    /// Both are at this depth, on the same path.
    fn differing<'a>(then: Option<&'a Arc<Self>>, now: Option<&'a Arc<Self>>, depth: u32, tell: &mut Pair<'_, 'a>) {
        let (then, now) = match (then, now) {
            (None, None) => return,
            (Some(then), None) => return then.iter(then.len()).for_each(|row| tell(Some(row), None)),
            (None, Some(now)) => return now.iter(now.len()).for_each(|row| tell(None, Some(row))),
            (Some(then), Some(now)) if Arc::ptr_eq(then, now) => return,
            (Some(then), Some(now)) => (&**then, &**now),
        };
        if let (Self::Branch { children: then, .. }, Self::Branch { children: now, .. }) = (then, now) {
            let both = then.iter().zip(now);
            return both.for_each(|(then, now)| Self::differing(then.as_ref(), now.as_ref(), depth + 1, tell));
        }
        // One of them is a leaf, of few rows.
        let at = |id: NodeId| Path { depth, ..Path::of(id) };
        then.iter(then.len()).for_each(|row| tell(Some(row), now.find(at(row.id()), row.id())));
        let new = now.iter(now.len()).filter(|row| then.find(at(row.id()), row.id()).is_none());
        new.for_each(|row| tell(None, Some(row)));
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Leaf(rows) if rows.is_empty())
    }
}

/// Where a row belongs: its hashed id, read from the top, two bits per level.
#[derive(Clone, Copy)]
struct Path {
    hash: u64,
    depth: u32,
}

impl Path {
    /// Multiplication by an odd number is a bijection of 64 bits; this one (2^64 over the golden ratio) spreads ids that
    /// count up, and leaves those spread that are hashes already.
    fn of(id: NodeId) -> Self {
        Self { hash: id.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15), depth: 0 }
    }

    fn step(self) -> (usize, Self) {
        debug_assert!(self.depth < LEVELS, "fewer than LEAF_MAX ids agree in all bits but the last {BITS}");
        let slot = (self.hash >> (u64::BITS - BITS * (self.depth + 1))) as usize % FANOUT;
        (slot, Self { depth: self.depth + 1, ..self })
    }
}

/// All rows, in an order that depends on nothing but the ids and the order in which they came.
#[derive(Clone)]
pub(crate) struct Iter<'a> {
    leaf: slice::Iter<'a, MemberView>,
    branches: Vec<slice::Iter<'a, Option<Arc<Chunk>>>>,
    left: usize,
}

impl<'a> Iter<'a> {
    fn enter(&mut self, chunk: &'a Chunk) {
        match chunk {
            Chunk::Leaf(rows) => self.leaf = rows.iter(),
            Chunk::Branch { children, .. } => self.branches.push(children.iter()),
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a MemberView;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.leaf.next() {
                self.left -= 1;
                return Some(row);
            }
            match self.branches.last_mut()?.next() {
                Some(Some(chunk)) => self.enter(chunk),
                Some(None) => {}
                None => drop(self.branches.pop()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Four children: a copied branch is small, and leaves stay filled to a quarter at least, half on average. (Sixteen
/// make paths half as long, but leaves of three rows at some sizes, and a change of 10 000 rows four times as dear.)
const BITS: u32 = 2;
const FANOUT: usize = 1 << BITS;
const LEVELS: u32 = u64::BITS / BITS;
/// Most rows in a leaf. On the last level ids differ in `BITS` bits only, so there a leaf can never be full.
const LEAF_MAX: usize = 16;
/// A branch with as few rows becomes a leaf again; half of the other, so that one row that comes and goes does not make
/// it change each time.
const LEAF_MIN: usize = 8;
const _: () = assert!(LEAF_MAX >= FANOUT && LEAF_MIN < LEAF_MAX && u64::BITS % BITS == 0);

#[cfg(test)]
mod tests;
