use swim_core::Event;
use swim_driver::{Key, Keyring};

use super::*;
use crate::{Link, NodeIx, World, millis, percent, secs};

fn cluster(seed: u64, n: usize, config: &Config) -> World {
    formed(World::with_config(seed, config.clone()), n)
}

fn formed(mut w: World, n: usize) -> World {
    for i in 0..n {
        let node = w.spawn(&format!("n{i}"));
        if i > 0 {
            w.join(node, &[NodeIx::FIRST]);
        }
        w.run(millis(20));
    }
    let quiet = |w: &World| w.all_see(n) && w.is_at_rest();
    w.run_until(secs(120), quiet).expect("the cluster forms");
    w
}

/// Mean times until the first suspicion and the first death, over so many crashes one after the other, each at its own
/// moment of a period.
fn crashes(seed: u64, n: usize, config: &Config, count: u64) -> [f64; 2] {
    let mut w = cluster(seed, n, config);
    let mut sums = [0.0; 2];
    for i in 0..count {
        w.run(millis(3_000 + i * 377 % 1_000));
        let victim = w.nodes().nth((i as usize * 7 + 3) % n).unwrap();
        let (id, crash) = (w.id(victim), w.now());
        w.kill(victim);
        w.run_until(secs(400), |w| w.all_see(n - 1)).expect("all know");
        let first = |hit: fn(&Event) -> bool| {
            let told =
                w.nodes().flat_map(|o| w.events(o)).filter(|(at, e)| *at >= crash && e.member() == Some(id) && hit(e));
            ms(told.map(|(at, _)| *at).min().expect("somebody told").since(crash))
        };
        sums[0] += first(|e| matches!(e, Event::MemberSuspect { .. }));
        sums[1] += first(|e| matches!(e, Event::MemberDown { .. }));
        w.restart(victim);
        w.join(victim, &[w.nodes().find(|&o| o != victim).unwrap()]);
        w.run_until(secs(60), |w| w.all_see(n) && w.all_agree()).expect("it is back");
    }
    sums.map(|sum| sum / count as f64)
}

fn near(what: &str, measured: f64, planned: f64, tolerance: f64) {
    assert!((measured / planned - 1.0).abs() < tolerance, "{what}: measured {measured}, planned {planned}");
}

#[test]
fn detection_is_as_planned() {
    for (n, count, tolerance) in [(50, 100, 0.1), (8, 150, 0.1), (3, 150, 0.1), (2, 100, 0.1)] {
        let config = Config::lan("sim");
        let plan = Plan::of(&Question::new(&config, n)).detection;
        let [suspected, dead] = crashes(7, n, &config, count);
        near("first suspicion", suspected, plan.first_suspicion_mean_ms, tolerance);
        near("first death", dead, plan.first_dead_mean_ms, 0.05);
    }
}

/// Where confirmations come later than the shortest suspicion is long.
#[test]
fn late_confirmations_are_planned_too() {
    let mut config = Config::lan("sim");
    config.suspicion_alpha_percent = 100;
    let plan = Plan::of(&Question::new(&config, 12)).detection;
    assert!(plan.first_dead_mean_ms > plan.first_suspicion_mean_ms + 1.5 * plan.suspicion_min_ms, "{plan:?}");
    let [_, dead] = crashes(3, 12, &config, 150);
    near("first death", dead, plan.first_dead_mean_ms, 0.05);
}

/// P(R > x) by its definition, from gaps counted one by one.
#[test]
fn the_law_of_the_first_ping_is_that_of_shuffled_laps() {
    for n in [2, 3, 9] {
        let m = n - 1;
        let crash = Crash::new(&Config::lan("sim"), n);
        let gaps: Vec<usize> = (0..m).flat_map(|a| (0..m).map(move |b| m - a + b)).collect();
        for x in 0..2 * m {
            let left: usize = gaps.iter().map(|g| g.saturating_sub(x)).sum();
            let want = left as f64 / gaps.iter().sum::<usize>() as f64;
            assert!((crash.later_than(x as f64) - want).abs() < 1e-9, "N={n}, x={x}");
        }
    }
    let two = Crash::new(&Config::lan("sim"), 2);
    assert!((two.first_ping_mean() - 0.5).abs() < 1e-9 && (two.first_ping_quantile(0.99) - 0.99).abs() < 1e-9);
    let many = Crash::new(&Config::lan("sim"), 10_000);
    assert!((many.first_ping_mean() - 1.0).abs() < 1e-3, "{}", many.first_ping_mean());
    assert!((many.first_ping_quantile(0.99) - 100_f64.ln()).abs() < 1e-2, "{}", many.first_ping_quantile(0.99));
}

/// A minute of a quiet cluster: sixty pings and sixty acks of each node, to the byte.
#[test]
fn idle_traffic_is_as_planned() {
    let config = Config::lan("sim");
    let mut w = cluster(5, 50, &config);
    w.run(secs(5));
    let before = w.sent_total();
    w.run(secs(60));
    let after = w.sent_total();
    let plan = Plan::of(&Question::new(&config, 50)).idle;
    assert_eq!((plan.datagrams_per_second, plan.bytes_per_second), (2.0, 138.0));
    // A ping and its ack may lie on both sides of the edge.
    let datagrams = after.datagrams - before.datagrams;
    assert!(datagrams.abs_diff(120 * 50) <= 2, "{datagrams}");
    let bytes = after.wire_bytes() - before.wire_bytes();
    assert!(bytes.abs_diff(60 * 50 * 138) <= 2 * 80, "{bytes}");
}

/// The same with keys: each of the two is longer by the sealed envelope's 42 bytes, less the plain one's 10.
#[test]
fn sealed_idle_traffic_is_as_planned() {
    let config = Config::lan("sim");
    let mut w = World::with_config(5, config.clone());
    w.seal(Keyring::new(Key::from_bytes([7; 32])));
    let mut w = formed(w, 20);
    // Until all have met: a first contact costs a challenge and a proof.
    w.run(secs(60));
    let before = w.sent_total();
    w.run(secs(60));
    let after = w.sent_total();
    let plan = Plan::of(&Question { sealed: true, ..Question::new(&config, 20) });
    assert_eq!((plan.idle.datagrams_per_second, plan.idle.bytes_per_second), (2.0, 202.0));
    let bytes = after.wire_bytes() - before.wire_bytes();
    assert!(bytes.abs_diff(60 * 20 * 202) <= 2 * 112, "{bytes}");
    let plain = Plan::of(&Question::new(&config, 20));
    assert!(plan.change.bytes_max > plain.change.bytes_max && plan.join.rows_bytes > plain.join.rows_bytes);
    assert!(plan.sealed && !plain.sealed);
}

#[test]
fn loss_costs_what_is_planned() {
    let mut config = Config::lan("sim");
    config.health_max = 0;
    for loss in [15, 25] {
        let mut w = cluster(9, 8, &config);
        w.link = Link { loss: percent(loss), ..w.link };
        w.log_events = false;
        let count = |w: &World| {
            let stats = |i| *w.node(i).stats();
            let failed: u64 = w.nodes().map(|i| stats(i).probes_failed).sum();
            (failed, w.nodes().map(|i| stats(i).probes).sum::<u64>())
        };
        let before = count(&w);
        w.run(secs(2_400));
        let after = count(&w);
        let plan = Plan::of(&Question { loss: percent(loss), ..Question::new(&config, 8) });
        let measured = (after.0 - before.0) as f64 / (after.1 - before.1) as f64;
        near("failed probes", measured, plan.false_suspicion.probe_fails, 0.25);
    }
    let plan =
        |loss| Plan::of(&Question { loss: percent(loss), ..Question::new(&config, 8) }).false_suspicion.probe_fails;
    assert_eq!([plan(0), plan(10)], [0.0, 0.000_059_717_3], "docs/protocol.md has 6.0e-5");
}

/// Round trips of 60 to 120 ms where acks are waited for 80 ms, and for 200 ms at most.
#[test]
fn latency_costs_what_is_planned() {
    let config = Config::local("sim");
    let (latency_min, latency_max) = (millis(30), millis(60));
    let mut w = cluster(2, 10, &config);
    w.link = Link { latency_min, latency_max, ..w.link };
    let count = |w: &World| {
        let sum = |of: fn(&swim_core::Stats) -> u64| w.nodes().map(|i| of(w.node(i).stats())).sum::<u64>() as f64;
        [
            w.sent_total().datagrams as f64,
            w.sent_total().wire_bytes() as f64,
            sum(|s| s.probes),
            sum(|s| s.probes_failed),
        ]
    };
    w.run(secs(10));
    let before = count(&w);
    w.run(secs(120));
    let after = count(&w);
    let [datagrams, bytes, probes, failed] = std::array::from_fn(|i| after[i] - before[i]);
    let plan = Plan::of(&Question { latency_min, latency_max, ..Question::new(&config, 10) });
    assert_eq!((failed, plan.false_suspicion.probe_fails), (0.0, 0.0));
    near("datagrams per probe", datagrams / probes, plan.idle.datagrams_per_second / 5.0, 0.03);
    near("bytes per probe", bytes / probes, plan.idle.bytes_per_second / 5.0, 0.03);
    assert!(plan.idle.datagrams_per_second > 50.0, "{:?}", plan.idle);
}

#[test]
fn sums_of_latencies_follow_irwin_and_hall() {
    for (n, x, want) in
        [(1, 0.25, 0.25), (2, 0.5, 0.125), (2, 1.0, 0.5), (2, 1.5, 0.875), (4, 2.0, 0.5), (4, 1.0, 1.0 / 24.0)]
    {
        assert!((irwin_hall(n, x) - want).abs() < 1e-12, "{n} {x}");
    }
}

/// A crash among 50 costs no node more than planned, and the planned most is within a few times of what it is.
#[test]
fn a_change_costs_at_most_what_is_planned() {
    let config = Config::lan("sim");
    let mut w = cluster(12, 50, &config);
    w.kill(NodeIx::FIRST);
    let before: Vec<_> = w.nodes().map(|i| w.sent(i)).collect();
    w.run(secs(30));
    let plan = Plan::of(&Question::new(&config, 50));
    let idle = 30.0 * plan.idle.bytes_per_second;
    let extra = |i: NodeIx| (w.sent(i).wire_bytes() - before[i.index()].wire_bytes()) as f64 - idle;
    let most = w.nodes().skip(1).map(extra).fold(0.0, f64::max);
    // Probes of the dead itself ask relays, which comes on top.
    assert!(most < plan.change.crash_bytes_max + 10.0 * 90.0, "{most} of {:?}", plan.change);
    assert!(most > plan.change.crash_bytes_max / 10.0, "{most} of {:?}", plan.change);
}

#[test]
fn a_joiner_is_sent_what_is_planned() {
    let config = Config::lan("sim");
    let n = 400;
    let mut w = World::with_config(1, config.clone());
    let first = w.spawn("node-00000");
    for i in 1..n {
        let node = w.spawn(&format!("node-{i:05}"));
        w.join(node, &[first]);
        w.run(millis(5));
    }
    w.run_until(secs(120), |w| w.all_see(n) && w.all_agree()).expect("it forms");
    w.run(secs(20));
    let joiner = w.spawn("node-99999");
    let before = w.sent(first).wire_bytes();
    w.join(joiner, &[first]);
    w.run_until(secs(5), |w| w.node(joiner).live_count() == n + 1).expect("it sees all");
    let sent = (w.sent(first).wire_bytes() - before) as f64;
    near("rows", sent, Plan::of(&Question::new(&config, n)).join.rows_bytes, 0.15);
}

#[test]
fn what_is_doubtful_is_said() {
    let said = |change: &dyn Fn(&mut Config), nodes: usize, loss: u32, latency: u64, words: &[&str]| {
        let mut config = Config::lan("sim");
        change(&mut config);
        let latency = millis(latency);
        let question = Question {
            loss: percent(loss),
            latency_min: latency,
            latency_max: latency,
            ..Question::new(&config, nodes)
        };
        let warnings = Plan::of(&question).warnings.join("\n");
        for word in words {
            assert!(warnings.contains(word), "no {word:?} in {warnings:?}");
        }
        warnings
    };
    assert_eq!(said(&|_| (), 50, 0, 1, &[]), "", "the preset where it belongs");
    said(&|_| (), 50, 0, 260, &["not less than probe_timeout (500 ms)", "raise probe_timeout"]);
    said(&|_| (), 50, 0, 500, &["a whole period", "preset wan"]);
    said(&|_| (), 50, 0, 130, &["relays help nobody"]);
    said(&|_| (), 50, 30, 1, &["suspected", "times an hour"]);
    said(&|c| c.mtu = 8_000, 50, 0, 1, &["mtu 8000", "Ethernet"]);
    said(&|c| c.members_max = 40, 50, 0, 1, &["newcomers are refused"]);
    said(&|c| c.members_max = 60, 50, 0, 1, &["rows of the dead"]);
    said(&|c| c.indirect_probes = 0, 50, 0, 1, &["without indirect probes"]);
    said(&|c| (c.suspicion_alpha_percent, c.gossip_fanout) = (100, 1), 2_000, 0, 1, &["the shortest suspicion"]);
    said(&|c| c.tombstone_ttl = secs(15), 50, 0, 1, &["tombstone_ttl (15 s) is shorter"]);
    said(&|c| c.suspicion_alpha_percent = 6_000, 50, 0, 1, &["a crash is known after"]);
    said(&|c| c.gossip_interval = secs(2), 50, 0, 1, &["rides on probes alone"]);
}

#[test]
fn a_plan_is_made_of_finite_numbers_for_every_size() {
    for config in [Config::local("c"), Config::lan("c"), Config::wan("c")] {
        for nodes in [2, 3, 4, 5, 10, 1_000, 60_000] {
            let question = Question { loss: percent(5), ..Question::new(&config, nodes) };
            let plan = Plan::of(&question);
            let d = plan.detection;
            let order = [
                d.first_suspicion_mean_ms,
                d.first_suspicion_p99_ms,
                d.first_dead_p99_ms,
                d.first_dead_worst_ms,
                d.first_dead_worst_health_ms,
            ];
            assert!(order.windows(2).all(|w| 0.0 < w[0] && w[0] < w[1]), "{nodes}: {d:?}");
            assert!(d.first_dead_mean_ms >= d.first_suspicion_mean_ms + d.suspicion_min_ms - 1.0, "{nodes}: {d:?}");
            let json = serde_json::to_string(&plan).expect("finite numbers can be written");
            assert!(!json.contains("null"), "{json}");
        }
    }
}

/// Of two, neither can confirm the other's suspicion, and each tells the other alone.
#[test]
fn a_pair_is_no_large_cluster() {
    let config = Config::lan("sim");
    let lossy = |nodes, loss| Plan::of(&Question { loss: percent(loss), ..Question::new(&config, nodes) });
    let plan = lossy(2, 0);
    let d = plan.detection;
    assert_eq!((d.confirmations, d.suspicion_max_ms), (0, d.suspicion_min_ms));
    assert_eq!(d.first_dead_worst_ms, d.first_suspicion_worst_ms + d.suspicion_max_ms);
    let unwell = d.first_suspicion_worst_ms * f64::from(config.health_max + 1);
    assert_eq!(d.first_dead_worst_health_ms, unwell + d.suspicion_max_ms);
    assert_eq!(plan.change.peak_datagrams_per_second, 5.0, "one each 200 ms");
    assert_eq!((plan.dissemination.somebody_misses, lossy(4, 0).dissemination.somebody_misses), (0.0, 0.0));
    assert_eq!((plan.dissemination.times_told, lossy(2, 10).dissemination.somebody_misses), (2, 0.01));
    near("1000 nodes", lossy(1_000, 0).dissemination.somebody_misses, 0.006, 0.05);
}

#[test]
fn no_more_rows_are_kept_than_may_be() {
    let mut config = Config::lan("sim");
    config.members_max = 40;
    let memory = |nodes| Plan::of(&Question::new(&config, nodes)).memory;
    assert_eq!(memory(100).bytes, memory(100).bytes_at_members_max);
    assert!(memory(30).bytes < memory(40).bytes && memory(40) == memory(41));
}
