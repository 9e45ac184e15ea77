//! `swim plan`: numbers for people and programs, and the configuration they are about.

use std::path::{Path, PathBuf};

use crate::util::parsed;
use serde_json::Value;

fn ended(args: &[&str]) -> (i32, String, String) {
    crate::util::ended(&["plan"], args)
}

fn printed(args: &[&str]) -> String {
    let (code, out, why) = ended(args);
    assert_eq!((code, &*why), (0, ""), "{args:?}");
    out
}

fn json(args: &[&str]) -> Value {
    parsed(&printed(&[args, &["--format", "json"]].concat()))
}

fn refused(args: &[&str], words: &[&str]) {
    crate::util::refused(&["plan"], args, words);
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_preset_is_told_line_by_line() {
    let text = printed(&["--nodes", "50"]);
    let value = |what: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(what))
            .unwrap_or_else(|| panic!("no {what} in {text}"));
        line.trim_start()[what.len()..].trim_start().to_owned()
    };
    assert!(text.starts_with("50 nodes, preset lan; loss 0 %, latency 100us..1ms, not sealed\n"), "{text}");
    assert!(value("first suspicion, mean").starts_with("1.98 s"), "{text}");
    assert!(value("suspicion, shortest").starts_with("4.25 s"), "{text}");
    assert!(value("idle, datagrams").starts_with("2.00/s"), "{text}");
    assert!(value("idle, bytes").starts_with("1.10 kbit/s   138 B"), "{text}");
    assert!(!text.contains("Warnings"), "{text}");
}

/// Who has keys sends 32 bytes more in each datagram: by the file that the agent is given, or when it is asked for.
#[test]
fn keys_cost_bytes() {
    let bytes = |more: &[&str]| {
        let plan = json(&[&["--nodes", "100"], more].concat());
        (plan["sealed"].as_bool().unwrap(), plan["idle"]["bytes_per_second"].as_f64().unwrap())
    };
    let file = |name: &str, section: &str| file(name, &format!("preset = 'lan'\n{section}"));
    let keyring = file("plan-keyring.toml", "[sealing]\nkeyring = '/etc/swim/keys'\n");
    let token = file("plan-token.toml", "[sealing]\ntoken = '@/run/t'\n");
    let empty = file("plan-empty.toml", "[sealing]\n");
    assert_eq!(bytes(&[]), (false, 138.0));
    assert_eq!(bytes(&["--config", empty.to_str().unwrap()]), (false, 138.0));
    for sealed in [&["--sealed"][..], &["--config", keyring.to_str().unwrap()], &["--config", token.to_str().unwrap()]]
    {
        assert_eq!(bytes(sealed), (true, 138.0 + 2.0 * 32.0), "{sealed:?}");
    }
    let text = printed(&["--nodes", "100", "--sealed"]);
    assert!(
        text.starts_with("100 nodes, preset lan; loss 0 %, latency 100us..1ms, sealed\n") && text.contains("202 B"),
        "{text}"
    );
}

#[test]
fn programs_get_one_object_and_the_configuration_counts() {
    let lan = json(&["--nodes", "100"]);
    let period = |plan: &Value| plan["detection"]["first_suspicion_mean_ms"].as_f64().unwrap();
    assert!((period(&lan) / 1_990.0 - 1.0).abs() < 0.01, "{lan}");
    let config = file("plan.toml", "preset = 'local'\nprobe_interval = '500ms'\n");
    let own = json(&["--nodes", "100", "--config", config.to_str().unwrap()]);
    assert!((period(&own) * 2.0 / period(&lan) - 1.0).abs() < 0.01, "{own}");
    let set = json(&["--nodes", "100", "--config", config.to_str().unwrap(), "--set", "probe_interval=1s"]);
    assert_eq!(period(&set), period(&lan));
    assert_eq!(set["idle"]["datagrams_per_second"], 2.0);
    assert!(json(&["--nodes", "100", "--loss", "10"])["false_suspicion"]["probe_fails"].as_f64().unwrap() > 5e-5);
}

#[test]
fn what_is_doubtful_is_a_warning_and_what_cannot_work_an_error() {
    let text = printed(&["--nodes", "50", "--latency", "300"]);
    assert!(text.contains("Warnings") && text.contains("raise probe_timeout"), "{text}");
    refused(&["--nodes", "1"], &["--nodes"]);
    refused(&["--nodes", "50", "--loss", "101"], &["--loss", "is no percentage"]);
    refused(&["--nodes", "50", "--latency", "fast"], &["--latency", "1ms..20ms"]);
    refused(
        &["--nodes", "50", "--set", "probe_timeout=2s"],
        &["--set probe_timeout=2s", "shorter than probe_interval"],
    );
    refused(&["--nodes", "50", "--config", "nowhere.toml"], &["nowhere.toml", "cannot read"]);
    let config = file("plan-bad.toml", "preset = 'lan'\n\nprobe_intervall = '1s'\n");
    refused(
        &["--nodes", "50", "--config", config.to_str().unwrap()],
        &["plan-bad.toml:3:", "did you mean probe_interval?"],
    );
    refused(&["--nodes", "50", "--preset", "wan", "--config", config.to_str().unwrap()], &["--preset wan contradicts"]);
}

#[test]
fn curves_are_drawn_for_all_presets_or_for_what_is_asked() {
    let plot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plan.svg");
    let path = plot.to_str().unwrap();
    printed(&["--nodes", "50", "--plot", path]);
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(["local", "lan", "wan"].iter().all(|preset| svg.contains(&format!("{preset}: first dead"))), "{svg}");
    printed(&["--nodes", "50", "--set", "suspicion_alpha_percent=500", "--plot", path]);
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(svg.contains("preset lan, suspicion_alpha_percent=500: first dead") && !svg.contains("wan"), "{svg}");
    let (code, _, why) = ended(&["--nodes", "50", "--plot", plot.join("x").to_str().unwrap()]);
    assert!(code == 1 && why.contains("cannot write the plot"), "{why}");
}

#[test]
fn the_help_tells_keys_file_and_codes() {
    let help = printed(&["--help"]);
    for word in
        ["first_suspicion_mean_ms", "somebody_misses", "preset = \"lan\"", "--set probe_interval=500ms", "Exit codes"]
    {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
}
