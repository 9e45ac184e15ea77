//! What several scenarios look at.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::Config;

use crate::{Harness, Inspect, Peer};

/// All but this one.
pub(super) fn others(nodes: &[Peer], one: Peer) -> Vec<Peer> {
    nodes.iter().copied().filter(|&p| p != one).collect()
}

/// Datagrams that each node that runs sends per period, over so many periods from now on.
pub(super) fn rate<H: Inspect>(h: &mut H, periods: u32) -> f64 {
    let before = h.sent_total().datagrams;
    h.run(h.periods(periods));
    let nodes = h.running().len() as f64;
    (h.sent_total().datagrams - before) as f64 / nodes / f64::from(periods)
}

/// Whether these hold the same live members, told by their view hashes: cheap where there are many.
pub(super) fn hashes_agree<H: Inspect>(h: &H, nodes: &[Peer]) -> bool {
    nodes.windows(2).all(|pair| h.node(pair[0]).view_hash() == h.node(pair[1]).view_hash())
}

/// A time in protocol periods.
pub(super) fn in_periods<H: Harness>(h: &H, d: Duration) -> f64 {
    d.as_secs_f64() / h.periods(1).as_secs_f64()
}

/// Datagrams as they were sent: from, to, bytes.
pub(super) type Captured = Vec<(SocketAddr, SocketAddr, Vec<u8>)>;

/// The node at this address.
pub(super) fn peer_at<H: Harness>(h: &H, nodes: &[Peer], addr: SocketAddr) -> Peer {
    nodes.iter().copied().find(|&p| h.addr(p) == addr).expect("nodes write to nodes only")
}

/// A config whose tombstones last for so many periods.
pub(super) fn short_tombstones<H: Harness>(periods: u32) -> Config {
    let mut config = H::base_config();
    config.tombstone_ttl = config.probe_interval * periods;
    config
}
