//! Cookies: what a stranger has to send back before it is made a member. It shows that it is heard at its address, and costs
//! this node nothing: a cookie is computed, and computed anew when it comes back.

use serde::{Deserialize, Serialize};

use crate::hash::sip24;
use crate::identity::Addr;
use crate::status::NodeId;
use crate::time::Instant;

/// Microseconds for which a cookie is given out. It holds for as long again.
const EPOCH: u64 = 30_000_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cookies {
    /// Follows from the seed, by a hash that cannot be turned round, and is part of the state: a replay gives out the same.
    key: [u64; 2],
}

impl Cookies {
    pub(crate) fn new(rng_seed: u64) -> Self {
        let word = |n| sip24([rng_seed, n], &[]);
        Self { key: [word(1), word(2)] }
    }

    /// The cookie for whoever says at this address that it is this node.
    pub(crate) fn give(&self, to: Addr, id: NodeId, now: Instant) -> u64 {
        self.of(to, id, now.as_micros() / EPOCH)
    }

    /// Was this cookie given out to it, not long ago?
    pub(crate) fn proves(&self, cookie: u64, from: Addr, id: NodeId, now: Instant) -> bool {
        let epoch = now.as_micros() / EPOCH;
        cookie == self.of(from, id, epoch) || epoch > 0 && cookie == self.of(from, id, epoch - 1)
    }

    fn of(&self, addr: Addr, id: NodeId, epoch: u64) -> u64 {
        let family = u64::from(matches!(addr, Addr::V6(..)));
        let (a, b) = addr.words();
        sip24(self.key, &[a, b, u64::from(addr.port()) << 1 | family, id.as_u64(), epoch])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_one_id_at_one_address_for_a_while() {
        let (cookies, id) = (Cookies::new(1), NodeId::new(9));
        let addr = |ip: [u8; 4], port| Addr::V4(ip, port);
        let here = addr([10, 0, 0, 1], 7946);
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        for given in [0, 1, 29, 30, 31, 1_000] {
            let cookie = cookies.give(here, id, at(given));
            assert!((given..=given + 30).all(|now| cookies.proves(cookie, here, id, at(now))));
            assert!((given + 60..given + 200).all(|now| !cookies.proves(cookie, here, id, at(now))));
            for other in [addr([10, 0, 0, 2], 7946), addr([10, 0, 0, 1], 7947), Addr::V6([10; 16], 7946)] {
                assert!(!cookies.proves(cookie, other, id, at(given)));
            }
            assert!(!cookies.proves(cookie, here, NodeId::new(10), at(given)));
            assert!(!Cookies::new(2).proves(cookie, here, id, at(given)));
        }
    }
}
