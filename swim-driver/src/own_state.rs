//! How much room this node's own state has left, known at the handles, so that a put for which there is none is refused by
//! the call that asks for it.
//!
//! A mirror of the own entries: their keys, and how long their values are. Every accepted order is entered here under the
//! lock under which it was put into the mailbox, so both know the same order of orders, and the mirror is what the node will
//! have when it has been given all of them.
//!
//! Two things happen to entries that no order asks for. One with a ttl vanishes by itself, which only the node's clock tells:
//! the pump compares when the node says that its state has changed ([`OwnState::vanished`]). And a node that has begun to
//! leave refuses what it is given, and may come back by a later join: then the mirror is made anew, as soon as no order is
//! under way ([`OwnState::anew`]). Orders are numbered, here when they are accepted and by the pump when the node is given
//! them, so that what the node has not been given yet is never taken for vanished. A new epoch of this node changes nothing:
//! its entries are its own, and it writes them anew.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::Config;

use crate::mailbox::{CommandError, Due, Mailbox, Order};
use crate::sync::{Mutex, lock};

#[derive(Debug)]
pub(crate) struct OwnState {
    /// Most bytes that all entries may count.
    max: usize,
    mirror: Mutex<Mirror>,
}

#[derive(Debug, Default)]
struct Mirror {
    entries: BTreeMap<Box<str>, Kept>,
    /// What all in `entries` count.
    bytes: usize,
    /// Entries that may vanish by themselves.
    mortal: usize,
    /// Orders accepted so far.
    accepted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    /// Bytes of the value.
    len: usize,
    /// It may vanish by itself.
    mortal: bool,
    /// The number of the order that wrote it.
    order: u64,
}

/// What an entry counts against `Config::state_bytes`.
fn cost(key: &str, value: usize) -> usize {
    key.len() + value + Config::ENTRY_COST
}

impl OwnState {
    pub(crate) fn new(config: &Config) -> Self {
        Self { max: config.state_bytes, mirror: Mutex::default() }
    }

    /// Orders a put, where there is room. What there is to wake is returned: foreign code, for when no lock is held.
    pub(crate) fn put(
        &self,
        mailbox: &Mailbox,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<Due, CommandError> {
        let mut mirror = lock(&self.mirror);
        let former = mirror.entries.get(key).map_or(0, |kept| cost(key, kept.len));
        let bytes = mirror.bytes - former + cost(key, value.len());
        if bytes > self.max {
            return Err(CommandError::StateFull { bytes, max: self.max });
        }
        let due = mailbox.enqueue(Order::Put { key: key.into(), value: value.into(), ttl })?;
        mirror.accepted += 1;
        let kept = Kept { len: value.len(), mortal: ttl.is_some(), order: mirror.accepted };
        mirror.insert(key.into(), kept);
        Ok(due)
    }

    /// Orders a deletion.
    pub(crate) fn delete(&self, mailbox: &Mailbox, key: &str) -> Result<Due, CommandError> {
        let mut mirror = lock(&self.mirror);
        let due = mailbox.enqueue(Order::Delete { key: key.into() })?;
        mirror.accepted += 1;
        mirror.remove(key);
        Ok(due)
    }

    /// The node's own state has changed, and it was given so many orders: entries with a ttl that it has no more are gone.
    /// `has` is asked for these alone.
    pub(crate) fn vanished(&self, given: u64, has: impl Fn(&str) -> bool) {
        let mut mirror = lock(&self.mirror);
        if mirror.mortal == 0 {
            return;
        }
        let is_gone = |key: &str, kept: &Kept| kept.mortal && kept.order <= given && !has(key);
        let gone: Vec<_> =
            mirror.entries.iter().filter(|(key, kept)| is_gone(key, kept)).map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| mirror.remove(key));
    }

    /// The node has refused an order, and was given so many: the mirror becomes what the node has, unless an order is under way.
    /// On whether it has. Entries are keys, and how long their values are.
    pub(crate) fn anew<'a>(&self, given: u64, entries: impl Iterator<Item = (&'a str, usize)>) -> bool {
        let mut mirror = lock(&self.mirror);
        if mirror.accepted != given {
            return false;
        }
        mirror.entries.clear();
        (mirror.bytes, mirror.mortal) = (0, 0);
        for (key, len) in entries {
            // Which of them vanish by themselves is not known: an order that was to change that may be the one refused.
            mirror.insert(key.into(), Kept { len, mortal: true, order: given });
        }
        true
    }

    /// Bytes of keys and values, when all accepted orders are carried out.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.mirror).bytes
    }

    /// Every sum is that of the entries.
    #[cfg(test)]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mirror = lock(&self.mirror);
        let bytes: usize = mirror.entries.iter().map(|(key, kept)| cost(key, kept.len)).sum();
        if bytes != mirror.bytes || bytes > self.max {
            return Err("the bytes are those of the entries, and no more than there may be");
        }
        if mirror.entries.values().filter(|kept| kept.mortal).count() != mirror.mortal {
            return Err("entries with a ttl are counted");
        }
        Ok(())
    }
}

impl Mirror {
    fn insert(&mut self, key: Box<str>, kept: Kept) {
        self.remove(&key);
        self.bytes += cost(&key, kept.len);
        self.mortal += usize::from(kept.mortal);
        self.entries.insert(key, kept);
    }

    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.entries.remove(key) {
            self.bytes -= cost(key, kept.len);
            self.mortal -= usize::from(kept.mortal);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
