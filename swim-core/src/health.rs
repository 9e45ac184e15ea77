//! Local health (Lifeguard §III-A): how much this node trusts its own failure detector.
//!
//! The score rises when this node seems slow (a probe fails and its relays, too, stay silent; somebody suspects it; it
//! was asleep) and falls when a probe is answered. Interval and time-out of probes are multiplied by score + 1.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::event::Event;
use crate::mutation::Mutation;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Health {
    score: u32,
}

impl Health {
    pub(crate) fn score(&self) -> u32 {
        self.score
    }

    /// What interval and time-out are multiplied by.
    pub(crate) fn factor(&self) -> u64 {
        u64::from(self.score) + 1
    }

    pub(crate) fn worsen(&mut self, by: u32, cx: &mut Cx) {
        self.set(self.score.saturating_add(by).min(cx.config.health_max), cx);
    }

    pub(crate) fn improve(&mut self, cx: &mut Cx) {
        let by = if cx.mutant(Mutation::HealthStaysBad) { 0 } else { 1 };
        self.set(self.score.saturating_sub(by), cx);
    }

    fn set(&mut self, score: u32, cx: &mut Cx) {
        if score != self.score {
            self.score = score;
            cx.events.push(Event::Health { score });
        }
    }
}
