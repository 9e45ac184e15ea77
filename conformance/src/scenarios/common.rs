//! What several scenarios look at.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Config, Event, NodeId, State};
use swim_driver::{Events, TryRecvError};

use crate::{Harness, Inspect, Mark, Peer, Run, Spec};

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

/// How long it may take until all of `n` nodes hold somebody dead who is gone. In this time everybody comes to probe it, and
/// nobody confirms; then as much again for nodes that probe slowly, because they were held up. A good run takes a fourth.
pub(super) fn detection<H: Harness>(h: &H, n: usize) -> Duration {
    let (_, longest) = h.config().suspicion_bounds(n);
    (h.periods(2 * n as u32) + longest) * 2
}

/// How long it may take until those that have lost each other have found each other again.
pub(super) fn reunion<H: Harness>(h: &H) -> Duration {
    h.config().join_retry_max * 2 + h.periods(40)
}

/// How long it may take until everybody knows what everybody can know by now, on a network that loses nothing.
pub(super) fn soon<H: Harness>(h: &H) -> Duration {
    h.periods(40)
}

/// How much longer a change of metadata may take than other news: a node changes its own once per second, whatever its period.
pub(super) const CHANGES_APART: Duration = Duration::from_secs(1);

/// Whether all of these believe this of that one.
pub(super) fn all_hold<H: Harness>(h: &H, these: &[Peer], that: Peer, state: State) -> bool {
    these.iter().all(|&p| h.sees(p, that) == Some(state))
}

/// Whether all of these have this metadata of that one.
pub(super) fn all_read<H: Harness>(h: &H, these: &[Peer], that: Peer, meta: &[u8]) -> bool {
    let id = h.id(that);
    these.iter().all(|&p| h.view(p).member(id).is_some_and(|row| row.meta() == meta))
}

/// Whom a node has reported gone since that moment, in order, and whether as having left.
pub(super) fn downs<H: Harness>(h: &H, p: Peer, mark: &Mark) -> Vec<(NodeId, bool)> {
    let gone = |e: &Event| if let Event::MemberDown { id, left, .. } = *e { Some((id, left)) } else { None };
    h.since(p, mark).iter().filter_map(gone).collect()
}

/// Whom a node has reported there since that moment, in the order of ids.
pub(super) fn ups<H: Harness>(h: &H, p: Peer, mark: &Mark) -> Vec<NodeId> {
    let there = |e: &Event| if let Event::MemberUp { id, .. } = *e { Some(id) } else { None };
    let mut ids: Vec<NodeId> = h.since(p, mark).iter().filter_map(there).collect();
    ids.sort_unstable();
    ids
}

/// The ids of these, in their order.
pub(super) fn ids<H: Harness>(h: &H, these: &[Peer]) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = these.iter().map(|&p| h.id(p)).collect();
    ids.sort_unstable();
    ids
}

/// Whether it has reported that it is in the cluster of its seeds.
pub(super) fn joined<H: Harness>(h: &H, p: Peer) -> bool {
    h.events(p).iter().any(|e| matches!(e, Event::Joined { .. }))
}

/// Starts a node that joins through one of these.
pub(super) fn newcomer<H: Harness>(h: &mut H, run: &mut Run, seeds: &[Peer]) -> Peer {
    let p = h.spawn(Spec::named("newcomer"));
    h.join_through(p, &[run.pick(seeds)]);
    p
}

/// A config in which suspicions run out after the shortest time, without confirmations: for where there are few to give them.
pub(super) fn hasty<H: Harness>() -> Config {
    let mut config = H::base_config();
    config.suspicion_confirmations = 0;
    config
}

/// All see and agree on so many, now, or within the harness's grace.
pub(super) fn still_whole<H: Harness>(h: &mut H, live: usize) {
    h.until(h.grace(), |h| h.is_whole(live)).expect("all see all");
}

/// What is there now, and why there is no more.
pub(super) fn drain(events: &mut Events) -> (Vec<Event>, TryRecvError) {
    let mut all = Vec::new();
    loop {
        match events.try_recv() {
            Ok(event) => all.push(event),
            Err(end) => return (all, end),
        }
    }
}
