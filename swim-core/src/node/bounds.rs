//! What grows, and how far: the bounds that can be looked at after every input.

use super::Node;
use crate::members::ensure;

impl Node {
    /// The bounds of what grows with what others say, which are quick to look at: a part of [`Self::check`].
    ///
    /// # Errors
    /// What has outgrown its bound.
    pub fn check_bounds(&self) -> Result<(), &'static str> {
        let (config, rows) = (self.config(), self.members().len());
        ensure(rows <= config.members_max, "more rows than members_max")?;
        ensure(self.gossip_queued() <= 2 * rows, "more news than two pieces per row")?;
        ensure(self.health() <= config.health_max, "worse health than health_max")?;
        ensure(self.states_queued() <= rows, "more states are news than there are rows")?;
        ensure(self.state_stored() <= config.state_total, "more bytes of states than state_total")?;
        ensure(self.rumors_kept() <= config.rumors_max, "more rumors than rumors_max")?;
        ensure(self.rumors_hot() <= self.rumors_kept(), "a rumor is told that is not kept")
    }
}
