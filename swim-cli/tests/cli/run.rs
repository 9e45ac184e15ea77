//! `swim sim run`: what followed from faults, the same for the same seed.

use std::path::Path;

use crate::util::parsed;
use serde_json::Value;

fn ended(args: &[&str]) -> (i32, String, String) {
    crate::util::ended(&["sim", "run"], args)
}

fn printed(args: &[&str]) -> String {
    crate::util::printed(&["sim", "run"], args)
}

fn json(args: &[&str]) -> Value {
    parsed(&printed(&[args, &["--format", "json"]].concat()))
}

fn refused(args: &[&str], words: &[&str]) {
    crate::util::refused(&["sim", "run"], args, words);
}

#[test]
fn without_a_fault_one_process_crashes_and_is_found() {
    let (code, text, why) = ended(&["--nodes", "20", "--duration", "60s"]);
    assert_eq!(code, 0);
    assert!(why.contains("simulated 1m in"), "how long it took is no result: {why}");
    for part in ["no fault was given", "crash:1@30s: n", "first suspicion", "dead everywhere", "all views right"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(text.contains("in the end all 19 nodes see the same") && !text.contains("simulated"), "{text}");
}

#[test]
fn the_seed_decides_everything() {
    let args =
        |seed| ["--nodes", "12", "--duration", "90s", "--loss", "5", "--duplicate", "--reorder", "10", "--seed", seed];
    let (one, again, other) = (printed(&args("1")), printed(&args("1")), printed(&args("2")));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn faults_come_from_the_command_line_and_from_a_file() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.toml");
    std::fs::write(&file, "[[fault]]\nkind = 'cut'\nwho = '20%'\nat = '60s'\nuntil = '100s'\n").unwrap();
    let path = file.to_str().unwrap();
    let report =
        json(&["--nodes", "10", "--duration", "3m", "--fault", "crash:2@10s", "--faults", path, "--set", "mtu=1200"]);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!((faults[0]["fault"].as_str(), faults[0]["nodes"].as_array().unwrap().len()), (Some("crash:2@10s"), 2));
    assert_eq!((faults[1]["fault"].as_str(), faults[1]["until_s"].as_f64()), (Some("cut:20%@60s..100s"), Some(100.0)));
    assert_eq!(faults[0]["dead_everywhere"]["count"], 2);
    assert!(faults[1]["right_again_ms"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["true_deaths"]["members"], 2);
    assert_eq!(report["false_deaths"]["members"], 0);
    assert!(report["apart_deaths"]["members"].as_u64().unwrap() >= 2, "{report}");
    assert_eq!((&report["agreement"]["converged"], &report["agreement"]["running"]), (&true.into(), &8.into()));
    assert!(report["traffic"]["whole"]["bytes"].as_f64().unwrap() > 138.0, "{report}");
}

#[test]
fn who_expects_agreement_is_told_when_there_is_none() {
    let args = ["--nodes", "5", "--duration", "60s", "--fault", "cut:1@10s"];
    let text = printed(&args);
    assert!(text.contains("do not see what there is") && text.contains("not till the end of the run"), "{text}");
    let (code, out, why) = ended(&[&args[..], &["--expect-converged"]].concat());
    assert_eq!((code, out), (1, text), "the result is the same");
    assert!(why.contains("do not see what there is") && why.contains("--duration"), "{why}");
    assert_eq!(ended(&["--nodes", "5", "--duration", "60s", "--fault", "cut:1@10s..11s", "--expect-converged"]).0, 0);
}

#[test]
fn what_a_fault_did_not_find_and_who_is_left_is_said() {
    let text = printed(&["--nodes", "4", "--duration", "30s", "--fault", "crash:3@5s", "--fault", "crash:3@10s"]);
    assert!(text.contains("crash:3@10s: n") && text.contains("(1 of 3: no more were running)"), "{text}");
    assert!(text.contains("in the end no process runs\n"), "{text}");
    let (code, _, why) = ended(&["--nodes", "2", "--duration", "9s", "--fault", "crash:all@5s", "--expect-converged"]);
    assert!(code == 1 && why.contains("no process runs in the end"), "{why}");
    let text = printed(&["--nodes", "3", "--duration", "9s", "--loss", "2", "--latency", "5..20", "--set", "mtu=1200"]);
    assert!(
        text.starts_with("3 nodes, preset lan, mtu=1200, seed 1; loss 2.00 %, latency 5ms..20ms (no fault"),
        "{text}"
    );
}

/// A restart that nobody else has heard of when the run ends.
#[test]
fn who_sees_all_and_yet_is_behind_is_told_why() {
    let args = ["--nodes", "5", "--duration", "20s", "--latency", "40", "--fault", "restart:1@19990ms"];
    let text = printed(&args);
    assert!(text.contains("in the end 5 of 5 nodes do not see what there is:\n"), "{text}");
    let behind = text.lines().filter(|line| line.contains(" sees 5 of 5, in another incarnation than they are in: n"));
    assert_eq!(behind.count(), 4, "{text}");
}

#[test]
fn what_cannot_be_run_is_refused_with_what_to_do() {
    refused(&["--nodes", "1"], &["--nodes"]);
    refused(&["--nodes", "5", "--fault", "crush:1@1s"], &["did you mean crash?", "at character 1"]);
    refused(&["--nodes", "5", "--fault", "crash:1@10m"], &["crash:1@10m", "ends at 5m", "longer --duration"]);
    refused(&["--nodes", "5", "--fault", "loss:5@1s..6m"], &["until 6m"]);
    let many = ["--nodes", "5", "--fault", "crash:6@1m"];
    refused(&many, &["crash:6@1m", "(5)", "raise --nodes", "at character 7"]);
    let joined = ["--nodes", "5", "--fault", "join:2@30s", "--fault", "crash:8@1m"];
    refused(&joined, &["more than there are by then (7, 2 of which join)"]);
    refused(&["--nodes", "5", "--duration", "500ms"], &["--duration 500ms", "from 1s"]);
    refused(&["--nodes", "5", "--faults", "nowhere.toml"], &["nowhere.toml", "cannot read"]);
    refused(&["--nodes", "5", "--set", "mtu=1"], &["mtu must be at least 800"]);
    let (code, out, why) = ended(&["--nodes", "3", "--loss", "100"]);
    assert_eq!((code, &*out), (1, ""));
    assert!(
        why.contains("did not form within 10m") && why.contains("sees 1 of 3") && why.contains("100 % loss"),
        "{why}"
    );
}

#[test]
fn a_run_is_drawn_on_request() {
    let plot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run.svg");
    printed(&["--nodes", "8", "--duration", "20m", "--plot", plot.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&plot).unwrap();
    for text in ["8 nodes, seed 1", "live, median", "suspected by anybody", "datagrams sent per node"] {
        assert!(svg.contains(text), "no {text:?} in {svg}");
    }
}

#[test]
fn the_help_tells_faults_keys_and_codes() {
    let help = printed(&["--help"]);
    for word in [
        "rolling-restart:all@1m..4m",
        "[[fault]]",
        "right_again_ms",
        "--expect-converged",
        "Exit codes",
        "cluster = \"prod\"",
    ] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
}
