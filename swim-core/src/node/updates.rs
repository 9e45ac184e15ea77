//! The gossip in a frame: nearly all of it is a status alone, and most of that is known, or a member that lives has raised its
//! incarnation. What else there is goes the way of all claims, which is in `apply`.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use smallvec::SmallVec;

use super::Node;
use super::apply::Via;
use crate::event::Event;
use crate::evidence::Fact;
use crate::members::ME;
use crate::stats::count_all;
use crate::status::{Incarnation, NodeId, State, Status};
use crate::storage::NONE;
use crate::wire::{Frame, Item, Items};

/// So many updates are looked up before anything is done with them: in a large table each look waits for memory, and so they
/// wait together.
const TOGETHER: usize = 16;

/// A status that was said, and where the row of its member is: `NONE` for whom there is none.
#[derive(Clone, Copy)]
struct Said {
    id: NodeId,
    status: Status,
    slot: u32,
}

type Run = SmallVec<[Said; TOGETHER]>;

/// What a status says.
enum Glance {
    /// Nothing that is not known.
    Known,
    /// A member that is alive has raised its incarnation.
    Raised,
    Other,
}

impl Node {
    /// Merges the gossip in a frame. Only what a `believed` sender says counts; what it says of me, a `known` one's, too: whom I
    /// believe dead may still tell me what it believes of me, and that is how two such nodes make up.
    pub(super) fn apply_updates(&mut self, frame: &Frame<'_>, believed: bool, known: bool, bound: bool) {
        let mut updates = frame.updates();
        let me = self.cx.me;
        if !believed {
            let of_me = |update: &Item<'_>| known && update.id == me;
            count_all(&mut self.cx.stats.claims_from_strangers, updates.clone().filter(|u| !of_me(u)).count() as u64);
            updates.filter(of_me).for_each(|update| self.apply(&update, frame.sender, Via::Gossip, bound));
            return;
        }
        let (mut run, mut raised) = (Run::new(), Run::new());
        while !updates.is_empty() {
            self.read_run(&mut updates, &mut run);
            if !run.is_empty() {
                self.apply_run(&run, &mut raised, frame.sender, bound);
            } else if let Some(update) = updates.next() {
                self.apply(&update, frame.sender, Via::Gossip, bound);
            }
        }
    }

    /// The next updates that are a status alone, a few of them at most.
    #[inline]
    fn read_run(&self, updates: &mut Items<'_>, run: &mut Run) {
        run.clear();
        while run.len() < TOGETHER {
            let Some((id, status)) = updates.next_status() else { break };
            run.push(Said { id, status, slot: self.table.find(id).unwrap_or(NONE) });
        }
    }

    /// All that follows of a raised incarnation waits until others have been raised, too, but for what decides about those: an
    /// update of another kind comes when everything before it is done.
    fn apply_run(&mut self, run: &[Said], raised: &mut Run, by: NodeId, bound: bool) {
        for said in run {
            match self.glance(said) {
                Glance::Known => {}
                Glance::Raised => {
                    self.table.raise(said.slot, said.status);
                    raised.push(*said);
                }
                Glance::Other => {
                    raised.drain(..).for_each(|raised| self.on_raised(&raised));
                    self.apply_at(said.slot, &Item::status(said.id, said.status), by, Via::Gossip, bound);
                }
            }
        }
        raised.drain(..).for_each(|raised| self.on_raised(&raised));
    }

    /// What hearsay about the row at this slot says, as far as that is to be seen at once.
    #[inline]
    fn glance(&self, said: &Said) -> Glance {
        let plausible = said.status.incarnation() < Incarnation::LAST_HEARSAY;
        let row = self.table.get(said.slot).filter(|row| row.id == said.id && said.slot != ME);
        match row.map(|row| row.status) {
            Some(_) if !plausible || cfg!(swim_mutations) => Glance::Other,
            Some(known) if known == said.status => Glance::Known,
            Some(known) if is_raised(known, said.status) => Glance::Raised,
            _ => Glance::Other,
        }
    }

    /// What follows when a member was alive and is so at a higher incarnation: of the list in [`Self::change`] that which
    /// concerns it. It was not suspected, so it has no deadline, and was not lost.
    fn on_raised(&mut self, said: &Said) {
        let incarnation = said.status.incarnation();
        self.note_life(said.slot, said.id);
        self.detect.wake(&mut self.cx);
        self.note(said.id, Fact::Refuted { incarnation });
        self.gossip.enqueue(said.slot, false, &self.cx);
        self.cx.events.push(Event::MemberRefuted { id: said.id, incarnation });
    }
}

/// Does this say no more than that a member which is alive has raised its incarnation, in the same life? There is nothing to
/// doubt in that, and nothing to refuse.
fn is_raised(known: Status, said: Status) -> bool {
    let same_life = known.incarnation().epoch() == said.incarnation().epoch();
    same_life && known.state() == State::Alive && said.state() == State::Alive && said > known
}
