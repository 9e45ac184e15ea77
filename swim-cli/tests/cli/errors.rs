//! What cannot work says why and what to do instead, on standard error, with an exit code that tells whose turn it is.

use crate::util::Swim;

/// Runs it to its end and wants this code and these words.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let mut swim = Swim::start(args);
    let found = swim.exit_code();
    let why = swim.stderr.text();
    assert_eq!(found, Some(code), "{args:?}: {why}");
    assert_eq!(swim.stdout.text(), "", "{args:?}");
    for word in words {
        assert!(why.contains(word), "{args:?}: no {word:?} in: {why}");
    }
}

/// An agent that would start if it were not for these arguments.
fn agent(args: &[&str], code: i32, words: &[&str]) {
    let all = [&["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0"], args].concat();
    refused(&all, code, words);
}

/// The same with arguments in the place of others.
fn agent_with(replaced: &str, by: &str, code: i32, words: &[&str]) {
    let mut args = vec!["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0"];
    let at = args.iter().position(|arg| *arg == replaced).expect("it is there to be replaced");
    args[at + 1] = by;
    refused(&args, code, words);
}

#[test]
fn names_that_do_not_fit() {
    agent_with("--name", &"x".repeat(65), 2, &["65 bytes", "at most 64", "choose a shorter one"]);
    agent_with("--name", "", 2, &["name is empty", "unique in the cluster"]);
    agent_with("--cluster", "", 2, &["cluster must not be empty", "the same on all its nodes"]);
    agent(&["--meta", &"x".repeat(513)], 2, &["513 bytes", "at most 512"]);
}

#[test]
fn tags_that_do_not_fit() {
    agent(&["--tag", "role"], 2, &["--tag", "write it like role=db"]);
    agent(&["--tag", "=db"], 2, &["the tag \"\"", "the key is empty"]);
    agent(&["--tag", &format!("role={}", "x".repeat(1_025))], 2, &["the tag \"role\"", "1025 bytes", "at most 1024"]);
}

#[test]
fn addresses_that_do_not_parse() {
    agent_with("--bind", "localhost", 2, &["'localhost'", "--bind", "192.0.2.7:7946"]);
    agent(&["--join", "10.0.0.1"], 2, &["'10.0.0.1'", "--join", "192.0.2.7:7946"]);
    agent(&["--join", "127.0.0.1:0"], 2, &["nothing can be sent there", "the other node has printed"]);
    agent(&["--join", "db.example"], 2, &["'db.example'", "--join", "the port is missing", "db.example:7946"]);
    agent(&["--join", "::1:7946"], 2, &["--join", "brackets", "[2001:db8::7]:7946"]);
    agent(&["--join", "http://db.example:7946"], 2, &["--join", "no host name has"]);
    agent(&["--join", "10.0.0.256:7946"], 2, &["--join", "looks like an IP address and is none"]);
    agent(&["--advertise", "web-1:7946"], 2, &["--advertise", "host names are not resolved"]);
}

#[test]
fn config_files_that_cannot_work() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent-bad.toml");
    std::fs::write(&file, "preset = 'lan'\nprobe_timeout = '1s'\n").unwrap();
    let path = file.to_str().unwrap();
    agent(
        &["--config", path],
        2,
        &["agent-bad.toml:2: config: probe_timeout must be shorter", "half of probe_interval"],
    );
    agent(&["--config", path, "--preset", "wan"], 2, &["--preset wan contradicts", "preset = \"lan\"", "take one"]);
    refused(&["agent", "--name", "a", "--config", path], 2, &["cluster has no name", "--cluster", "agent-bad.toml"]);
    agent(&["--config", "nowhere.toml"], 2, &["nowhere.toml", "cannot read"]);
}

#[test]
fn addresses_that_nobody_can_send_to() {
    agent_with("--bind", "0.0.0.0:0", 2, &["0.0.0.0", "no --join says", "--advertise"]);
    agent(&["--join", "192.0.2.7:7946"], 2, &["--join 192.0.2.7:7946 is on another machine", "--advertise"]);
    agent(&["--advertise", "0.0.0.0:7946"], 2, &["--advertise 0.0.0.0:7946", "others reach"]);
}

#[test]
fn more_seeds_than_a_node_keeps() {
    let seeds: Vec<String> = (1..=65).map(|n| format!("127.0.1.{n}:7946")).collect();
    agent(&["--join", &seeds.join(",")], 2, &["--join", "65 seeds", "at most 64", "name fewer"]);
}

#[test]
fn sockets_that_cannot_be_bound() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    agent_with("--bind", &addr, 1, &[&addr, "in use", "choose another with --bind"]);
    // From the block that is for documentation, so no machine has it.
    agent_with("--bind", "192.0.2.1:0", 1, &["192.0.2.1", "does not have that address", "--advertise"]);
}

#[test]
fn commands_that_are_none() {
    refused(&[], 2, &["Usage: swim", "agent", "demo"]);
    refused(&["agent"], 2, &["--cluster", "--name"]);
    refused(&["demo", "--format", "jsonl"], 2, &["possible values: human, json"]);
}

#[test]
fn help_tells_keys_and_exit_codes() {
    for (command, words) in [
        ("agent", ["at_ms", "member_suspect", "probe_failed", "Exit code 2", "this machine's own address"]),
        ("demo", ["formed_ms", "dead_ms", "returned_ms", "Exit code 1", "--format"]),
    ] {
        let mut swim = Swim::start(&[command, "--help"]);
        assert_eq!(swim.exit_code(), Some(0));
        for word in words {
            assert!(swim.stdout.text().contains(word), "{command}: no {word:?}");
        }
    }
}
