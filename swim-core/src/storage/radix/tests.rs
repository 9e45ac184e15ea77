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

fn check_reads(tree: &Radix, chains: &Vec<u32>, model: &BTreeMap<(u32, u32), u64>, at: u32) {
    let of = |slot: u32| model.iter().find(|((_, s), _)| *s == slot).map_or((0, 0), |((key, _), v)| (*key, *v));
    tree.check(chains, model.keys().map(|&(_, slot)| slot), of).unwrap();
    for level in 0..LEVELS {
        let prefix = at >> (KEY_BITS - level * BITS);
        let sums = tree.sums(chains, level, prefix, of);
        for (i, sum) in sums.into_iter().enumerate() {
            let (from, to) = range_of(level + 1, prefix << BITS | i as u32);
            let want = model.range((from, 0)..(to, 0)).fold(0_u64, |a, (_, v)| a.wrapping_add(*v));
            assert_eq!(sum, want, "level {level}, child {i}");
        }
    }
    let (from, to) = (at.saturating_sub(5_000), at.saturating_add(1 << 24).min(KEY_END));
    let mut seen = Vec::new();
    let see = |slot, key| {
        seen.push((key, slot));
        true
    };
    tree.visit(chains, (from, to), |slot| of(slot).0, see);
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
        let mut chains = alloc::vec![NONE; SLOTS as usize];
        // Enough of them at first that chains are split.
        let many = (0..300).map(|s| (s, u64::from(s) * 77, 0_u8));
        for (slot, v, op) in many.chain(ops.iter().copied()) {
            let slot = u32::from(slot) % SLOTS;
            let key = key_of(slot, spread);
            match (model.get(&(key, slot)).copied(), op % 3) {
                (None, _) => {
                    model.insert((key, slot), v);
                    let value = |s: u32| model.get(&(key_of(s, spread), s)).copied().unwrap_or(0);
                    tree.insert(&mut chains, slot, (key, v), |_, s| (key_of(s, spread), value(s)));
                }
                (Some(old), 0) => {
                    tree.add(key, v.wrapping_sub(old));
                    model.insert((key, slot), v);
                }
                (Some(old), _) => {
                    tree.remove(&mut chains, slot, (key, old));
                    model.remove(&(key, slot));
                }
            }
        }
        check_reads(&tree, &chains, &model, key_of(u32::from(ops[0].0) % SLOTS, spread));
        TestResult::passed()
    }
}

#[test]
fn one_key_is_crowded_at_last() {
    let mut tree = Radix::default();
    tree.grow(300);
    let mut chains = alloc::vec![NONE; 300];
    let mut slot = 0;
    while !tree.is_crowded(&chains, 5, |_| 5) {
        tree.insert(&mut chains, slot, (5, 1), |_, _| (5, 1));
        slot += 1;
    }
    assert_eq!(slot as usize, CROWD_MAX);
    assert!(!tree.is_crowded(&chains, KEY_END - 1, |_| 5));
    assert_eq!(tree.total(), CROWD_MAX as u64);
}

#[test]
fn what_comes_and_goes_leaves_nothing() {
    let mut tree = Radix::default();
    tree.grow(70);
    let mut chains = alloc::vec![NONE; 70];
    for round in 0..1000_u32 {
        let base = (round * 65_521 * 4) & (KEY_END - 1) & !63;
        for slot in 0..70 {
            tree.insert(&mut chains, slot, (base | (slot % 64), 1), |_, s| (base | (s % 64), 1));
        }
        for slot in 0..70 {
            tree.remove(&mut chains, slot, (base | (slot % 64), 1));
        }
    }
    assert!(tree.nodes.len() <= 1 + LEVELS as usize, "{}", tree.nodes.len());
}
