//! Probes, and what a node makes of them that was away itself. Scenario C1.

use swim_core::{Config, Event, State};

use super::common::{all_hold, soon};
use crate::{Harness, Inspect, Run, is_down};

/// C1: one of five is suspended for ten periods: on waking it suspects nobody, trusts itself less, and is alive for all.
pub fn c1_a_suspended_host_convicts_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let sleeper = run.pick(&nodes);
    let start = h.mark();
    h.pause(sleeper);
    h.run(h.periods(10));
    let woken = h.mark();
    h.resume(sleeper);
    // Long enough for the probe that it had under way, and for all that it has to read.
    h.run(h.periods(2));
    // Before it has heard of any accusation, which would make it worse, too.
    let told = h.since(sleeper, &woken);
    let first = |hit: fn(&Event) -> bool| told.iter().position(hit);
    let worse = first(|e| matches!(e, Event::Health { score } if *score > 0)).expect("local health worsens instead");
    assert!(first(|e| matches!(e, Event::Refuted { .. })).is_none_or(|refuted| worse < refuted));
    let mine = Some(h.id(sleeper));
    let accuses = |e: &&Event| matches!(**e, Event::MemberSuspect { by, .. } if by == mine) || is_down(e);
    assert_eq!(told.iter().find(accuses), None, "the sleeper convicts");
    h.run(h.periods(18));
    assert_eq!(h.count_since(sleeper, &woken, is_down), 0, "the sleeper convicts");
    // The others may have found it dead meanwhile: for ten periods it was. Nobody else is.
    let id = Some(h.id(sleeper));
    for p in nodes {
        let other = h.since(p, &start).into_iter().find(|e| is_down(e) && e.member() != id);
        assert_eq!(other, None, "{p:?} reports another death");
    }
    let back = |h: &mut H| all_hold(h, &nodes, sleeper, State::Alive) && h.is_whole(5);
    h.until(soon(&h), back).expect("it is alive for all");
}

/// C1 for shorter stalls: however long one node is held up, it accuses none of the others. Only for networks on virtual time:
/// on a real machine the others are held up at times, too.
pub fn c1_a_stalled_node_accuses_nobody<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let stalled = nodes[1];
    let mine = Some(h.id(stalled));
    for tenths in [4, 8, 10, 12, 14, 16, 19, 25] {
        let mark = h.mark();
        h.pause(stalled);
        h.run(h.periods(tenths) / 10);
        h.resume(stalled);
        let rest = h.periods(4) + run.part_of(h.periods(1));
        h.run(rest);
        let accuses = |e: &Event| matches!(e, Event::MemberSuspect { by, .. } if *by == mine);
        let accused = h.since(stalled, &mark).into_iter().find(accuses);
        assert_eq!(accused, None, "after {tenths} tenths of a period");
    }
}

/// After one crash the healthy stay healthy, on every preset: relays' nacks come in time.
pub fn one_crash_costs_no_health<H: Inspect>(run: &mut Run) {
    for config in [Config::local("sim"), Config::lan("sim"), Config::wan("sim")] {
        let (mut h, nodes) = run.cluster::<H>(config, 6);
        h.kill(nodes[5]);
        let mut worst = 0;
        for _ in 0..200 {
            h.run(h.periods(1) / 4);
            worst = nodes[..5].iter().map(|&p| h.node(p).health()).max().unwrap_or(0).max(worst);
        }
        assert_eq!(worst, 0, "with periods of {:?}", h.periods(1));
    }
}
