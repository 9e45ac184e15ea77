//! What every component may use: time, chance, outputs, counters and the config, and nothing of each other.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Event;
use crate::identity::Addr;
use crate::members::ensure;
use crate::mutation::Mutation;
use crate::outbox::{Intent, Outbox};
use crate::rng::Rng;
use crate::stats::{Stats, count};
use crate::status::NodeId;
use crate::storage::Ring;
use crate::time::{Instant, micros};

/// The shared context of one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cx {
    /// Now, in *awake time*: the driver's time less all own pauses.
    pub(crate) now: Instant,
    /// This node.
    pub(crate) me: NodeId,
    /// Where others reach this node. Nothing is ever sent there.
    pub(crate) my_addr: Addr,
    pub(crate) rng: Rng,
    pub(crate) outbox: Outbox,
    pub(crate) events: Events,
    pub(crate) stats: Stats,
    pub(crate) config: Config,
    pub(crate) pace: Pace,
}

impl Cx {
    /// Puts an intent into the outbox.
    pub(crate) fn send(&mut self, intent: Intent) {
        self.try_send(intent);
    }

    /// Puts an intent in front of all others: it goes on where the datagram that is being written ends.
    pub(crate) fn follow_up(&mut self, intent: Intent) {
        if !self.outbox.push_front(intent) {
            count(&mut self.stats.outbox_full);
        }
    }

    /// Is this bug planted?
    #[inline]
    pub(crate) fn mutant(&self, bug: Mutation) -> bool {
        self.config.mutant(bug)
    }

    /// Puts an intent into the outbox; `false` when it cannot be sent: the outbox is full, which is counted, or the address
    /// is my own, which rows of former holders of it, or forgers, may name.
    pub(crate) fn try_send(&mut self, intent: Intent) -> bool {
        if intent.to == self.my_addr {
            return false;
        }
        let done = self.outbox.push(intent);
        if !done {
            count(&mut self.stats.outbox_full);
        }
        done
    }
}

/// The config's times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) probe_interval: u64,
    pub(crate) probe_timeout: u64,
    pub(crate) gossip_interval: u64,
    pub(crate) tombstone_ttl: u64,
    pub(crate) join_retry: u64,
    pub(crate) join_retry_max: u64,
    pub(crate) sync_patience: u64,
    pub(crate) sync_backoff_max: u64,
    /// Whoever forgets a member forgets which of its rumors it has seen, so nobody may have one to tell by then.
    pub(crate) rumor_ttl: u64,
}

impl Pace {
    pub(crate) fn new(c: &Config) -> Self {
        Self {
            probe_interval: micros(c.probe_interval),
            probe_timeout: micros(c.probe_timeout),
            gossip_interval: micros(c.gossip_interval),
            tombstone_ttl: micros(c.tombstone_ttl),
            join_retry: micros(c.join_retry),
            join_retry_max: micros(c.join_retry_max),
            sync_patience: micros(c.sync_patience),
            sync_backoff_max: micros(c.sync_backoff_max),
            rumor_ttl: micros(c.rumor_ttl).min(micros(c.tombstone_ttl) / 4),
        }
    }

    /// How long to wait for the answer to a question that has been asked so often in vain: twice the round trip, and half as
    /// long again after every try, up to a quarter of a time-out.
    pub(crate) fn answer_wait(&self, round_trip: u64, tries: u8) -> u64 {
        let (least, most) = (self.probe_timeout / 16, self.probe_timeout / 4);
        (0..tries).fold(round_trip.saturating_mul(2).clamp(least, most), |w, _| (w + w / 2).min(most))
    }
}

/// Events until they are polled. When nobody polls, the newest are dropped and the count of them is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Events {
    ring: Ring<Event>,
    missed: u64,
}

impl Events {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { ring: Ring::new(capacity), missed: 0 }
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.ring.reserve();
    }

    /// Invariants.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.ring.capacity() == config.events_max, "the bound of events is the config's")
    }

    pub(crate) fn push(&mut self, event: Event) {
        // Once one is missed, all are until the reader has caught up: what it reads is then in order, without a gap
        // that is not told.
        if self.missed > 0 || self.ring.push(event).is_err() {
            self.missed += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.ring.pop().or_else(|| {
            let missed = core::mem::take(&mut self.missed);
            (missed > 0).then_some(Event::Lagged { missed })
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty() && self.missed == 0
    }
}
