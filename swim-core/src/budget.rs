//! What answering others' syncs may cost: bytes per second, so that a crowd of joiners, or a peer that asks without end,
//! takes a bounded part of this node's line.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::time::Instant;

const SECOND: u64 = 1_000_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Budget {
    /// Bytes spent and not yet earned back.
    debt: u64,
    since: Instant,
}

impl Budget {
    /// May another answer be given now? At most a second's worth is spent ahead, to strangers half of it: however much
    /// they ask, members are answered.
    pub(crate) fn allows(&mut self, to_stranger: bool, cx: &Cx) -> bool {
        let rate = u64::from(cx.config.sync_rate);
        let passed = cx.now.micros_since(self.since);
        let earned = u64::try_from(u128::from(passed) * u128::from(rate) / u128::from(SECOND)).unwrap_or(u64::MAX);
        if earned > 0 {
            self.debt = self.debt.saturating_sub(earned);
            self.since = cx.now;
        }
        self.debt < if to_stranger { rate / 2 } else { rate }
    }

    pub(crate) fn spend(&mut self, bytes: usize) {
        self.debt = self.debt.saturating_add(bytes as u64);
    }
}
