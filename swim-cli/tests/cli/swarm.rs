//! `swim sim swarm`: the same for the same seeds, whoever reads it.

use crate::util::Swim;
use serde_json::Value;

fn swarm(args: &[&str]) -> (Option<i32>, String, String) {
    let mut swim = Swim::start(&[&["sim", "swarm"], args].concat());
    let code = swim.exit_code();
    (code, swim.stdout.text(), swim.stderr.text())
}

#[test]
fn a_batch_is_told_as_json_and_does_not_depend_on_threads() {
    let (code, one, errors) = swarm(&["--seeds", "4", "--from", "3", "--threads", "1", "--format", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    let (_, two, _) = swarm(&["--seeds", "4", "--from", "3", "--threads", "2", "--format", "json"]);
    assert_eq!(one, two);
    let batch: Value = serde_json::from_str(&one).unwrap();
    assert_eq!((batch["runs"].as_u64(), batch["violations"].as_array().map(Vec::len)), (Some(4), Some(0)));
    assert!(batch["coverage"]["node: probes"].as_u64() > Some(100), "{batch}");
    let (_, others, _) = swarm(&["--seeds", "4", "--from", "4", "--format", "json"]);
    assert_ne!(batch["digest"], serde_json::from_str::<Value>(&others).unwrap()["digest"]);
}

#[test]
fn a_batch_is_told_to_people() {
    let (code, text, errors) = swarm(&["--seeds", "2"]);
    assert_eq!(code, Some(0), "{errors}");
    for part in ["  node: suspicions", "2 runs, 0 violations, ", "node-seconds per second", "% of the bound, seed "] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn one_run_is_told_with_its_plan_and_parts_of_it_can_be_left_out() {
    let (code, whole, errors) = swarm(&["--seed", "8"]);
    assert_eq!(code, Some(0), "{errors}");
    let planned = |text: &str, what: &str| text.lines().filter(|line| line.trim_start().starts_with(what)).count();
    assert!(whole.starts_with("seed 8: ") && whole.ends_with("no rule was broken"), "{whole}");
    assert!(planned(&whole, "node ") > 2 && planned(&whole, "fault ") > 1, "{whole}");
    assert!(whole.contains(" s: settle ") && whole.contains(" s, recover "), "{whole}");
    let args = ["--seed", "8", "--faults", "0", "--nodes", "0,2", "--chaos-ms", "9000"];
    let (code, part, errors) = swarm(&args);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(planned(&part, "node "), 3, "0 and 1 always stay: {part}");
    assert!(planned(&part, "fault ") <= 1 && part.contains(" 9.0 s of chaos"), "{part}");
    assert_eq!(swarm(&args).1, part);
    let (code, json, _) = swarm(&["--seed", "8", "--faults", "none", "--format", "json"]);
    let run: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, run["seed"].as_u64(), run["violations"].as_array().map(Vec::len)), (Some(0), Some(8), Some(0)));
    assert!(run["calm"]["took"].as_f64() < run["calm"]["bound"].as_f64());
    assert!(!run["plan"].as_str().unwrap().contains("fault "));
}

#[test]
fn what_cannot_be_run_is_refused() {
    for (args, named) in [
        (&["--seeds", "0"][..], "--seeds"),
        (&["--faults", "1"], "--seed"),
        (&["--seed", "1", "--faults", "a"], "write `0,2`"),
        (&["--seed", "1", "--seeds", "2"], "--seed"),
        (&["--threads", "0"], "--threads"),
        (&["--seed", "8", "--faults", "0,99"], "--faults 99: the plan of seed 8 has "),
        (&["--seed", "8", "--nodes", "99"], "--nodes 99: the plan of seed 8 has "),
    ] {
        let (code, _, errors) = swarm(args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(errors.contains(named), "{errors}");
    }
}
