//! When nodes wake up. Scenario I10.

use crate::{Inspect, Run};

/// I10: an idle cluster wakes up for its probes only.
pub fn i10_idle_nodes_do_not_spin<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 20);
    let timeouts = |h: &H| nodes.iter().map(|&p| h.node(p).stats().timeouts).sum::<u64>();
    let before = timeouts(&h);
    let sent = h.sent_total();
    h.run(h.periods(100));
    // One deadline per node and period; the first and the last period may be cut.
    assert!((timeouts(&h) - before).abs_diff(20 * 100) <= 20, "{} deadlines", timeouts(&h) - before);
    let now = h.sent_total();
    let datagrams = (now.datagrams - sent.datagrams) as f64 / 2_000.0;
    let bytes = (now.wire_bytes - sent.wire_bytes) as f64 / 2_000.0;
    run.figure("idle, per node and period: datagrams", datagrams);
    run.figure("idle, per node and period: bytes with IP and UDP headers", bytes);
    assert!((1.99..=2.01).contains(&datagrams) && bytes <= 140.0, "{datagrams} datagrams, {bytes} bytes");
}
