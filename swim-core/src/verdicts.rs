//! When this node's own verdicts count: not just after it was away, and not while nobody can hear it.
//!
//! A suspicion that runs out is a verdict. Whoever was away, or could not be heard, has not given the accused its time: so
//! none runs out before the shortest suspicion that begins after that would.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::mutation::Mutation;
use crate::time::Instant;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Verdicts {
    /// No suspicion runs out before this.
    held_until: Option<Instant>,
    /// Since when nothing can be sent.
    blocked_since: Option<Instant>,
}

impl Verdicts {
    /// No suspicion runs out before the shortest one could that begins now, `live` members being around.
    pub(crate) fn hold(&mut self, live: usize, cx: &Cx) {
        let (min, _) = cx.config.suspicion_micros(live as u64);
        let min = if cx.mutant(Mutation::PauseConvicts) { 0 } else { min };
        self.held_until = Some(cx.now.plus_micros(min));
    }

    /// The same for a reason that others can bring about: at most once in twice that time, or forgers could keep this node
    /// from convicting anybody. Tells whether this was the time.
    pub(crate) fn doubt(&mut self, live: usize, cx: &Cx) -> bool {
        let (min, _) = cx.config.suspicion_micros(live as u64);
        let again = self.held_until.is_none_or(|until| cx.now >= until.plus_micros(min));
        if again {
            self.hold(live, cx);
        }
        again
    }

    /// Until when a suspicion has to wait that runs out at this time, if it has to.
    pub(crate) fn postpones(&self, at: Instant) -> Option<Instant> {
        self.held_until.filter(|&until| at < until)
    }

    /// Nothing can be sent from now on.
    pub(crate) fn block(&mut self, cx: &Cx) {
        self.blocked_since.get_or_insert(cx.now);
    }

    /// Sending goes on.
    pub(crate) fn unblock(&mut self) {
        self.blocked_since = None;
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Could nothing be sent for so long that verdicts have to wait? A socket that is full for a moment is no reason.
    pub(crate) fn is_mute(&self, cx: &Cx) -> bool {
        let long = |since| cx.now.micros_since(since) > cx.pace.probe_interval;
        cx.config.pause_guard && self.blocked_since.is_some_and(long)
    }
}
