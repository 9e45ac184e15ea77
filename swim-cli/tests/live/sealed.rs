//! `swim agent` with keys: who gets in, who does not, and how keys are exchanged while it runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::util::{Swim, parsed, printed};

/// A directory of its own for each test, which is empty.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sealed-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Another node gets this file.
    fn copy(&self, from: &str, to: &str) -> String {
        let to = self.path(to);
        // With its mode.
        fs::copy(self.path(from), &to).unwrap();
        to
    }

    fn keys(&self, command: &[&str], file: &str) -> String {
        printed(&[&["keys"], command, &["--keyring", &self.path(file)]].concat(), &[]).trim_end().to_owned()
    }

    /// The keys of this file are used from now on by the agent who has it.
    fn heed(&self, command: &[&str], file: &str, agent: &mut Swim) {
        self.keys(command, file);
        agent.signal("-HUP");
        agent.stderr.find(|line| line.starts_with("SIGHUP: sealed with key "));
    }

    /// All that stands in this directory and is secret: what follows `secret = `, and tokens.
    fn secrets(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let text: String = files.collect::<Vec<_>>().join("\n");
        let secret = |line: &str| {
            let key = line.strip_prefix("secret = ").map(|secret| secret.trim_matches('"').to_owned());
            key.or_else(|| line.strip_prefix("swim1:").map(str::to_owned))
        };
        text.lines().filter_map(secret).collect()
    }
}

/// An agent of these keys, and its address.
fn agent(name: &str, keyring: &str, more: &[&str]) -> (Swim, String) {
    Swim::agent(name, &[&["--preset", "local", "--keyring", keyring], more].concat())
}

fn ends(mut swim: Swim) -> (String, String) {
    swim.signal("-TERM");
    assert_eq!(swim.exit_code(), Some(0));
    (swim.stdout.text(), swim.stderr.text())
}

#[test]
fn a_token_lets_in_and_no_other_key_does() {
    let dir = Dir::new("token");
    let id = dir.keys(&["generate"], "a");
    let (mut a, addr) = agent("a", &dir.path("a"), &["--verbose"]);
    a.stderr.find_any(|line| line.starts_with(&format!("sealed with key {id}")));

    let token = dir.keys(&["token", "--cluster", "test", "--seed", &addr], "a");
    fs::write(dir.path("t"), format!("{token}\n")).unwrap();
    fs::set_permissions(dir.path("t"), Permissions::from_mode(0o600)).unwrap();
    let at = format!("@{}", dir.path("t"));
    let args = ["agent", "--name", "b", "--bind", "127.0.0.1:0", "--preset", "local", "--keyring", &dir.path("b")];
    let mut b = Swim::start(&[&args[..], &["--token", &at, "--verbose"]].concat());
    b.stderr.find(|line| line.contains("made of the token, with key "));
    let hint = b.stderr.find(|line| line.starts_with("to join this node: "));
    assert!(hint.contains(" --keyring ") && !hint.contains("--token"), "{hint}");
    b.stdout.find_state("joined", "b");
    a.stdout.find_state("alive", "b");
    assert_eq!(fs::metadata(dir.path("b")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(dir.keys(&["list"], "b").starts_with(&id));

    // A token is enough, and need not stand in a file.
    let args = ["agent", "--name", "c", "--bind", "127.0.0.1:0", "--preset", "local", "--token", &token];
    let mut c = Swim::start(&args);
    c.stdout.find_state("joined", "c");
    a.stdout.find_state("alive", "c");

    // One with another key, and one without.
    let other = dir.keys(&["generate"], "d");
    let (mut d, _) = agent("d", &dir.path("d"), &["--join", &addr]);
    a.stderr.find(|line| line.contains("is not heard") && line.contains(&format!("the unknown key {other}")));
    let (mut e, _) = Swim::agent("e", &["--preset", "local", "--join", &addr]);
    e.stderr.find_any(|line| line.starts_with("NOT SEALED: "));
    a.stderr.find(|line| line.contains("is not heard") && line.contains("not sealed"));
    for (outside, words) in [(&mut d, "has it one of the keys of this one"), (&mut e, "is it without keys")] {
        outside.stderr.find(|line| line.starts_with("no answer yet") && line.contains(words));
    }
    for (outside, name) in [(d, "d"), (e, "e")] {
        let (out, _) = ends(outside);
        assert!(!out.contains("joined") && !out.contains("alive"), "{name}: {out}");
    }

    let secrets = dir.secrets();
    assert_eq!(secrets.len(), 4, "of a, b and d, and the token");
    for swim in [c, b, a] {
        let (out, log) = ends(swim);
        assert!(!out.contains(" d ") && !out.contains(" e "), "{out}");
        secrets.iter().for_each(|secret| assert!(!out.contains(&**secret) && !log.contains(&**secret)));
    }
}

/// Who has joined with a token has its keys, and can be started again when the token has expired.
#[test]
fn a_node_starts_again_with_a_token_that_has_expired() {
    use bind_mio::swim_driver::{JoinToken, Key};
    use std::time::{Duration, UNIX_EPOCH};

    let dir = Dir::new("again");
    dir.keys(&["generate"], "a");
    let (_a, addr) = agent("a", &dir.path("a"), &[]);
    // Not the key that is used now, either.
    let key = Key::from_bytes([7; 32]);
    let token = JoinToken::new("test", key, [addr.parse().unwrap()], UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    let token = token.to_secret_text();
    let args = ["agent", "--name", "b", "--bind", "127.0.0.1:0", "--token", &token, "--keyring", &dir.copy("a", "b")];
    let mut b = Swim::start(&args);
    b.stdout.find_state("joined", "b");
    let told = b.stderr.find_any(|line| line.contains("as after an exchange"));
    assert!(told.starts_with("the token has expired") && told.contains(&dir.path("b")), "{told}");
}

/// Who has slept through an exchange and is given a fresh token has a file all the same, and that counts. It is told
/// what is wrong.
#[test]
fn a_token_with_a_key_that_the_file_lacks_is_told_of() {
    let dir = Dir::new("lacks");
    dir.keys(&["generate"], "old");
    let new = dir.keys(&["generate"], "a");
    let (a, addr) = agent("a", &dir.path("a"), &[]);
    dir.keys(&["token", "--cluster", "test", "--seed", &addr, "--out", &dir.path("t")], "a");
    let at = format!("@{}", dir.path("t"));
    let start = |file: &str| {
        let args = ["agent", "--name", "b", "--bind", "127.0.0.1:0", "--preset", "local", "--token", &at, "--keyring"];
        Swim::start(&[&args[..], &[&dir.path(file)]].concat())
    };
    let mut b = start("old");
    let told = b.stderr.find(|line| line.starts_with("THE TOKEN'S KEY "));
    assert!(
        told.contains(&format!("KEY {new} IS NOT IN {}", dir.path("old"))) && told.contains("remove this one"),
        "{told}"
    );
    b.stderr.find(|line| line.starts_with("no answer yet") && line.contains("has it one of the keys of this one"));
    let (out, _) = ends(b);
    assert!(!out.contains("joined"), "{out}");
    // As it says.
    fs::remove_file(dir.path("old")).unwrap();
    for _ in 0..2 {
        let mut b = start("old");
        b.stdout.find_state("joined", "b");
        let (_, log) = ends(b);
        assert!(!log.contains("THE TOKEN'S KEY"), "{log}");
    }
    ends(a);
}

/// Two nodes that run go from one key to another, step by step; who comes then needs the new one, and who stays behind is out.
#[test]
fn keys_are_exchanged_while_nodes_run() {
    let dir = Dir::new("rotation");
    let old = dir.keys(&["generate"], "a");
    let former = dir.copy("a", "former");
    dir.copy("a", "b");
    let (mut a, addr) = agent("a", &dir.path("a"), &[]);
    let (mut b, _) = agent("b", &dir.path("b"), &["--join", &addr]);
    a.stdout.find_state("alive", "b");
    b.stdout.find_state("joined", "b");

    let new = dir.keys(&["generate"], "a");
    dir.copy("a", "b");
    for (swim, file) in [(&mut a, "a"), (&mut b, "b")] {
        dir.heed(&["list"], file, swim);
    }
    for step in [["use", &new], ["remove", &old]] {
        dir.heed(&step, "a", &mut a);
        dir.heed(&step, "b", &mut b);
    }
    assert_eq!(dir.secrets().len(), 3, "one of each of both, and of the former file");

    let (mut c, _) = agent("c", &dir.copy("b", "c"), &["--join", &addr]);
    a.stdout.find_state("alive", "c");
    b.stdout.find_state("alive", "c");
    c.stdout.find_state("joined", "c");
    let (d, _) = agent("d", &former, &["--join", &addr]);
    a.stderr.find(|line| line.contains("is not heard") && line.contains(&format!("the unknown key {old}")));
    let (out, _) = ends(d);
    assert!(out.contains(" started ") && !out.contains(" joined "), "{out}");
    for swim in [c, b, a] {
        let (out, _) = ends(swim);
        assert!(out.contains(" c ") && !out.contains(" d ") && !out.contains(" dead "), "{out}");
    }
}

/// A file that cannot be used is told of, and the node goes on with the keys that it has.
#[test]
fn a_bad_file_changes_nothing() {
    let dir = Dir::new("bad");
    let id = dir.keys(&["generate"], "a");
    let good = dir.copy("a", "good");
    let (mut a, addr) = agent("a", &dir.path("a"), &[]);
    let mut told = |words: &str| {
        a.signal("-HUP");
        let line = a.stderr.find(|line| line.starts_with("SIGHUP: ") && line.contains("the keys stay as they were"));
        assert!(line.contains(words), "{line}");
    };
    fs::set_permissions(dir.path("a"), Permissions::from_mode(0o644)).unwrap();
    told("chmod 600");
    fs::set_permissions(dir.path("a"), Permissions::from_mode(0o600)).unwrap();
    fs::write(dir.path("a"), "in_use = 'no'\n").unwrap();
    told("no id of a key");
    fs::remove_file(dir.path("a")).unwrap();
    told("cannot read");
    let (mut b, _) = agent("b", &good, &["--join", &addr]);
    a.stdout.find_state("alive", "b");
    b.stdout.find_state("joined", "b");
    fs::copy(&good, dir.path("a")).unwrap();
    a.signal("-HUP");
    let line = a.stderr.find(|line| line.starts_with("SIGHUP: "));
    assert_eq!(line, format!("SIGHUP: sealed with key {id}, opened with {id}"));
    let (_, log) = ends(a);
    assert!(dir.secrets().iter().all(|secret| !log.contains(&**secret)));
}

/// One with keys and one without meet until a date, and a config file says so.
#[test]
fn from_plain_to_sealed() {
    let dir = Dir::new("migration");
    dir.keys(&["generate"], "a");
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    let until = humantime::format_rfc3339_seconds(tomorrow).to_string();
    let config = format!(
        "cluster = 'test'\npreset = 'local'\n[sealing]\nkeyring = '{}'\nmigrate_until = {until}\n",
        dir.path("a")
    );
    fs::write(dir.path("toml"), config).unwrap();
    let mut a = Swim::start(&["agent", "--name", "a", "--bind", "127.0.0.1:0", "--config", &dir.path("toml")]);
    let line = a.stderr.find(|line| line.starts_with("sealed with key "));
    assert!(line.ends_with(&format!("PLAIN DATAGRAMS ARE HEARD, TOO, until {until}")), "{line}");
    let hint = a.stderr.find(|line| line.starts_with("to join this node: "));
    let addr = hint.split(" --join ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (mut b, _) = Swim::agent("b", &["--preset", "local", "--join", &addr]);
    a.stdout.find_state("alive", "b");
    b.stdout.find_state("joined", "b");
    let (mut c, _) = agent("c", &dir.copy("a", "c"), &["--join", &addr, "--migrate-until", &until]);
    let hint = c.stderr.find_any(|line| line.starts_with("to join this node: "));
    assert!(hint.contains(&format!(" --migrate-until {until}")), "{hint}");
    c.stdout.find_state("joined", "c");
    b.stdout.find_state("alive", "c");
    // By this it is seen whether anybody is still spoken to plain.
    a.signal("-USR1");
    let line = a.stderr.find(|line| line.starts_with("SIGUSR1: "));
    let counters = parsed(line.trim_start_matches("SIGUSR1: "));
    assert!(counters["driver"]["plain_sent"].as_u64() > Some(0), "b has no keys: {line}");
    assert_eq!(counters["keys"].as_object().map(|keys| keys.len()), Some(1), "one key, and who seals with it: {line}");
}

/// A date that is over keeps no node from starting: it seals, as it would have from that date on.
#[test]
fn a_node_starts_after_its_date() {
    let dir = Dir::new("after");
    dir.keys(&["generate"], "a");
    let (mut a, addr) = agent("a", &dir.path("a"), &["--migrate-until", "2001-01-01T00:00:00Z"]);
    let told = a.stderr.find_any(|line| line.starts_with("--migrate-until: "));
    assert!(told.contains("2001-01-01T00:00:00Z is over") && told.contains("plain datagrams are not heard"), "{told}");
    let told = a.stderr.find_any(|line| line.starts_with("sealed with key "));
    assert!(!told.contains("PLAIN"), "{told}");
    let hint = a.stderr.find_any(|line| line.starts_with("to join this node: "));
    assert!(!hint.contains("--migrate-until"), "{hint}");
    let (mut b, _) = agent("b", &dir.copy("a", "b"), &["--join", &addr]);
    b.stdout.find_state("joined", "b");
    let (mut c, _) = Swim::agent("c", &["--preset", "local", "--join", &addr]);
    a.stderr.find(|line| line.contains("is not heard") && line.contains("not sealed"));
    c.stderr.find(|line| line.starts_with("no answer yet"));
    // So does a file that nobody has changed since.
    let section = format!("keyring = '{}'\nmigrate_until = 2001-01-01T00:00:00Z\n", dir.copy("a", "d"));
    fs::write(dir.path("toml"), format!("cluster = 'test'\npreset = 'local'\n[sealing]\n{section}")).unwrap();
    let args = ["agent", "--name", "d", "--bind", "127.0.0.1:0", "--join", &addr, "--config", &dir.path("toml")];
    let mut d = Swim::start(&args);
    d.stderr.find(|line| line.starts_with("migrate_until in [sealing] of ") && line.contains("is over"));
    d.stdout.find_state("joined", "d");
}
