//! What processes see of each other's states and rumors, against what was written and broadcast.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use swim_core::{Event, Node, NodeId, RumorId};
use swim_driver::Pump;

use crate::host::NodeIx;
use crate::swarm::data::{Op, bytes, hash};
use crate::swarm::owner::Owner;
use crate::swarm::shadow::Checked;
use crate::swarm::violation::Checker;
use crate::swarm::watch::{Kind, Turn};

/// All that a process sees is looked at every so many inputs, whether it says that something has changed or not.
const FULL_LOOK: u64 = 64;

/// What is due waits so long for the next time-out.
const GRAIN: Duration = Duration::from_micros(1);

/// What the lives of an id have written: what has which version under which key.
type Lives = BTreeMap<(NodeId, u32), BTreeMap<String, BTreeMap<u32, u64>>>;

/// A rumor as it was handed in.
#[derive(Clone, Copy, Debug)]
struct Said {
    by: NodeId,
    len: usize,
}

/// What all processes write and see.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// Commands that processes have not taken yet.
    waiting: BTreeMap<NodeIx, VecDeque<Op>>,
    owners: BTreeMap<NodeIx, Owner>,
    readers: BTreeMap<NodeIx, Reader>,
    written: Lives,
    said: BTreeMap<u64, Said>,
    /// Which rumor an id names, and of what time it is: the same for everybody.
    ids: BTreeMap<RumorId, (u64, u64)>,
}

/// What one process has seen.
#[derive(Debug, Default)]
struct Reader {
    turns: u64,
    members: BTreeMap<NodeId, Shown>,
    /// The rumors that were delivered, by their numbers.
    heard: BTreeSet<u64>,
    /// The greatest Lamport time of these.
    lamport: u64,
}

/// What it was shown of one life of a member.
#[derive(Debug, Default)]
struct Shown {
    epoch: u32,
    /// The newest version of each key, and whether it is there.
    keys: BTreeMap<String, (u32, bool)>,
}

impl Data {
    /// A process starts, one that knows what it knew, or one that knows nothing.
    pub(crate) fn begun(&mut self, ix: NodeIx, node: &Node) {
        self.waiting.remove(&ix);
        self.readers.insert(ix, Reader::default());
        if node.state_version(node.me().id()) == 0 {
            self.owners.insert(ix, Owner::default());
        }
    }

    /// A process was given this, and takes it now or later.
    pub(crate) fn given(&mut self, ix: NodeIx, node: &Node, op: Op) {
        if let Op::Broadcast { number, len } = op {
            self.said.insert(number, Said { by: node.me().id(), len });
        }
        self.waiting.entry(ix).or_default().push_back(op);
    }

    /// One more input is over.
    pub(crate) fn settled(&mut self, ix: NodeIx, turn: &Turn, pump: &Pump) -> Checked {
        let node = pump.node();
        let taken = (turn.kind == Kind::Command).then(|| self.waiting.get_mut(&ix)?.pop_front()).flatten();
        let owner = self.owners.entry(ix).or_default();
        let was = (owner.epoch, owner.version());
        // Other inputs leave to a time-out what is due.
        let idle = turn.kind == Kind::Timeout && pump.poll_timeout().is_none_or(|at| at > turn.clock + GRAIN);
        owner.check(taken.as_ref(), turn, node, idle)?;
        if was != (owner.epoch, owner.version()) {
            let life = self.written.entry((node.me().id(), owner.epoch)).or_default();
            for (key, written) in owner.entries() {
                life.entry(key.into()).or_default().insert(written.version, written.hash);
            }
        }
        if let Some(Op::Broadcast { number, .. }) = taken {
            let refused = node.stats().commands_refused > turn.before.commands_refused;
            let told = turn.events.iter().any(|event| matches!(event, Event::Rumor { .. } | Event::Lagged { .. }));
            if !refused && !told {
                return Err((Checker::Rumor, format!("rumor {number:x} is not delivered where it was broadcast")));
            }
        }
        let reader = self.readers.entry(ix).or_default();
        reader.look(turn, node, &self.written)?;
        for event in &turn.events {
            if let Event::Rumor { id } = *event {
                reader.hear(id, node, &self.said, &mut self.ids)?;
            }
        }
        Ok(())
    }

    /// Whether something of what this process has written will vanish by itself.
    pub(crate) fn is_mortal(&self, ix: NodeIx) -> bool {
        self.owners.get(&ix).is_some_and(Owner::is_mortal)
    }

    /// Whether this rumor was delivered to the process that runs there.
    pub(crate) fn has_heard(&self, ix: NodeIx, number: u64) -> bool {
        self.readers.get(&ix).is_some_and(|reader| reader.heard.contains(&number))
    }
}

impl Reader {
    fn look(&mut self, turn: &Turn, node: &Node, written: &Lives) -> Checked {
        self.turns += 1;
        let stats = node.stats();
        let mut all = stats.deltas_applied > turn.before.deltas_applied || self.turns % FULL_LOOK == 0;
        let mut changed = Vec::new();
        for event in &turn.events {
            match *event {
                Event::MemberForgotten { id } => drop(self.members.remove(&id)),
                Event::StateChanged { id } => changed.push(id),
                Event::Lagged { .. } => {
                    // Rows may have gone, and come again.
                    self.members.clear();
                    all = true;
                }
                _ => {}
            }
        }
        if all {
            changed = node.members().map(|member| member.id()).collect();
        }
        changed.into_iter().filter(|&id| id != node.me().id()).try_for_each(|id| self.show(id, node, written))
    }

    /// What there is to be seen of a member was written so by this life of it, and nothing of it comes back.
    fn show(&mut self, id: NodeId, node: &Node, written: &Lives) -> Checked {
        let Some(row) = node.member(id) else { return Ok(()) };
        let epoch = row.incarnation().epoch();
        let shown = self.members.entry(id).or_default();
        if shown.epoch != epoch {
            *shown = Shown { epoch, ..Shown::default() };
        }
        let life = written.get(&(id, epoch));
        let mut there = BTreeSet::new();
        for entry in node.state(id) {
            there.insert(entry.key);
            let was = life.and_then(|life| life.get(entry.key)?.get(&entry.version));
            if was != Some(&hash(entry.value)) {
                let text = format!("{id} has {:?} at version {} of epoch {epoch}", entry.key, entry.version);
                return Err((Checker::NeverWritten, format!("{text}, and never wrote that")));
            }
            let before = shown.keys.insert(entry.key.into(), (entry.version, true));
            let fits = before.is_none_or(|(before, there)| entry.version > before || entry.version == before && there);
            if !fits {
                let text = format!("{id} has {:?} at version {}, after {before:?}", entry.key, entry.version);
                return Err((Checker::CameBack, text));
            }
        }
        shown.keys.iter_mut().for_each(|(key, (_, is))| *is &= there.contains(key.as_str()));
        Ok(())
    }

    /// A rumor is delivered.
    fn hear(
        &mut self,
        id: RumorId,
        node: &Node,
        said: &BTreeMap<u64, Said>,
        ids: &mut BTreeMap<RumorId, (u64, u64)>,
    ) -> Checked {
        let broken = |text: String| Err((Checker::Rumor, text));
        let Some(rumor) = node.rumor(id) else { return broken(format!("{id:?} is delivered, and cannot be read")) };
        let number = u64::from_str_radix(rumor.topic, 16).unwrap_or(u64::MAX);
        let Some(&Said { by, len }) = said.get(&number).filter(|said| said.by == id.origin) else {
            return broken(format!("{id:?} says {:?}, and nobody has", rumor.topic));
        };
        if rumor.payload != bytes(number, len) {
            return broken(format!("{id:?} by {by} has not the payload of {number:x}"));
        }
        if *ids.entry(id).or_insert((number, rumor.lamport)) != (number, rumor.lamport) {
            return broken(format!("{id:?} is {number:x} at {}, and {:?} to others", rumor.lamport, ids[&id]));
        }
        if !self.heard.insert(number) {
            return broken(format!("{id:?}, which is {number:x}, is delivered again"));
        }
        if id.origin == node.me().id() && rumor.lamport <= self.lamport {
            return broken(format!("{id:?} is of time {}, after one of {}", rumor.lamport, self.lamport));
        }
        self.lamport = self.lamport.max(rumor.lamport);
        if node.lamport() < rumor.lamport {
            return broken(format!("{id:?} is of time {}, and the clock shows {}", rumor.lamport, node.lamport()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
