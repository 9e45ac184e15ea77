use std::collections::{BTreeMap, BTreeSet};

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;

impl Rows {
    /// Every invariant of the module, the slow way.
    fn check(&self) {
        assert_eq!(self.root.check(0, 0), self.len);
        assert_eq!(self.iter().len(), self.len);
        assert_eq!(self.iter().count(), self.len);
    }

    fn chunks(&self) -> Vec<Arc<Chunk>> {
        let mut found = vec![Arc::clone(&self.root)];
        let mut at = 0;
        while at < found.len() {
            if let Chunk::Branch { children, .. } = &*Arc::clone(&found[at]) {
                found.extend(children.iter().flatten().cloned());
            }
            at += 1;
        }
        found
    }
}

impl Chunk {
    fn check(&self, prefix: u64, depth: u32) -> usize {
        match self {
            Self::Leaf(rows) => {
                assert!(rows.len() <= LEAF_MAX && (depth == 0 || !rows.is_empty()));
                let shift = u64::BITS - BITS * depth;
                assert!(rows.iter().all(|r| Path::of(r.id()).hash.checked_shr(shift).unwrap_or(0) == prefix));
                assert_eq!(rows.iter().map(MemberView::id).collect::<BTreeSet<_>>().len(), rows.len());
                rows.len()
            }
            Self::Branch { rows, children } => {
                let below = |(slot, child): (usize, &Option<Arc<Self>>)| {
                    child.as_ref().map_or(0, |c| c.check(prefix << BITS | slot as u64, depth + 1))
                };
                assert_eq!(children.iter().enumerate().map(below).sum::<usize>(), *rows);
                assert!(*rows > LEAF_MIN);
                *rows
            }
        }
    }
}

/// The id with this hash.
fn id_of_hash(hash: u64) -> u64 {
    let odd = Path::of(NodeId::new(1)).hash;
    let mut inverse = odd; // Newton: right in the last three bits, then six, twelve, ...
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    hash.wrapping_mul(inverse)
}

/// Ids as they come: counted, hashed, and picked to fall into one place down to the last bit.
#[derive(Clone, Debug)]
struct Id(u64);

impl Arbitrary for Id {
    fn arbitrary(g: &mut Gen) -> Self {
        let small = u64::arbitrary(g) % 64;
        Self(match u8::arbitrary(g) % 4 {
            0 => small,
            1 => id_of_hash(small),
            2 => id_of_hash(small << 34),
            _ => swim_core::name_hash(&small.to_le_bytes()),
        })
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Id, u8),
    Remove(Id),
    Keep,
}

impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 16 {
            0 => Self::Keep,
            1..=9 => Self::Insert(Id::arbitrary(g), u8::arbitrary(g)),
            _ => Self::Remove(Id::arbitrary(g)),
        }
    }
}

/// Against the plain map; and what was kept stays as it was, whatever happens afterwards.
#[test]
fn rows_are_a_persistent_map() {
    type Model = BTreeMap<u64, MemberView>;
    fn same(rows: &Rows, model: &Model) -> bool {
        rows.check();
        let mut all: Vec<_> = rows.iter().collect();
        all.sort_by_key(|r| r.id());
        all.into_iter().eq(model.values()) && model.values().all(|r| rows.get(r.id()) == Some(r))
    }
    fn run(ops: Vec<Op>) -> bool {
        let (mut rows, mut model) = (Rows::default(), Model::new());
        let mut kept = Vec::new();
        let steps_agree = ops.into_iter().all(|op| match op {
            Op::Insert(Id(id), n) => {
                let row = MemberView::sample(id, n.into());
                rows.insert(row.clone()) == model.insert(id, row)
            }
            Op::Remove(Id(id)) => {
                rows.remove(NodeId::new(id)) == model.remove(&id) && rows.get(NodeId::new(id)).is_none()
            }
            Op::Keep => {
                kept.push((rows.clone(), model.clone()));
                true
            }
        });
        steps_agree && same(&rows, &model) && kept.iter().all(|(rows, model)| same(rows, model))
    }
    QuickCheck::new().rng(Gen::new(600)).tests(300).quickcheck(run as fn(Vec<Op>) -> bool);
}

#[test]
fn a_change_copies_its_path_and_nothing_else() {
    const N: u64 = 10_000;
    let mut rows = Rows::default();
    for id in 0..N {
        rows.insert(MemberView::sample(id, 0));
    }
    rows.check();
    let all = rows.chunks().len();
    assert!(all > 600, "{all} chunks");
    for id in (0..N).step_by(97) {
        let before = rows.clone();
        rows.insert(MemberView::sample(id, 1));
        let copied = before.chunks().iter().zip(rows.chunks()).filter(|(old, new)| !Arc::ptr_eq(old, new)).count();
        assert!((1..=9).contains(&copied), "{copied} of {all} chunks were copied");
        assert_eq!(before.get(NodeId::new(id)), Some(&MemberView::sample(id, 0)));
    }
}

#[test]
fn nothing_is_copied_where_nobody_looks() {
    let mut rows = Rows::default();
    for id in 0..1_000 {
        rows.insert(MemberView::sample(id, 0));
    }
    let at = |rows: &Rows| rows.chunks().iter().map(Arc::as_ptr).collect::<Vec<_>>();
    let before = at(&rows);
    for id in 0..1_000 {
        rows.insert(MemberView::sample(id, 1));
        assert!(rows.remove(NodeId::new(id + 5_000)).is_none());
    }
    assert_eq!(at(&rows), before);
}

/// Ids are chosen by whoever sends them.
#[test]
fn ids_that_fall_into_one_place_are_kept_apart() {
    let mut rows = Rows::default();
    for hash in 0..300 {
        assert!(rows.insert(MemberView::sample(id_of_hash(hash), 0)).is_none());
    }
    rows.check();
    assert!((0..300).all(|hash| rows.get(NodeId::new(id_of_hash(hash))).is_some()));
    for hash in 0..300 {
        assert!(rows.remove(NodeId::new(id_of_hash(hash))).is_some());
    }
    rows.check();
    assert_eq!((rows.len(), rows.chunks().len()), (0, 1), "nothing is left behind");
}

/// The difference is that of two maps, and what both share is not looked at.
#[test]
fn the_difference_costs_by_the_change() {
    fn holds(common: Vec<u16>, changes: Vec<(u16, bool)>) -> bool {
        // Ids that hash into one place make paths long.
        let id = |n: u16| if n % 3 == 0 { u64::from(n) << 48 } else { u64::from(n) };
        let mut then = Rows::default();
        common.iter().for_each(|&n| drop(then.insert(MemberView::sample(id(n), 0))));
        let mut now = then.clone();
        for &(n, put) in &changes {
            let n = id(n % 64 + common.first().copied().unwrap_or(0) / 2);
            if put { drop(now.insert(MemberView::sample(n, 1))) } else { drop(now.remove(NodeId::new(n))) }
        }
        let (mut told, mut differing) = (BTreeSet::new(), BTreeSet::new());
        then.differing(&now, &mut |before, after| {
            let id = before.or(after).expect("one of both is there").id();
            assert!(told.insert(id), "each is told once");
            assert_eq!((before, after), (then.get(id), now.get(id)));
            if before != after {
                differing.insert(id);
            }
        });
        let ids = then.iter().chain(now.iter()).map(MemberView::id);
        differing == ids.filter(|&id| then.get(id) != now.get(id)).collect()
    }
    QuickCheck::new().tests(200).quickcheck(holds as fn(Vec<u16>, Vec<(u16, bool)>) -> bool);
    let mut then = Rows::default();
    (0..10_000).for_each(|n| drop(then.insert(MemberView::sample(n, 0))));
    let mut now = then.clone();
    now.insert(MemberView::sample(77, 1));
    let mut told = 0;
    then.differing(&now, &mut |_, _| told += 1);
    assert!(told <= LEAF_MAX, "{told} rows for one that has changed");
}
