//! How often this node asks for what the dead have said, when somebody shows that it lacks some of it.
//!
//! A live owner ends every difference about its own state, and syncs have their own pace. Of the dead there may be something
//! that nobody has, or that this node cannot take, and each ping would show it again. So a question that has brought nothing
//! makes the next one wait, the longer the more of them there were.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::ensure;
use crate::time::Instant;

/// How often the wait doubles, from `sync_patience` on, and not beyond `sync_backoff_max`.
const DOUBLED_MAX: u32 = 8;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orphans {
    /// Nothing is asked before this.
    after: Instant,
    fruitless: u32,
}

impl Orphans {
    pub(crate) fn may_ask(&self, cx: &Cx) -> bool {
        cx.now >= self.after
    }

    /// It is asked for all that one datagram has shown.
    pub(crate) fn on_asked(&mut self, cx: &Cx) {
        let wait = cx.pace.sync_patience.saturating_mul(1 << self.fruitless).min(cx.pace.sync_backoff_max);
        self.after = cx.now.plus_micros(wait);
        self.fruitless = (self.fruitless + 1).min(DOUBLED_MAX);
    }

    /// Some of it has come.
    pub(crate) fn on_news(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn check(&self) -> Result<(), &'static str> {
        ensure(self.fruitless <= DOUBLED_MAX, "waits for what the dead have said double so often at most")
    }
}
