//! Frames that nobody has asked for, at a bounded rate: telling a sender of gossip what is believed of it when it does not
//! know, or that it is not known; spreading my own refutation at once.
//!
//! Answers carry such hints anyway; gossip asks for no answer, so a frame is spent on it. Two nodes that believe each
//! other dead would otherwise tell each other without end.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::time::Instant;

/// Frames per protocol period that tell senders of gossip what is believed of them.
const PER_PERIOD: u8 = 8;

/// Introductions per protocol period for members who ask who this node is. Even where all others have forgotten it,
/// fewer ask in that time, unless they are told to by somebody who pretends to be them.
const INTRODUCTIONS: u8 = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Echoes {
    left: u8,
    introductions: u8,
    refill_at: Instant,
}

impl Echoes {
    /// May one more be sent in this period?
    pub(crate) fn take(&mut self, cx: &Cx) -> bool {
        self.take_for(true, cx)
    }

    /// The same for a member, or for a stranger: those leave half of them to members, and to this node's own refutations.
    pub(crate) fn take_for(&mut self, member: bool, cx: &Cx) -> bool {
        self.refill(cx);
        let may = self.left > if member { 0 } else { PER_PERIOD / 2 };
        self.left -= u8::from(may);
        may
    }

    /// May this node introduce itself once more in this period, because it was asked to?
    pub(crate) fn take_introduction(&mut self, cx: &Cx) -> bool {
        self.refill(cx);
        let may = self.introductions > 0;
        self.introductions -= u8::from(may);
        may
    }

    fn refill(&mut self, cx: &Cx) {
        if cx.now >= self.refill_at {
            (self.left, self.introductions) = (PER_PERIOD, INTRODUCTIONS);
            self.refill_at = cx.now.plus_micros(cx.pace.probe_interval);
        }
    }
}
