//! Two processes with one id: told apart from a restart, and settled between them.
//!
//! Whoever hears that another life of its id has gone further goes past it. After a restart that happens once: the other
//! life is over. A process that still lives goes past in turn. So the second time that another address has outbid this node
//! it is a conflict, and the third time the one at the greater address falls silent. Bids alternate, so by then the other
//! has been outbid twice and knows of it, too.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::identity::Addr;
use crate::time::Instant;

/// Bids further apart than so many periods are not one conflict.
const WINDOW_PERIODS: u64 = 60;

/// What being outbid means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A former life, perhaps; or a conflict that has been told already.
    Unclear,
    /// Another process lives under this id, and it has to go.
    Won,
    /// Another process lives under this id, and this one falls silent.
    Lost,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rivals {
    addr: Option<Addr>,
    bids: u8,
    last: Instant,
}

impl Rivals {
    /// A life at this address, not mine, has gone past me.
    pub(crate) fn on_outbid(&mut self, addr: Addr, cx: &Cx) -> Verdict {
        let recent = cx.now.micros_since(self.last) <= cx.pace.probe_interval.saturating_mul(WINDOW_PERIODS);
        if self.addr != Some(addr) || !recent {
            (self.addr, self.bids) = (Some(addr), 0);
        }
        self.last = cx.now;
        self.bids = self.bids.saturating_add(1);
        match self.bids {
            2 if cx.my_addr < addr => Verdict::Won,
            3 if cx.my_addr > addr => Verdict::Lost,
            _ => Verdict::Unclear,
        }
    }
}
