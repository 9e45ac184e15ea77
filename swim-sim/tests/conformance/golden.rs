//! Golden traces: what one node saw in a scenario, and all that came out of it, in `conformance/traces`. They are recorded here,
//! when that is asked for; every build of the core replays them in `conformance/tests/coverage`.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::{Harness as _, Run, scenarios};
use swim_sim::{millis, secs};
use swim_trace::Trace;
use swim_trace_tools::{convert, jsonl};

use super::Sim;
use crate::lives;

/// Which life of which node is recorded.
struct Golden {
    /// The scenario's, and the file's.
    name: &'static str,
    play: fn(&mut Run),
    /// In the order in which they were spawned, from 0.
    node: usize,
    /// From 1.
    life: u64,
}

/// The one with the most to decide, where it is short.
macro_rules! goldens {
    ($($section:ident { $($name:ident: $node:literal, $life:literal;)* })*) => {
        &[$($(Golden {
            name: stringify!($name),
            play: scenarios::$section::$name::<Sim>,
            node: $node,
            life: $life,
        },)*)*]
    };
}

const GOLDENS: &[Golden] = goldens! {
    deaths {
        a_crash_is_reported_once_by_each: 1, 1;
        two_crash_at_once: 4, 1;
        a_short_pause_kills_nobody: 3, 1;
        d1_a_suspect_refutes: 2, 1;
        d7_who_was_found_dead_comes_back: 3, 1;
    }
    suspicion {
        d4_the_first_accuser_crashes: 2, 1;
        d9_the_suspect_hears_of_it_first: 0, 1;
        d11_a_bad_link_kills_nobody: 4, 1;
        d12_deaths_of_nobody: 0, 1;
    }
    probe {
        c1_a_suspended_host_convicts_nobody: 1, 1;
    }
    verdicts {
        p5_a_starved_node_kills_nobody: 3, 1;
        p14_a_mute_member_keeps_nobody_from_agreeing: 4, 1;
        p17_late_acks_are_acks: 2, 1;
        p23_a_relay_asks_no_relay: 6, 1;
    }
    leave {
        e1_leave_while_another_is_suspected: 2, 1;
        e4_back_on_the_same_port_at_once: 4, 1;
        e5_leave_while_alone: 0, 1;
    }
    joins {
        all_join_at_once: 3, 1;
        each_joins_through_the_one_before: 2, 1;
        b4_the_seed_starts_last: 1, 1;
        b5_itself_and_others_among_the_seeds: 0, 1;
        p7_seeds_of_two_clusters: 5, 1;
        a_join_while_a_quarter_is_lost: 1, 1;
    }
    restarts {
        p15_restarted_before_it_is_missed: 1, 1;
        p15_restarted_after_its_death: 3, 1;
        a14_restarted_in_the_same_epoch: 1, 1;
        a13_restarted_below_the_epoch_of_its_death: 1, 1;
    }
    identity {
        a2_a_restart_with_an_older_epoch: 1, 2;
        a3_two_processes_with_one_id: 5, 1;
        a3_and_then_it_is_quiet: 3, 1;
        a8_a_hundred_changes_of_metadata: 3, 1;
        a9_a_member_moves: 1, 1;
        a9_a_move_within_one_epoch: 1, 1;
        a10_an_address_is_taken_over: 1, 1;
        a15_a_stranger_says_i_am_dead: 1, 1;
    }
    lives {
        a5_six_restart_together: 14, 1;
        a6_two_that_hold_each_other_dead: 0, 1;
        a7_datagrams_of_a_former_life: 3, 1;
        a13_restarts_below_a_believed_death: 3, 2;
    }
    gossip {
        a_missed_profile_is_repaired: 4, 1;
        p11_the_longest_metadata_reaches_all: 1, 1;
    }
    splits {
        a_short_split_kills_nobody: 2, 1;
        a_long_split_heals: 2, 1;
        a_one_way_split_heals: 2, 1;
    }
    partition {
        b1_isolated_nodes_come_back: 0, 1;
    }
    network {
        doubled_and_overtaken_datagrams_change_nothing: 5, 1;
    }
    rows {
        p1_leave_and_return_in_quick_succession: 4, 4;
        p10_a_far_future_epoch_shuts_nobody_out: 1, 2;
        p22_both_sides_reaped_each_other: 1, 1;
    }
    traffic {
        p8_flipped_bits_change_nothing: 3, 1;
        p13_both_make_first_contact_at_once: 0, 1;
        p20_after_a_heal_traffic_settles: 8, 1;
        p21_rows_come_without_gaps: 60, 1;
    }
};

/// What no network but this one can do to a node.
const OWN: [Golden; 2] = [
    Golden { name: "a_clock_that_jumps", play: a_clock_that_jumps, node: 1, life: 1 },
    Golden { name: "sends_that_are_blocked", play: sends_that_are_blocked, node: 1, life: 1 },
];

/// The clock of one of five is put forward, back, and goes wrong.
fn a_clock_that_jumps(run: &mut Run) {
    let (mut h, nodes) = run.five::<Sim>();
    let ix = h.ix(nodes[1]);
    h.w.clock_forth(ix, secs(20));
    h.run(secs(3));
    h.w.clock_back(ix, secs(4));
    h.run(secs(6));
    h.w.drift(ix, 200_000);
    h.run(secs(4));
    h.until(secs(60), |h| h.is_whole(5)).expect("nobody minds for long");
}

/// The socket of one of five takes nothing for a while, twice; the second time it leaves meanwhile.
fn sends_that_are_blocked(run: &mut Run) {
    let (mut h, nodes) = run.five::<Sim>();
    let ix = h.ix(nodes[1]);
    for left in [false, true] {
        h.w.block(ix);
        h.run(secs(3) + millis(300));
        if left {
            h.leave(nodes[1]);
            h.run(millis(100));
        }
        if h.w.is_running(ix) {
            h.w.unblock(ix);
        }
        h.run(secs(6));
    }
    h.until(secs(60), |h| h.is_whole(4)).expect("the others know that it has left");
}

fn all() -> impl Iterator<Item = &'static Golden> {
    GOLDENS.iter().chain(&OWN)
}

/// The lines of a golden trace. They hold no snapshot of a state, whose layout may change: they begin with the node.
fn recorded(golden: &Golden) -> Vec<u8> {
    let kept = lives::kept(|| (golden.play)(&mut Run::new(SEED)));
    let wanted = kept.into_iter().find(|kept| (kept.node, kept.life) == (golden.node, golden.life));
    let bytes = wanted.unwrap_or_else(|| panic!("{}: there is no such life", golden.name)).bytes;
    let change = convert::Change { no_keyframes: true, compress: Some(false) };
    let whole = convert::convert(&Trace::open(&bytes).expect("it was just recorded"), change);
    let trace = Trace::open(&whole.bytes).expect("it was just converted");
    assert_eq!(convert::keyframes_needed(&trace), Ok(()), "{}", golden.name);
    let mut lines = Vec::new();
    let written = jsonl::to_jsonl(&trace, &mut lines).expect("memory takes all");
    assert_eq!((written.torn, written.damage), (0, None), "{}", golden.name);
    lines
}

/// All of one seed, since another shows nothing else.
const SEED: u64 = 1;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/traces")
}

/// The names of the traces that are there.
fn there() -> Vec<String> {
    let files = fs::read_dir(dir()).expect("the golden traces have a directory");
    let names = files.map(|file| file.expect("it can be read to its end").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_owned())).collect();
    names.sort();
    names
}

/// Each golden trace is that of a scenario which still exists, and none is missing. `SWIM_BLESS=1` records them anew.
#[test]
fn golden_traces_are_those_of_the_list() {
    let mut listed: Vec<&str> = all().map(|golden| golden.name).collect();
    listed.sort_unstable();
    if std::env::var_os("SWIM_BLESS").is_some_and(|v| v == "1") {
        for gone in there().iter().filter(|name| !listed.contains(&name.as_str())) {
            fs::remove_file(dir().join(gone).with_extension("jsonl")).expect("it is there");
        }
        for golden in all() {
            let lines = recorded(golden);
            assert!(lines == recorded(golden), "{} is not the same twice", golden.name);
            fs::write(dir().join(golden.name).with_extension("jsonl"), &lines).expect("traces can be written");
        }
    }
    assert_eq!(
        there(),
        listed,
        "conformance/traces is not what the list says: SWIM_BLESS=1 cargo test -p swim-sim --test conformance golden"
    );
}

/// So that what is recorded anew differs where the behaviour does, and nowhere else.
#[test]
fn a_golden_trace_is_recorded_twice_alike() {
    for golden in all().filter(|golden| ["d1_a_suspect_refutes", "a_clock_that_jumps"].contains(&golden.name)) {
        let lines = recorded(golden);
        assert!(lines == recorded(golden), "{}", golden.name);
        assert!(lines.iter().filter(|&&byte| byte == b'\n').count() > 50, "{}", golden.name);
    }
}
