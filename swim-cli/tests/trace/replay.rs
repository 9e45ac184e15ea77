//! `swim trace replay`: one line at the end, and an exit code that says what it means.

use std::io::{Seek, Write};
use std::process::{Command, Stdio};

use crate::files::{file, flipped, with_header};
use crate::nets::three;
use crate::util::{SWIM, ended, parsed, printed, refused};
use swim_trace::{Replay, Trace};

const REPLAY: &[&str] = &["trace", "replay"];

fn last(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn what_was_recorded_comes_out_again() {
    for (outputs, keyframes) in [(false, false), (true, true)] {
        let (bytes, node) = three(outputs, keyframes);
        let path = file(&format!("replay-{outputs}.trace"), &bytes);
        let hash = format!("{:016x}", swim_trace::state_hash(&node.snapshot()));
        let summary = Replay::new(&Trace::open(&bytes).unwrap()).unwrap().run().0;
        let wanted = format!(
            "{} steps, {:.3} s recorded, 0 divergences, state {hash}",
            summary.steps,
            summary.duration().as_secs_f64()
        );
        assert_eq!(printed(REPLAY, &[&path]), wanted);
        let json = parsed(&printed(REPLAY, &[&path, "--format", "json"]));
        assert_eq!((json["steps"].as_u64(), json["state_hash"].as_str()), (Some(summary.steps), Some(&*hash)));
        assert_eq!((json["divergences"].as_u64(), json["keyframes"].as_u64()), (Some(0), Some(summary.keyframes)));
    }
}

#[test]
fn a_flipped_bit_is_named_by_its_step() {
    for outputs in [false, true] {
        let (bytes, _) = three(outputs, false);
        let (step, spoilt) = flipped(&bytes);
        let path = file(&format!("replay-flipped-{outputs}.trace"), &spoilt);
        let (code, text, why) = ended(REPLAY, &[&path]);
        assert_eq!(code, 1, "{text}");
        assert!(text.starts_with(&format!("diverged in step {step}, at ")), "{text}");
        assert!(why.ends_with(&format!("the replay leaves the recorded run in step {step}")), "{why}");
        assert!(text.contains("\n  came out now:\n                        -> 127.0.0.1:2: a 1.0 gossip"), "{text}");
        let recorded = if outputs { "  was recorded: nothing" } else { "  was recorded: not in this trace" };
        assert!(text.contains(recorded), "{text}");
        assert!(last(&text).contains(", 1 divergence, ") && last(&text).contains("steps skipped"), "{text}");
        let (code, text, _) = ended(REPLAY, &[&path, "--format", "json"]);
        let sides = &parsed(text.lines().next().unwrap())["diverged"];
        assert_eq!((code, sides["step"].as_u64()), (1, Some(step)));
        assert_eq!(sides["recorded"].is_null(), !outputs);
        assert_eq!(sides["replayed"]["sent"][0]["frame"]["asks_who"], true);
        assert_eq!(parsed(last(&text))["divergences"], 1);
    }
}

#[test]
fn it_stops_where_it_is_told_to() {
    let (bytes, _) = three(false, false);
    let path = file("replay-until.trace", &bytes);
    assert!(printed(REPLAY, &[&path, "--until", "9"]).starts_with("10 steps, "));
    let (spoilt_at, spoilt) = flipped(&bytes);
    let path = file("replay-until-flipped.trace", &spoilt);
    assert!(printed(REPLAY, &[&path, "--until", &(spoilt_at - 1).to_string()]).contains(" 0 divergences"));
    assert_eq!(ended(REPLAY, &[&path, "--until", &spoilt_at.to_string()]).0, 1);
}

/// So many lines are read as Enter is waited for, as the place tells up to which the file was read.
#[test]
fn it_waits_once_between_two_steps() {
    let (bytes, _) = three(false, false);
    let path = file("replay-waits.trace", &bytes);
    // Longer than what is read ahead.
    let line = [&[b' '; 20_000][..], b"\n"].concat();
    let enters = std::fs::File::open(file("replay-enters.txt", &line.repeat(9))).unwrap();
    let read = |more: &[&str], mut enters: &std::fs::File| {
        enters.rewind().unwrap();
        let mut command = Command::new(SWIM);
        command.args(["trace", "replay", &path, "--until", "3"]).args(more).stdin(enters.try_clone().unwrap());
        let ended = command.output().unwrap();
        assert!(ended.status.success() && String::from_utf8(ended.stdout).unwrap().contains("4 steps, "));
        enters.stream_position().unwrap() as usize / line.len()
    };
    assert_eq!(read(&["--step"], &enters), 3);
    assert_eq!(read(&[], &enters), 0);
}

/// Steps are printed one by one; at the end of input it runs on.
#[test]
fn it_waits_between_steps() {
    let (bytes, _) = three(false, false);
    let path = file("replay-step.trace", &bytes);
    let mut command = Command::new(SWIM);
    command.args(["trace", "replay", "--step", &path]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut swim = command.spawn().unwrap();
    let mut stdin = swim.stdin.take().unwrap();
    stdin.write_all(b"\n\n\n").unwrap();
    let mut stdout = std::io::BufReader::new(swim.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(&mut stdout).map(Result::unwrap);
    // With three times Enter there are four steps, and no more as long as nobody presses it again.
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.starts_with("      3 ")) {
        seen.push(lines.next().expect("the fourth step is printed"));
    }
    assert!(seen[0].starts_with("      0 ") && seen.iter().any(|line| line.starts_with("      1 ")), "{seen:?}");
    assert!(seen.iter().any(|line| line.trim() == "== b alive 1.0 at 127.0.0.1:2"), "{seen:?}");
    assert!(seen.iter().any(|line| line.trim() == "** member_up b 1.0"), "{seen:?}");
    drop(stdin);
    let rest: Vec<String> = lines.collect();
    let told = seen.iter().chain(&rest).filter(|line| line.trim() == "== b alive 1.0 at 127.0.0.1:2");
    assert_eq!(told.count(), 1, "a row is told when it changes");
    assert!(swim.wait().unwrap().success());
    assert!(rest.iter().any(|line| line.trim() == "== c dead 1.0 at 127.0.0.1:3"), "{rest:?}");
    assert!(rest.last().unwrap().contains(" 0 divergences, state "), "{rest:?}");
}

#[test]
fn what_cannot_be_replayed_is_exit_code_2() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let mut spoilt = bytes.clone();
    spoilt[blocks[5].offset + 40] ^= 1;
    let (code, text, why) = ended(REPLAY, &[&file("replay-damaged.trace", &spoilt)]);
    assert_eq!(code, 2);
    assert!(last(&text).starts_with(&format!("{} steps, ", blocks[5].step)), "{text}");
    assert!(why.contains(&format!("block 5 at offset {}: the checksum is wrong", blocks[5].offset)), "{why}");

    let (code, text, why) = ended(REPLAY, &[&file("replay-torn.trace", &bytes[..bytes.len() - 3])]);
    assert!(code == 0 && last(&text).starts_with(&format!("{} steps, ", blocks[7].step)), "{text}");
    assert!(why.contains("all before it is whole"), "{why}");

    let large = with_header(&bytes, |header| {
        header.config.members_max = 1 << 22;
        header.config.members_reserved = 1 << 22;
        header.config.tombstone_ttl *= 2;
    });
    refused(REPLAY, &[&file("replay-large.trace", &large)], &["reserves 4194304 rows"]);
    refused(REPLAY, &[&file("replay-no.trace", b"")], &["this is no trace"]);
}

#[test]
fn gaps_are_told() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let mut out = bytes[..blocks[3].offset].to_vec();
    let missing = blocks[4].step - blocks[3].step;
    swim_trace::block::gap(blocks[3].step, blocks[3].at, missing, &mut out);
    out.extend_from_slice(&bytes[blocks[4].offset..]);
    let text = printed(REPLAY, &[&file("replay-gap.trace", &out)]);
    assert!(text.ends_with(&format!(", 1 gap of {missing} inputs")) && text.contains(" 0 divergences"), "{text}");
}

#[test]
fn another_core_is_warned_of() {
    let (bytes, _) = three(false, false);
    let other = with_header(&bytes, |header| header.core = "0.0.9".into());
    let (code, _, why) = ended(REPLAY, &[&file("replay-core.trace", &other)]);
    assert_eq!(code, 0);
    assert!(why.contains("recorded by swim-core 0.0.9 with xoshiro256**, replayed by swim-core 0.1.0"), "{why}");
}
