//! The end of all faults.

use super::*;
use crate::{Bursts, Clog, Damage, Latency, Verdict};

type Strike = fn(&mut World, &[NodeIx]);

/// Everything that can be done to a world, one fault each; `calm` must undo what it does. That a fault of the network is not
/// forgotten is seen by the compiler, in `Network::calm`; that one of [`Link`] is not, by the destructuring here.
fn faults() -> Vec<(&'static str, Strike)> {
    let Link {
        loss: _,
        duplicate: _,
        reorder: _,
        latency_min: _,
        latency_max: _,
        reorder_delay: _,
        spread: _,
        bursts: _,
        damage: _,
        mtu: _,
        clog: _,
    } = Link::default();
    vec![
        ("loss", |w, _| w.link.loss = percent(100)),
        ("bursts", |w, _| w.link.bursts = Some(Bursts { enter: percent(100), leave: 0, loss: percent(100) })),
        ("damage", |w, _| w.link.damage = Damage { flip: percent(100), flips_max: 1, truncate: 0 }),
        ("mtu", |w, _| w.link.mtu = Some(1)),
        ("clog", |w, _| w.link.clog = Some(Clog { rate: 0, buffer: 0 })),
        ("latency", |w, _| w.link = w.link.with_latency(Latency::constant(secs(100)))),
        ("cut", |w, n| w.cut(&n[..1], &n[1..], Way::Both)),
        ("link", |w, n| {
            for &to in &n[1..] {
                w.set_link(n[0], to, Some(Link { loss: percent(100), ..Link::default() }));
            }
        }),
        ("uplink", |w, n| w.set_uplink(n[0], Some(Clog { rate: 0, buffer: 0 }))),
        ("rule", |w, _| w.add_rule(|_| Verdict::Drop)),
        ("zone", |w, n| {
            w.set_zone(n[0], 1);
            w.set_zone_latency(1, 0, Some(Latency::constant(secs(100))));
        }),
        ("block", |w, n| w.block(n[0])),
        ("slow reader", |w, n| w.set_slow_reader(n[0], secs(60))),
        ("pause", |w, n| w.pause(n[0])),
        ("slow", |w, n| w.set_slow(n[0], secs(60))),
        ("socket buffer", |w, n| {
            w.socket_buffer = 0;
            w.set_slow(n[0], millis(1));
        }),
        ("clock", |w, n| w.drift(n[0], -999_000)),
    ]
}

#[test]
fn calm_ends_every_fault_alone_and_all_together() {
    let mut all = faults();
    let alone: Vec<Vec<_>> = all.iter().map(|&fault| vec![fault]).collect();
    // Nothing is resumed or slowed that was paused or is slow.
    all.retain(|&(name, _)| name != "pause");
    for faults in alone.into_iter().chain([all]) {
        let names: Vec<&str> = faults.iter().map(|&(name, _)| name).collect();
        let (mut w, nodes) = cluster(70, 4);
        faults.iter().for_each(|(_, strike)| strike(&mut w, &nodes));
        w.run(secs(60));
        let hurt = w.nodes().any(|node| w.node(node).stats().probes_failed > 0 || w.node(node).stats().probes < 30);
        assert!(hurt, "{names:?} did nothing");
        w.calm();
        // What is under way may be late.
        assert!(w.run_until(secs(300), |w| w.all_see(4) && w.all_agree()).is_some(), "{names:?}");
        w.run(secs(100));
        let (before, failed) = (w.network(), probes(&w));
        w.run(secs(60));
        let after = w.network();
        assert_eq!(after.ended() - before.ended(), after.delivered - before.delivered, "{names:?}: some were lost");
        let (probed, acked) = (probes(&w).0 - failed.0, probes(&w).1 - failed.1);
        assert!(probed >= 4 * 55 && acked + 4 >= probed, "{names:?}: {acked} acks of {probed} probes");
        assert!(nodes.iter().all(|&n| w.zone(n) == 0 && w.is_running(n)), "{names:?}");
    }
}

/// Probes begun and probes answered.
fn probes(w: &World) -> (u64, u64) {
    let stats = w.nodes().map(|node| *w.node(node).stats());
    stats.fold((0, 0), |(begun, acked), s| (begun + s.probes, acked + s.probes_acked))
}

#[test]
fn calm_leaves_what_has_happened() {
    let (mut w, nodes) = cluster(71, 3);
    w.kill(nodes[2]);
    w.clock_forth(nodes[0], secs(50));
    w.calm();
    assert!(!w.is_running(nodes[2]));
    assert_eq!(w.clock(nodes[0]), w.now() + secs(50));
}
