use std::time::Duration;

use super::*;
use crate::{millis, percent, secs};

fn drill(nodes: usize, seconds: u64, faults: &[(Kind, u64, Option<u64>)]) -> Drill {
    let fault = |(i, &(kind, at, until)): (usize, &(Kind, u64, Option<u64>))| Fault {
        label: format!("fault {i}"),
        kind,
        at: secs(at),
        until: until.map(secs),
    };
    let faults = faults.iter().enumerate().map(fault).collect();
    Drill { duration: secs(seconds), faults, ..Drill::new(Config::lan("sim"), nodes) }
}

fn run(drill: &Drill) -> Report {
    drill.run(&mut |_| ()).expect("it forms")
}

#[test]
fn a_crash_is_seen_by_all_and_by_nobody_else() {
    let report = run(&drill(20, 60, &[(Kind::Crash(Who::Count(2)), 10, None)]));
    let crash = &report.faults[0];
    let (suspected, dead) = (crash.first_suspicion.unwrap(), crash.dead_everywhere.unwrap());
    assert_eq!((crash.nodes.len(), suspected.count, dead.count), (2, 2, 2));
    assert!((1_000.0..10_000.0).contains(&suspected.min) && suspected.max < dead.min, "{crash:?}");
    let right = crash.right_again_ms.unwrap();
    assert!((0.0..=50.0).contains(&(right - dead.max)), "looked at every 50 ms: {right} after {dead:?}");
    assert_eq!((report.true_deaths.members, report.true_deaths.reports), (2, 36));
    assert_eq!((report.false_deaths, report.apart_deaths, report.false_suspicions), Default::default());
    assert!(report.agreement.converged && report.agreement.running == 18);
    // A ping and an ack per period, and later some knocks at where the dead were.
    assert_eq!(report.samples[5].sent, Traffic { datagrams: 2.0, bytes: 138.0 });
    let idle = report.traffic.idle.unwrap();
    assert!((2.0..2.2).contains(&idle.datagrams) && (138.0..155.0).contains(&idle.bytes), "{idle:?}");
    assert!(report.traffic.peak.bytes > 2.0 * idle.bytes, "{:?}", report.traffic);
    assert!((10.0..25.0).contains(&report.traffic.peak_at_s), "{:?}", report.traffic);
    assert_eq!(report.samples.len(), 60);
    assert_eq!((report.samples[5].live, report.samples[59].live), ([20; 3], [18; 3]));
    assert!(report.samples.iter().any(|sample| sample.suspected == 2), "they were suspected for seconds");
}

#[test]
fn a_cut_is_no_error_of_the_detector_and_mends() {
    let report = run(&drill(12, 150, &[(Kind::Cut(Who::Percent(25)), 10, Some(90))]));
    let cut = &report.faults[0];
    assert_eq!((cut.nodes.len(), cut.dead_everywhere.unwrap().count), (3, 3));
    assert!(report.apart_deaths.members >= 12 && report.apart_deaths.reports >= 2 * 3 * 9, "{report:?}");
    assert_eq!((report.false_deaths.members, report.true_deaths.members), (0, 0));
    assert!(cut.right_again_ms.unwrap() > 0.0 && cut.refutations >= 12, "{cut:?}");
    assert!(report.agreement.converged);
}

/// Half of all datagrams lost, and a suspicion that leaves hardly a second to refute.
#[test]
fn who_runs_and_is_declared_dead_is_an_error() {
    let mut drill = drill(20, 120, &[(Kind::Loss(percent(50)), 10, Some(40))]);
    (drill.config.suspicion_alpha_percent, drill.config.suspicion_beta) = (100, 1);
    let report = run(&drill);
    assert!(report.false_deaths.members > 0 && report.false_deaths.reports > 0, "{:?}", report.false_deaths);
    assert!(report.false_suspicions as usize >= report.false_deaths.members, "{report:?}");
    assert_eq!((report.apart_deaths, report.true_deaths), Default::default());
    assert!(report.faults[0].suspected_members > 0 && report.faults[0].right_again_ms.is_some(), "{:?}", report.faults);
}

#[test]
fn who_is_deaf_or_mute_or_paused_is_taken_for_dead() {
    for kind in [Kind::Mute(Who::Count(1)), Kind::Deaf(Who::Count(1)), Kind::Pause(Who::Count(1))] {
        let report = run(&drill(10, 100, &[(kind, 10, Some(40))]));
        assert!(report.apart_deaths.members >= 1 && report.false_deaths.members == 0, "{kind:?}: {report:?}");
        assert!(report.faults[0].first_dead.is_some() && report.agreement.converged, "{kind:?}: {report:?}");
    }
}

#[test]
fn processes_that_come_and_go_are_followed() {
    let faults = [
        (Kind::Restart(Who::Count(2)), 5, None),
        (Kind::Restart(Who::Count(1)), 15, Some(35)),
        (Kind::Leave(Who::Count(2)), 50, None),
        (Kind::Join(3), 60, Some(63)),
        (Kind::RollingRestart(Who::All, millis(500)), 70, Some(90)),
    ];
    let report = run(&drill(10, 110, &faults));
    let [at_once, down, leave, join, rolling] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert_eq!((at_once.up_everywhere.unwrap().count, at_once.first_dead), (2, None));
    assert_eq!((down.dead_everywhere.unwrap().count, down.up_everywhere.unwrap().count), (1, 1));
    assert_eq!((leave.left_everywhere.unwrap().count, leave.first_dead), (2, None));
    assert_eq!((join.nodes.join(" "), join.up_everywhere.unwrap().count), ("n11 n12 n13".into(), 3));
    assert_eq!((rolling.nodes.len(), rolling.up_everywhere.unwrap().count), (11, 11));
    assert!(report.faults.iter().all(|fault| fault.right_again_ms.is_some()), "{report:#?}");
    assert_eq!((report.agreement.running, report.agreement.converged, report.false_deaths.members), (11, true, 0));
}

#[test]
fn the_network_and_the_machines_are_what_they_were_when_a_fault_is_over() {
    let faults = [
        (Kind::Loss(percent(60)), 5, Some(20)),
        (Kind::Latency(millis(100), millis(150)), 10, Some(25)),
        (Kind::Slow(Who::Count(1), millis(300)), 5, Some(20)),
        (Kind::ClockForth(Who::Count(1), secs(20)), 30, None),
        (Kind::ClockBack(Who::Count(1), secs(5)), 31, None),
        (Kind::Drift(Who::Count(1), 10_000), 32, Some(40)),
    ];
    let mut drill = drill(8, 200, &faults);
    drill.link.loss = percent(1);
    let played = |seconds: u64| {
        let part = Drill { duration: secs(seconds), ..drill.clone() };
        let mut stage = Stage::formed(&part, &mut |_| ()).unwrap();
        stage.play(&mut |_| ());
        stage.world().link
    };
    let (latency_min, latency_max) = (millis(100), millis(150));
    assert_eq!(played(4), drill.link);
    assert_eq!(played(15), Link { loss: percent(60), latency_min, latency_max, ..drill.link }, "both at a time");
    assert_eq!(played(22), Link { latency_min, latency_max, ..drill.link });
    let mut stage = Stage::formed(&drill, &mut |_| ()).unwrap();
    stage.play(&mut |_| ());
    assert_eq!(stage.world().link, drill.link);
    let lost = stage.world().network().lost;
    assert!(lost > 100, "{lost} were lost at 60 %");
    let report = stage.report();
    assert!(report.refutations > 0 && report.faults.iter().all(|fault| fault.right_again_ms.is_some()), "{report:#?}");
}

#[test]
fn whoever_sees_something_else_in_the_end_is_named() {
    let report = run(&drill(6, 120, &[(Kind::Cut(Who::Count(1)), 10, None)]));
    let (agreement, alone) = (&report.agreement, &report.faults[0].nodes[0]);
    assert!(!agreement.converged && agreement.unlike_count == 6 && report.faults[0].right_again_ms.is_none());
    let its = agreement.unlike.iter().find(|unlike| unlike.node == *alone).unwrap();
    assert_eq!((its.sees, its.misses.len()), (1, 5));
    assert!(agreement.unlike.iter().all(|unlike| unlike.node == *alone || unlike.misses == [alone.clone()]));
}

#[test]
fn the_same_drill_gives_the_same_report() {
    let mut drill = drill(9, 40, &[(Kind::Crash(Who::Count(2)), 5, None), (Kind::Loss(percent(20)), 10, Some(20))]);
    let first = run(&drill);
    assert_eq!(run(&drill), first);
    drill.seed += 1;
    assert_ne!(run(&drill).digest, first.digest);
}

#[test]
fn a_cluster_that_cannot_form_says_so() {
    let mut drill = drill(3, 10, &[]);
    drill.link.loss = percent(100);
    let not = drill.run(&mut |_| ()).unwrap_err();
    assert!(not.fewest == 1 && not.waited >= Duration::from_secs(600), "{not:?}");
}

#[test]
fn progress_is_told_from_begin_to_end() {
    let mut told = Vec::new();
    drill(3, 5, &[]).run(&mut |progress| told.push(progress)).unwrap();
    assert_eq!(told.first(), Some(&Progress::Forming { started: 1 }));
    assert_eq!(told.last(), Some(&Progress::Running { passed: secs(5) }));
}
