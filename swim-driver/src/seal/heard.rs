//! Which keys others seal with, so that nobody is cut off when one is removed.

use std::time::Duration;

use serde::{Serialize, Serializer};
use swim_core::Instant;

use super::cipher::parts;
use super::key::{KeyId, Keyring};
use super::peers::Peers;

/// How many sessions of others a node has heard in the last ten seconds, by the key that they seal with, looked at once a second.
/// A member has one; for ten seconds it counts twice when it has begun another.
///
/// A member does not speak to every other in that time, but to some: a key is out of use when no member has heard it for so long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysHeard([Option<(KeyId, u64)>; Keyring::MAX]);

impl KeysHeard {
    /// Each key of the ring, in the order in which they were added, and how many sessions were heard of it, perhaps none. Nothing
    /// when the node has no keyring.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, u64)> {
        self.0.into_iter().flatten()
    }

    /// How many sessions were heard that are sealed with this key.
    pub fn of(&self, key: KeyId) -> u64 {
        self.iter().find(|heard| heard.0 == key).map_or(0, |heard| heard.1)
    }

    pub(super) fn count(now: Instant, ring: &Keyring, peers: &Peers) -> Self {
        let mut all = Self::default();
        all.0.iter_mut().zip(ring.ids()).for_each(|(heard, key)| *heard = Some((key, 0)));
        for (peer, _) in peers.iter().filter(|&(_, heard)| now.since(heard) <= LATELY) {
            let key = parts(peer).0;
            if let Some((_, count)) = all.0.iter_mut().flatten().find(|heard| heard.0 == key) {
                *count = count.saturating_add(1);
            }
        }
        all
    }
}

/// A map: from what a key is called to how many sessions were heard of it.
impl Serialize for KeysHeard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, heard)| (key.to_string(), heard)))
    }
}

/// The same, and when it was counted: to walk through all sessions after every turn would be too much where there are many.
#[derive(Debug, Default)]
pub(super) struct Counted(Option<(Instant, KeysHeard)>);

impl Counted {
    pub(super) fn at(&mut self, now: Instant, count: impl FnOnce() -> KeysHeard) -> KeysHeard {
        match self.0 {
            Some((at, keys)) if now.since(at) < COUNT_EVERY => keys,
            _ => self.0.insert((now, count())).1,
        }
    }
}

const LATELY: Duration = Duration::from_secs(10);
const COUNT_EVERY: Duration = Duration::from_secs(1);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::cipher::Cipher;
    use super::super::key::Key;
    use super::super::window::Window;
    use super::*;

    #[test]
    fn who_was_heard_lately_is_counted_by_key_once_a_second() {
        let key = |n| Key::from_bytes([n; 32]);
        let mut ring = Keyring::new(key(1));
        ring.add(key(2)).unwrap();
        let [old, new] = [1, 2].map(|n| key(n).id());
        let (mut peers, mut counted, at) = (Peers::new(9), Counted::default(), Instant::from_millis);
        for (ms, n, id) in [(0, 1, 1), (1, 1, 2), (2, 2, 3), (2, 3, 4)] {
            let peer = super::super::cipher::peer(key(n).id(), &[id; 16]);
            let cipher = Box::new(Cipher::new(&key(n), &[id; 16], "c"));
            assert!(peers.add(at(ms), peer, cipher, Window::above(0)));
        }
        let mut look = |ms| counted.at(at(ms), || KeysHeard::count(at(ms), &ring, &peers));
        let first = look(9_000);
        assert_eq!(
            first.iter().collect::<Vec<_>>(),
            [(old, 2), (new, 1)],
            "a key that is not in the ring is not shown"
        );
        assert_eq!((first.of(old), first.of(key(3).id())), (2, 0));
        assert_eq!((look(9_999), look(10_001).of(old), look(11_001).of(old)), (first, 1, 0));
        assert_eq!(serde_json::to_string(&first).unwrap(), format!("{{\"{old}\":2,\"{new}\":1}}"));
        assert_eq!(serde_json::to_string(&KeysHeard::default()).unwrap(), "{}", "nothing is sealed");
    }
}
