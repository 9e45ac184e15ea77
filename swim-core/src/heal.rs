//! Healing: whoever was lost without a goodbye is tried again, with back-off and without end.
//!
//! Two halves of a cluster that were cut apart for longer than a suspicion hold each other dead; one node cut off from all
//! holds everybody dead. Neither would ever send the other a datagram again. So the addresses of the dead, also of those
//! whose tombstones have expired, and of seeds that are no live member's, stay on a list and are knocked at in turn. One
//! answer is enough: both sides refute, and the rest follows from their disagreeing views.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::cx::Cx;
use crate::identity::Addr;
use crate::members::{Members, ensure};
use crate::mutation::Mutation;
use crate::status::NodeId;
use crate::time::Instant;

/// Up to so many live members each knocks at the full rate; more share it, so that a crash in a large cluster does not make
/// everybody knock at the same dead machine.
const KNOCKERS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lost {
    id: NodeId,
    addr: Addr,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Heal {
    /// Longest lost first.
    lost: Vec<Lost>,
    lost_max: usize,
    /// Whose turn it is: even for the lost, odd for the seeds, so that neither wait behind all of the others.
    turn: usize,
    attempts: u32,
    next: Instant,
}

impl Heal {
    pub(crate) fn new(lost_max: usize) -> Self {
        Self { lost: Vec::with_capacity(lost_max), lost_max, turn: 0, attempts: 0, next: Instant::NEVER }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.lost.reserve_exact(self.lost_max.saturating_sub(self.lost.len()));
    }

    /// A member died. When the list is full, the longest lost makes room.
    pub(crate) fn on_dead(&mut self, id: NodeId, addr: Addr, live: usize, cx: &mut Cx) {
        self.on_found(id);
        if self.lost.len() >= self.lost_max {
            self.lost.remove(0);
        }
        self.lost.push(Lost { id, addr });
        self.attempts = 0;
        self.arm(live, cx);
    }

    /// A lost member turns out to have been somewhere else.
    pub(crate) fn on_moved(&mut self, id: NodeId, addr: Addr) {
        if let Some(lost) = self.lost.iter_mut().find(|l| l.id == id) {
            lost.addr = addr;
        }
    }

    /// A member is there, or said goodbye: it is not lost.
    #[inline]
    pub(crate) fn on_found(&mut self, id: NodeId) {
        if self.lost.is_empty() {
            return;
        }
        self.lost.retain(|l| l.id != id);
    }

    /// There is somebody to knock at, perhaps: a seed is missing, or somebody is lost. What was due before that
    /// stays due: one death after the other must not put off the knock.
    pub(crate) fn arm(&mut self, live: usize, cx: &mut Cx) {
        self.next = self.next.min(self.draw(live, cx));
    }

    fn draw(&self, live: usize, cx: &mut Cx) -> Instant {
        let wait = cx.pace.join_retry.saturating_mul(1 << self.attempts.min(20)).min(cx.pace.join_retry_max);
        let wait = wait.saturating_mul((live as u64 / KNOCKERS).max(1));
        // Between half of the wait and all of it, so that nodes that lost the same one spread out.
        cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1))
    }

    /// This node leaves.
    pub(crate) fn stop(&mut self) {
        self.next = Instant::NEVER;
    }

    /// At whose address to knock now, if anybody is missing.
    pub(crate) fn on_due(&mut self, seeds: &[Addr], members: &Members, cx: &mut Cx) -> Option<Addr> {
        let silent = cx.mutant(Mutation::NobodyKnocks);
        let missing = |addr: &Addr| *addr != cx.my_addr && members.aliases(*addr) == 0 && !silent;
        let all = 2 * self.lost.len().max(seeds.len());
        let lost = |i: usize| Some(self.lost[i.checked_rem(self.lost.len())?].addr);
        let seed = |i: usize| Some(seeds[i.checked_rem(seeds.len())?]);
        let at = |i: usize| if i % 2 == 0 { lost(i / 2) } else { seed(i / 2) };
        let found =
            (0..all).map(|i| (self.turn % all + i) % all).find_map(|i| at(i).filter(missing).map(|addr| (i, addr)));
        let Some((i, addr)) = found else {
            self.next = Instant::NEVER;
            return None;
        };
        self.turn = i + 1;
        self.attempts = self.attempts.saturating_add(1);
        self.next = self.draw(members.live(), cx);
        Some(addr)
    }

    /// Invariants.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.lost_max == config.lost_max, "the bound of lost members is the config's")?;
        ensure(self.lost.len() <= self.lost_max, "more lost members than their bound")
    }
}
