//! The owner's map against a naive one.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::*;

const LIVE: usize = 100;
const TOMBSTONES: usize = 60;

/// What an owner's map means: for each key that can be read its value, its end, and the version that wrote it.
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, (Vec<u8>, Instant, u32)>,
    /// Version, when it goes, and bytes: oldest first.
    tombstones: BTreeMap<String, (u32, Instant)>,
    version: u32,
    gc: u32,
}

impl Model {
    fn put(&mut self, key: &str, value: &[u8], ends: Instant) -> Written {
        let same = |e: &(Vec<u8>, Instant, u32)| e.0 == value && e.1 == Instant::NEVER && ends == Instant::NEVER;
        if self.entries.get(key).is_some_and(same) {
            return Written::Same;
        }
        let mut after = self.entries.clone();
        after.insert(key.to_string(), (value.to_vec(), ends, self.version + 1));
        if after.iter().map(|(k, e)| k.len() + e.0.len() + Config::ENTRY_COST).sum::<usize>() > LIVE {
            return Written::Full;
        }
        (self.entries, self.version) = (after, self.version + 1);
        self.tombstones.remove(key);
        Written::Changed
    }

    fn delete(&mut self, key: &str, purge_at: Instant) -> Written {
        if self.entries.remove(key).is_none() {
            return Written::Same;
        }
        self.version += 1;
        self.tombstones.insert(key.to_string(), (self.version, purge_at));
        self.purge_beyond();
        Written::Changed
    }

    fn purge_beyond(&mut self) {
        while self.tombstones.keys().map(|k| k.len() + 16).sum::<usize>() > TOMBSTONES {
            let oldest = self.tombstones.iter().min_by_key(|(_, t)| t.0).map(|(k, _)| k.clone()).unwrap();
            self.purge(&oldest);
        }
    }

    fn purge(&mut self, key: &str) {
        self.gc = self.gc.max(self.tombstones.remove(key).unwrap().0);
    }

    fn on_due(&mut self, now: Instant, purge_at: Instant) -> bool {
        let over: Vec<String> = self.tombstones.iter().filter(|t| t.1.1 <= now).map(|t| t.0.clone()).collect();
        over.iter().for_each(|key| self.purge(key));
        let mut over: Vec<(u32, String)> =
            self.entries.iter().filter(|e| e.1.1 <= now).map(|(k, e)| (e.2, k.clone())).collect();
        over.sort_unstable();
        for (_, key) in &over {
            self.entries.remove(key);
            self.version += 1;
            self.tombstones.insert(key.clone(), (self.version, purge_at));
        }
        self.purge_beyond();
        !over.is_empty()
    }

    fn is(&self, k: &Keyspace) -> bool {
        let mut entries: Vec<(&str, &[u8], u32)> =
            self.entries.iter().map(|(key, e)| (key.as_str(), e.0.as_slice(), e.2)).collect();
        entries.sort_unstable_by_key(|e| e.2);
        let by_key = |(key, value, version): &(&str, &[u8], u32)| {
            k.get(key).is_some_and(|e| (e.value, e.version) == (*value, *version))
        };
        let ends = self.entries.values().map(|e| e.1).chain(self.tombstones.values().map(|t| t.1)).min();
        entries == shown(k)
            && entries.iter().all(by_key)
            && self.tombstones.keys().all(|key| k.get(key).is_none())
            && k.live_bytes() == entries.iter().map(|e| e.0.len() + e.1.len()).sum::<usize>()
            && k.next_expiry() == ends.unwrap_or(Instant::NEVER)
            && (k.version(), k.gc()) == (self.version, self.gc)
    }
}

#[test]
fn like_a_map_with_versions() {
    fn holds(ops: Vec<(u8, u8, u8)>) -> bool {
        let (mut k, mut model, mut now) = (Keyspace::default(), Model::default(), 0);
        for (op, x, y) in ops {
            let key = ["a", "b", "cc", "ddd", "é", "ff"][usize::from(x % 6)];
            let value = vec![y % 3; usize::from(y % 13)];
            let same = match op % 8 {
                0..=3 => {
                    let ends = if op & 8 == 0 { Instant::NEVER } else { at(now + u64::from(x % 16)) };
                    let expires = Some(ends).filter(|_| op & 8 != 0);
                    k.put(key, &value, expires, LIVE) == model.put(key, &value, ends)
                }
                4 | 5 => {
                    let purge_at = at(now + u64::from(y));
                    k.delete(key, purge_at, TOMBSTONES) == model.delete(key, purge_at)
                }
                _ => {
                    now += u64::from(x % 32);
                    let purge_at = at(now + 20);
                    k.on_due(at(now), Some((purge_at, TOMBSTONES))) == model.on_due(at(now), purge_at)
                }
            };
            // With all its tombstones, which are more here than half of what can be read.
            if !same || !model.is(&k) || k.check(LIVE + TOMBSTONES).is_err() {
                return false;
            }
        }
        true
    }
    QuickCheck::new().tests(crate::cases(2_000)).quickcheck(holds as fn(Vec<(u8, u8, u8)>) -> bool);
}
