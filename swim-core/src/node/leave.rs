//! Leaving: said to enough peers at once, then silence.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::Node;
use crate::event::Event;
use crate::identity::Addr;
use crate::members::ME;
use crate::mutation::Mutation;
use crate::outbox::{Intent, What};
use crate::rivals::Rivals;
use crate::status::{State, Status};
use crate::time::Instant;

/// Fewest peers that are told: all of 8 datagrams are lost with probability 10^-4 at 30 % loss.
const TOLD_MIN: usize = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Leave {
    /// A member.
    #[default]
    No,
    /// So many farewells are still to be handed out.
    Telling(u32),
    /// Silent.
    Complete,
}

impl Leave {
    pub(super) fn has_begun(self) -> bool {
        self != Self::No
    }

    pub(super) fn is_complete(self) -> bool {
        self == Self::Complete
    }

    /// May this node hold itself for that? Who fell silent without a word, because of a rival, is still alive.
    pub(super) fn fits(self, mine: State) -> bool {
        match self {
            Self::No => mine == State::Alive,
            Self::Telling(_) => mine == State::Left,
            Self::Complete => matches!(mine, State::Alive | State::Left),
        }
    }
}

impl Node {
    /// Says goodbye to as many random peers as an update is told to, but at least `TOLD_MIN`; they tell the others. So are
    /// a few seeds that have not answered yet.
    pub(super) fn on_leave(&mut self) {
        if self.leave.has_begun() {
            return;
        }
        // What waits to be told is told now, or never.
        self.change_profile();
        // They may have heard of this node already, and it not yet of them.
        let seeds: SmallVec<[Addr; TOLD_MIN]> =
            self.join.awaited().filter(|&a| self.table.aliases(a) == 0).take(TOLD_MIN).collect();
        self.stop_all();
        let incarnation = self.table[ME].status.incarnation();
        self.table.set_status(ME, Status::new(incarnation, State::Left), &mut self.cx.rng);
        self.gossip.enqueue(ME, false, &self.cx);
        let told = usize::from(self.limit()).max(TOLD_MIN);
        let picks = self.table.pick(&mut self.cx.rng, told, |_| self.cx.config.mutant(Mutation::LeaveUntold));
        let mut telling = 0;
        for &slot in &picks {
            let farewell = Intent::to_member(self.table[slot].addr, slot, What::Farewell);
            telling += u32::from(self.cx.try_send(farewell));
        }
        for seed in seeds {
            telling += u32::from(self.cx.try_send(Intent::to_stranger(seed, What::Farewell)));
        }
        self.leave = Leave::Telling(telling);
        self.conclude_leave();
    }

    fn stop_all(&mut self) {
        self.join.stop();
        self.sync.stop();
        self.detect.stop();
        self.doubts.stop();
        self.heal.stop();
        self.fetch.stop();
    }

    /// Another process is this member: not a word more, not even a goodbye, which would be the other's.
    pub(super) fn fall_silent(&mut self) {
        self.stop_all();
        self.cx.outbox.clear();
        self.leave = Leave::Complete;
        self.due = Instant::NEVER;
    }

    /// An intent has left the outbox.
    pub(super) fn on_handed_out(&mut self, intent: &Intent) {
        if let (What::Farewell, Leave::Telling(n)) = (intent.what, self.leave) {
            self.leave = Leave::Telling(n.saturating_sub(1));
            self.conclude_leave();
        }
    }

    fn conclude_leave(&mut self) {
        if self.leave == Leave::Telling(0) {
            self.leave = Leave::Complete;
            self.due = Instant::NEVER;
            self.cx.events.push(Event::Left);
        }
    }

    /// A join after a leave: a member again, one incarnation further.
    pub(super) fn return_from_leave(&mut self) {
        if self.leave.is_complete() {
            self.leave = Leave::No;
            self.rivals = Rivals::default();
            // The time away is no evidence against anybody.
            self.verdicts.hold(self.table.live(), &self.cx);
            if self.table.peers() > 0 {
                self.detect.wake(&mut self.cx);
            }
            let next = self.table[ME].status.incarnation().next();
            self.restart_me(next);
        }
    }
}
