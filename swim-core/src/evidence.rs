//! Why a member is believed to be what it is: the facts that led there, kept per member and bounded.
//!
//! Nothing decides by this log; it is written where the decisions are made, and read by whoever asks.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::members::ensure;
use crate::status::{Incarnation, NodeId};
use crate::time::Instant;

/// Facts kept about one member; the oldest make room.
const PER_MEMBER: usize = 32;

/// One fact about one member, and this node's own state when it was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When, in the driver's time.
    pub at: Instant,
    /// This node's local health then: the higher, the less it trusts its own probes.
    pub health: u32,
    /// What.
    pub fact: Fact,
}

/// What happened. Times are the driver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fact {
    /// It is there, or there again.
    Up {
        /// At this incarnation.
        incarnation: Incarnation,
    },
    /// This node's probe of it got no ack, neither directly nor through a relay.
    ProbeFailed {
        /// The probe's nonce.
        nonce: u32,
        /// When the ping was sent.
        sent: Instant,
        /// Until when an ack would have counted.
        deadline: Instant,
        /// Relays that were asked; what each answered follows.
        relays: u32,
    },
    /// A relay that was asked to ping it in that probe.
    RelaySilent {
        /// Heard nothing from the relay either.
        relay: NodeId,
    },
    /// A relay that was asked to ping it in that probe.
    RelayNacked {
        /// The relay is there, and had heard nothing, or had asked nobody.
        relay: NodeId,
    },
    /// It is suspected.
    Suspected {
        /// The incarnation that is suspected.
        incarnation: Incarnation,
        /// By whom, when one was named; this node itself after a failed probe.
        by: Option<NodeId>,
        /// When it is dead if nothing else happens.
        deadline: Instant,
    },
    /// One more accuser, independent of those before.
    Confirmed {
        /// Who.
        by: NodeId,
        /// When it is dead now if nothing else happens.
        deadline: Instant,
    },
    /// It raised its incarnation.
    Refuted {
        /// To this.
        incarnation: Incarnation,
    },
    /// It is dead.
    Dead {
        /// The incarnation that is over.
        incarnation: Incarnation,
        /// The suspicion ran out here; otherwise another node said so first.
        declared_here: bool,
    },
    /// It said goodbye.
    Left {
        /// The incarnation that is over.
        incarnation: Incarnation,
    },
    /// Another member answers at its address. Noted as often as [`crate::Event::AddressConflict`] tells it, and of as
    /// many members.
    AnsweredByAnother {
        /// Who.
        by: NodeId,
    },
}

/// The facts about all members. Full, it is a ring: the newest takes the place of the oldest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Log {
    entries: Vec<(NodeId, Evidence)>,
    /// Where the oldest is; 0 until all places have been taken.
    first: usize,
    entries_max: usize,
    /// By the lowest bits of a member's id: most often there are too few facts for any member to have many, or all are about one,
    /// and then nothing has to be counted.
    about: Box<[Tagged; TAGS]>,
}

/// The facts about the members that share the lowest bits of their ids.
#[derive(Clone, Copy, Debug)]
struct Tagged {
    /// Whom the last one was about.
    id: NodeId,
    count: u32,
    /// All of them are about the same one, as far as is known.
    alike: bool,
}

impl Tagged {
    const NONE: Self = Self { id: NodeId::new(0), count: 0, alike: true };

    fn add(&mut self, id: NodeId) {
        self.alike = self.count == 0 || self.alike && self.id == id;
        self.id = id;
        self.count += 1;
    }
}

/// How a log is written: oldest first.
#[derive(Serialize, Deserialize)]
struct Stored {
    entries: Vec<(NodeId, Evidence)>,
    entries_max: usize,
}

impl From<Log> for Stored {
    fn from(mut log: Log) -> Self {
        log.straighten();
        Self { entries: log.entries, entries_max: log.entries_max }
    }
}

impl From<Stored> for Log {
    fn from(Stored { entries, entries_max }: Stored) -> Self {
        let mut about = Box::new([Tagged::NONE; TAGS]);
        entries.iter().for_each(|&(id, _)| about[tag(id)].add(id));
        Self { entries, first: 0, entries_max, about }
    }
}

/// Members are told apart by so many values of their ids' lowest bits.
const TAGS: usize = 256;

fn tag(id: NodeId) -> usize {
    id.as_u64() as usize % TAGS
}

impl Log {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: Vec::with_capacity(entries_max), first: 0, entries_max, about: Box::new([Tagged::NONE; TAGS]) }
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.entries.reserve_exact(self.entries_max.saturating_sub(self.entries.len()));
    }

    /// Notes a fact. A member that has many makes room among its own, so that one that flaps does not hide the others;
    /// otherwise the oldest fact of all goes.
    pub(crate) fn note(&mut self, about: NodeId, evidence: Evidence) {
        if self.about[tag(about)].count as usize >= PER_MEMBER {
            self.age_own(about);
        }
        self.about[tag(about)].add(about);
        if self.entries.len() < self.entries_max {
            self.entries.push((about, evidence));
        } else if let Some(oldest) = self.entries.get_mut(self.first) {
            self.about[tag(oldest.0)].count -= 1;
            *oldest = (about, evidence);
            self.first = if self.first + 1 == self.entries.len() { 0 } else { self.first + 1 };
        }
    }

    /// Makes the oldest fact about a member the oldest of all, if there are as many about it as may be: as many share its tag, at
    /// least. The others keep their order. Before all places are taken, it goes at once.
    #[cold]
    fn age_own(&mut self, id: NodeId) {
        let (newer, older) = self.entries.split_at(self.first);
        let mut own = older.iter().chain(newer).enumerate().filter(|(_, (about, _))| *about == id).map(|(i, _)| i);
        let oldest = own.next();
        let tagged = self.about[tag(id)];
        let mut has_many = || tagged.alike && tagged.id == id || own.by_ref().count() + 1 >= PER_MEMBER;
        let Some(oldest) = oldest.filter(|_| has_many()) else { return };
        if self.entries.len() < self.entries_max {
            self.entries.remove(oldest);
            self.about[tag(id)].count -= 1;
            return;
        }
        for i in (0..oldest).rev() {
            let (to, from) = ((self.first + i + 1) % self.entries_max, (self.first + i) % self.entries_max);
            self.entries.swap(to, from);
        }
    }

    /// Brings the oldest to the front.
    fn straighten(&mut self) {
        if self.first > 0 {
            self.entries.rotate_left(core::mem::take(&mut self.first));
        }
    }

    pub(crate) fn about(&self, id: NodeId) -> impl Iterator<Item = &Evidence> {
        let (newer, older) = self.entries.split_at(self.first);
        older.iter().chain(newer).filter(move |(about, _)| *about == id).map(|(_, e)| e)
    }

    /// Invariants.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.entries_max == config.evidence_max, "the bound of evidence is the config's")?;
        ensure(self.entries.len() <= self.entries_max, "more evidence than its bound")?;
        let mut about = [0; TAGS];
        self.entries.iter().for_each(|&(id, _)| about[tag(id)] += 1);
        let counts = self.about.iter().map(|tagged| tagged.count);
        ensure(counts.eq(about), "the counts of evidence are those of its entries")?;
        let fits = |id: NodeId| !self.about[tag(id)].alike || self.about[tag(id)].id == id;
        ensure(self.entries.iter().all(|&(id, _)| fits(id)), "evidence of one member alone is of no other")?;
        ensure(self.first == 0 || self.entries.len() == self.entries_max, "evidence is a ring when it is full")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(n: u32) -> Evidence {
        Evidence {
            at: Instant::from_millis(n.into()),
            health: 0,
            fact: Fact::Up { incarnation: Incarnation::new(1, n) },
        }
    }

    #[test]
    fn one_that_flaps_does_not_hide_the_others() {
        let mut log = Log::new(64);
        let (quiet, noisy) = (NodeId::new(1), NodeId::new(2));
        log.note(quiet, fact(0));
        (1..1_000).for_each(|n| log.note(noisy, fact(n)));
        assert_eq!(log.about(quiet).count(), 1);
        let kept: Vec<Evidence> = log.about(noisy).copied().collect();
        assert_eq!((kept.len(), kept[0], kept[31]), (32, fact(968), fact(999)));
    }

    /// Facts about few members and many, in a log that fills up: it holds what a plain list of them does.
    #[test]
    fn like_a_plain_list() {
        let mut random = crate::rng::Rng::new(5);
        for members in [1, 2, 3, 5, 40] {
            let (mut log, mut model) = (Log::new(64), Vec::new());
            for n in 0..2_000 {
                // Some share a tag.
                let id = NodeId::new(random.below(members) * 128);
                let own = model.iter().filter(|(about, _)| *about == id).count();
                if own >= PER_MEMBER {
                    let oldest = model.iter().position(|(about, _)| *about == id);
                    model.remove(oldest.unwrap());
                } else if model.len() == 64 {
                    model.remove(0);
                }
                model.push((id, fact(n)));
                log.note(id, fact(n));
                assert_eq!(Stored::from(log.clone()).entries, model);
                log.check(&Config { evidence_max: 64, ..Config::lan("c") }).unwrap();
            }
        }
    }

    #[test]
    fn many_members_share_the_room() {
        let mut log = Log::new(64);
        for n in 0..1_000 {
            log.note(NodeId::new(n), fact(n as u32));
        }
        assert_eq!(log.entries.len(), 64);
        let bytes = postcard::to_allocvec(&log).unwrap();
        let copy: Log = postcard::from_bytes(&bytes).unwrap();
        assert!(copy.entries.iter().map(|(id, _)| id.as_u64()).eq(936..1_000), "oldest first");
        let counts = |log: &Log| log.about.iter().map(|tagged| tagged.count).collect::<Vec<_>>();
        assert_eq!(counts(&copy), counts(&log));
        assert!(log.about(NodeId::new(935)).next().is_none() && log.about(NodeId::new(936)).next().is_some());
    }
}
