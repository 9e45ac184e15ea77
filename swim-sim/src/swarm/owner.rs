//! What a process has said about itself, by the commands that it was given, and what its own map must be after each.

use std::collections::BTreeMap;

use swim_core::{Config, Instant, Node, State};

use crate::swarm::data::{Op, hash};
use crate::swarm::shadow::Checked;
use crate::swarm::violation::Checker;
use crate::swarm::watch::{Kind, Turn};

/// Bytes of a record beside its key and value, without and with a time.
const HEADS: [usize; 2] = [8, 16];

/// One entry, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) version: u32,
    /// Of its value.
    pub(crate) hash: u64,
    len: usize,
    /// When it vanishes, by the process's clock.
    expires: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pub(crate) epoch: u32,
    /// The last that was taken.
    version: u32,
    entries: BTreeMap<String, Written>,
    /// The latest that its clock has shown.
    clock: Instant,
}

impl Owner {
    /// One more input is over. `op` is the command that it was, if it was one; `idle`: nothing is due any more.
    pub(crate) fn check(&mut self, op: Option<&Op>, turn: &Turn, node: &Node, idle: bool) -> Checked {
        self.clock = self.clock.max(turn.clock);
        self.epoch = node.me().incarnation().epoch();
        // A command is taken at its instant, also where something was due before it.
        if turn.kind != Kind::Command {
            self.vanish(node, idle)?;
        }
        let refused = node.stats().commands_refused > turn.before.commands_refused;
        let away = node.has_left() || node.me().state() == State::Left;
        let full = op.is_some_and(|op| self.take(op, node.config(), refused));
        if refused && !full && !away {
            return Err((Checker::OwnState, format!("{op:?} is refused, and there is room")));
        }
        self.compare(node)
    }

    /// Entries whose time is over have vanished, and each has cost a version.
    fn vanish(&mut self, node: &Node, idle: bool) -> Checked {
        let me = node.me().id();
        let over = |w: &Written| w.expires.is_some_and(|at| at <= self.clock);
        let over: Vec<String> = self.entries.iter().filter(|(_, w)| over(w)).map(|(key, _)| key.clone()).collect();
        for key in over {
            let version = self.entries[&key].version;
            if node.get(me, &key).is_none_or(|entry| entry.version != version) {
                self.entries.remove(&key);
                self.version += 1;
            } else if idle {
                return Err((Checker::OwnState, format!("{key} is over, and is there")));
            }
        }
        Ok(())
    }

    /// Does what was commanded, unless it was `refused`. Tells whether there is no room for it.
    fn take(&mut self, op: &Op, config: &Config, refused: bool) -> bool {
        match op {
            Op::Put { key, value, ttl } => {
                let old = self.entries.get(key).copied();
                let hash = hash(value);
                let timeless = |w: &Written| w.hash == hash && w.expires.is_none() && ttl.is_none();
                if old.as_ref().is_some_and(timeless) {
                    return false;
                }
                let expires = ttl.map(|ttl| self.clock + ttl);
                let entry = Written { version: self.version + 1, hash, len: value.len(), expires };
                self.entries.insert(key.clone(), entry);
                let full = !self.fits(config.state_bytes);
                if !full && !refused {
                    self.version += 1;
                } else if let Some(old) = old {
                    self.entries.insert(key.clone(), old);
                } else {
                    self.entries.remove(key);
                }
                full
            }
            Op::Delete { key } => {
                if !refused && self.entries.remove(key).is_some() {
                    self.version += 1;
                }
                false
            }
            Op::Broadcast { .. } | Op::Other => false,
        }
    }

    fn fits(&self, max: usize) -> bool {
        let head = |w: &Written| HEADS[usize::from(w.expires.is_some())];
        let live: usize = self.entries.iter().map(|(key, w)| key.len() + w.len).sum();
        let stored: usize = self.entries.iter().map(|(key, w)| head(w) + key.len() + w.len).sum();
        live <= max && stored <= max + max / 2
    }

    fn compare(&self, node: &Node) -> Checked {
        let me = node.me().id();
        let (version, mut count) = (node.state_version(me), 0);
        for entry in node.state(me) {
            count += 1;
            let written = self.entries.get(entry.key).copied();
            if written.is_none_or(|w| (w.version, w.hash) != (entry.version, hash(entry.value))) {
                let Some(w) = written else {
                    return Err((Checker::OwnState, format!("{} is there, and was not written", entry.key)));
                };
                let text = format!("{} is of version {}, and was written at {}", entry.key, entry.version, w.version);
                return Err((Checker::OwnState, text));
            }
        }
        if version != self.version || count != self.entries.len() {
            let (written, entries) = (self.version, self.entries.len());
            let text = format!("{count} entries at version {version}, and {entries} at {written} were written");
            return Err((Checker::OwnState, text));
        }
        Ok(())
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Written)> {
        self.entries.iter().map(|(key, written)| (key.as_str(), written))
    }

    /// Whether one of its entries will vanish.
    pub(crate) fn is_mortal(&self) -> bool {
        self.entries.values().any(|written| written.expires.is_some())
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }
}
