//! Hearsay of a later life of a member that is believed alive, as far as the table is concerned.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use super::apply::Via;
use crate::doubts::Doubt;
use crate::members::Row;
use crate::mutation::Mutation;
use crate::stats::count;
use crate::status::{NodeId, State};
use crate::wire::Item;

impl Node {
    /// Does this speak of a later life of a member that nobody suspects? Only what would be taken over is doubted: an
    /// accusation of another epoch is not plausible anyway.
    pub(super) fn is_doubtful(&self, row: &Row, item: &Item<'_>) -> bool {
        let later = item.status.incarnation().epoch() > row.status.incarnation().epoch();
        let alive = row.state() == State::Alive && item.status.state() == State::Alive;
        later && alive && !self.cx.mutant(Mutation::HearsayBelieved)
    }

    /// The member itself is asked, where it is known to be; until it has answered, another member that says the same is believed.
    pub(super) fn doubt(&mut self, slot: u32, item: &Item<'_>, by: NodeId) {
        let Some(row) = self.table.row(slot) else { return };
        match self.doubts.on_hearsay(slot, row, item, by, &mut self.cx) {
            Some(doubt) => self.take_over(&doubt),
            None => count(&mut self.cx.stats.supersede_refused),
        }
    }

    /// Who was asked has had its time. What it has not denied is believed, unless more is known of it by now.
    pub(super) fn on_doubt_due(&mut self) {
        if let Some(doubt) = self.doubts.pop_due(&self.cx) {
            self.take_over(&doubt);
        }
    }

    fn take_over(&mut self, doubt: &Doubt) {
        let Some((slot, row)) = self.table.find_row(doubt.id) else { return };
        if let Some(item) = doubt.item().filter(|_| row.status.incarnation().epoch() == doubt.epoch) {
            let known = row.status;
            self.apply_to_known(slot, known, &item, Via::Gossip);
        }
    }
}
