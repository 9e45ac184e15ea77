//! What follows from two members at one address: the embedder is told, and neither is accused for what the other is to blame
//! for.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use crate::event::Event;
use crate::evidence::Fact;
use crate::stats::count;
use crate::status::NodeId;

impl Node {
    /// The member `with` has answered where `id` was asked.
    pub(super) fn on_wrong_responder(&mut self, id: NodeId, with: NodeId) {
        count(&mut self.cx.stats.wrong_responders);
        if with != id && self.table.is_live(id) {
            self.tell_conflict(id, with);
        }
    }

    fn tell_conflict(&mut self, id: NodeId, with: NodeId) {
        let mine = with == self.cx.me;
        if self.conflicts.on_wrong(id, mine, &mut self.cx) {
            self.note(id, Fact::AnsweredByAnother { by: with });
            self.cx.events.push(Event::AddressConflict { id, with });
        }
    }

    /// Is this node's failed probe a reason to accuse its target? Not of one that is known to be there, where only its address
    /// is in doubt. And who shares its own address with another cannot tell silence from answers that the other has got.
    pub(super) fn speaks_against(&mut self, id: NodeId) -> bool {
        let mine = self.is_at_mine(id);
        if mine && self.table.is_live(id) {
            self.tell_conflict(id, self.cx.me);
        }
        // Not so when a relay says that the target was silent for it, too: then this node hears. One that has asked
        // nobody says that it has not, which tells nothing of the target.
        let hears = self.detect.is_silence_confirmed();
        let withheld = self.conflicts.spares(id, &self.cx)
            || !mine && !hears && self.conflicts.living(&self.cx).any(|other| self.is_at_mine(other));
        if withheld {
            count(&mut self.cx.stats.verdicts_withheld);
        }
        !withheld
    }

    /// Has this member said that it has this node's own address? Whoever is deaf holds it for dead after a while.
    fn is_at_mine(&self, id: NodeId) -> bool {
        self.table.find_row(id).is_some_and(|(_, row)| row.addr == self.cx.my_addr)
    }
}
