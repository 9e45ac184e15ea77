//! `swim keys`: a file's life, who may read it, and tokens.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bind_mio::swim_driver::{JoinToken, Key};

use crate::util::{SWIM, ended, parsed, printed, refused};

/// A path for this test's file, where there is none yet.
fn path(name: &str) -> String {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("keys");
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    let _ = fs::remove_file(&path);
    path.to_str().unwrap().to_owned()
}

fn keys(command: &str, args: &[&str], file: &str) -> String {
    printed(&["keys", command, "--keyring", file], args).trim_end().to_owned()
}

/// Adds the key that stands in a file of its own: exit code, standard output, standard error.
fn add(text: &str, file: &str) -> (i32, String, String) {
    let from = format!("{file}.stdin");
    fs::write(&from, text).unwrap();
    let mut swim = Command::new(SWIM);
    swim.args(["keys", "add", "--keyring", file]).stdin(Stdio::from(File::open(from).unwrap())).env_remove("RUST_LOG");
    let output = swim.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn secrets(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let secrets = text.lines().filter_map(|line| line.strip_prefix("secret = "));
    secrets.map(|secret| secret.trim_matches('"').to_owned()).collect()
}

#[test]
fn a_key_is_made_exchanged_and_removed() {
    let file = path("life");
    let old = keys("generate", &[], &file);
    assert!(old.len() == 4 && old.bytes().all(|b| b.is_ascii_hexdigit()), "{old}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let new = keys("generate", &[], &file);
    let list = parsed(&keys("list", &["--format", "json"], &file));
    assert_eq!((&list["in_use"], &list["keys"][0]["id"]), (&old.as_str().into(), &old.as_str().into()));
    assert_eq!((&list["keys"][0]["in_use"], &list["keys"][1]["in_use"]), (&true.into(), &false.into()));
    assert_eq!(list["keys"][1]["id"], new.as_str());
    let added = list["keys"][0]["added"].as_str().unwrap();
    assert!(humantime::parse_rfc3339(added).is_ok(), "{added}");

    refused(&["keys", "remove", &old, "--keyring", &file], &[], &[&old, "in use", "use another one before"]);
    assert_eq!(keys("use", &[&new], &file), "");
    let lines = keys("list", &[], &file);
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&old) && lines[1].ends_with("  in use"), "{lines:?}");
    keys("remove", &[&old], &file);
    let lines = keys("list", &[], &file);
    assert!(lines.starts_with(&new) && lines.lines().count() == 1, "{lines}");
    refused(&["keys", "use", &old, "--keyring", &file], &[], &["no key", &old, "add it first"]);
    assert_eq!(secrets(&file).len(), 1);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_key_is_read_from_standard_input_alone() {
    let file = path("add");
    let secret = Key::from_bytes([0xab; 32]).to_secret_text();
    let id = Key::from_bytes([0xab; 32]).id().to_string();
    let (code, out, why) = add(&format!("{}\n", &*secret), &file);
    assert_eq!((code, out.trim_end()), (0, &*id), "{why}");
    assert_eq!(secrets(&file), [&**secret]);
    let before = fs::read(&file).unwrap();
    for (text, words) in [
        (&**secret, "there is nothing to do"),
        ("", "this is no key"),
        (&secret[1..], "this is no key"),
        ("no key at all", "64 hexadecimal digits"),
    ] {
        let (code, out, why) = add(text, &file);
        assert_eq!((code, &*out), (2, ""), "{text}");
        assert!(why.contains(words) && !why.contains("abab"), "{why}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    // Base64, as other programs write keys.
    let (code, _, why) = add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &file);
    assert_eq!(code, 0, "{why}");
    // As an argument it is none.
    refused(&["keys", "add", &secret, "--keyring", &file], &[], &["unexpected argument"]);
}

#[test]
fn at_most_four_keys_fit() {
    let file = path("full");
    // Another one where a new key is called like one that is there.
    let made = (0..16).map(|_| ended(&["keys", "generate", "--keyring", &file], &[]).0 == 0).filter(|&made| made);
    assert_eq!(made.take(4).count(), 4);
    refused(&["keys", "generate", "--keyring", &file], &[], &["4 keys", "remove one"]);
}

#[test]
fn files_that_others_may_read_are_refused_by_every_command() {
    let file = path("open");
    let id = keys("generate", &[], &file);
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let words = ["others than its owner", "0640", "chmod 600", &file];
    let token = ["token", "--cluster", "c", "--seed", "127.0.0.1:1"];
    for command in [&["generate"][..], &["use", &id], &["remove", &id], &["list"], &token] {
        refused(&[&["keys"], command, &["--keyring", &file]].concat(), &[], &words);
    }
    let agent = ["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0", "--keyring", &file];
    refused(&agent, &[], &words);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert!(keys("list", &[], &file).starts_with(&id));
    assert!(!fs::exists(format!("{file}.new")).unwrap(), "nothing is left behind");
}

#[test]
fn files_that_are_not_there_are_made_by_who_adds_a_key_alone() {
    let file = path("none");
    for command in [&["use", "00ff"][..], &["remove", "00ff"], &["list"]] {
        refused(&[&["keys"], command, &["--keyring", &file]].concat(), &[], &["no file", &file, "swim keys generate"]);
    }
    refused(&["keys", "use", "xyz", "--keyring", &file], &[], &["4 hexadecimal digits"]);
    let agent = ["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0", "--keyring", &file];
    refused(&agent, &[], &["no file", "swim keys generate", "--token"]);
    assert!(!fs::exists(&file).unwrap());
}

#[test]
fn a_token_is_one_line_with_all_that_is_needed() {
    let file = path("token");
    let id = keys("generate", &[], &file);
    let args = ["--cluster", "prod", "--seed", "db.example:7946,10.0.0.1:7946", "--seed", "[::1]:1", "--expires", "2h"];
    let text = keys("token", &args, &file);
    let token = JoinToken::parse(&text, SystemTime::now()).unwrap();
    assert_eq!((token.cluster(), token.key().id().to_string()), ("prod", id));
    assert_eq!(
        token.seeds().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["db.example:7946", "10.0.0.1:7946", "[::1]:1"]
    );
    let lasts = token.expires().duration_since(SystemTime::now()).unwrap();
    assert!(lasts <= Duration::from_secs(7_200) && lasts > Duration::from_secs(7_000), "{lasts:?}");
    let token = ["keys", "token", "--keyring", &file];
    refused(&token, &["--cluster", "c"], &["--seed"]);
    refused(&token, &["--cluster", "", "--seed", "a:1"], &["cluster's name has 0 bytes"]);
    refused(&token, &["--cluster", "c", "--seed", "a:1", "--expires", "0s"], &["take 1s or more"]);
    refused(&token, &["--cluster", "c", "--seed", "a:1", "--expires", "soon"], &["write it like"]);
    let seeds = (1..=17).map(|n| format!("10.0.0.{n}:1")).collect::<Vec<_>>().join(",");
    refused(&token, &["--cluster", "c", "--seed", &seeds], &["more than 16 seeds"]);
}

/// What an agent says of a token that it does not take. None of it is repeated, not even where it stands wrong.
#[test]
fn tokens_that_cannot_be_used() {
    let token = |expires| JoinToken::new("prod", Key::from_bytes([7; 32]), ["127.0.0.1:1".parse().unwrap()], expires);
    let (hour, file) = (Duration::from_secs(3_600), path("bad-token"));
    let good = token(SystemTime::now() + hour).unwrap().to_secret_text();
    let old = token(UNIX_EPOCH + hour).unwrap().to_secret_text();
    let damaged = good.replacen("AA", "AB", 1);
    let newer = good.replacen("swim1", "swim2", 1);
    let agent = |token: &str, more: &[&str], words: &[&str]| {
        let args = [&["agent", "--name", "a", "--bind", "127.0.0.1:0", "--token", token], more].concat();
        let (code, out, why) = ended(&args, &[]);
        assert_eq!((code, &*out), (2, ""), "{why}");
        words.iter().for_each(|word| assert!(why.contains(word), "no {word:?} in: {why}"));
        assert!(!why.contains(&good[20..]) && !why.contains(&good[6..40]), "{why}");
    };
    agent(&old, &[], &["has expired at 1970-01-01T01:00:00Z", "have a new one made"]);
    agent(&damaged, &[], &["--token: the token is damaged", "copy the whole line"]);
    agent(&good[..good.len() - 1], &[], &["damaged"]);
    agent(&newer, &[], &["version 2", "newer program"]);
    agent("prod", &[], &["no join token"]);
    agent(&good, &["--cluster", "other"], &["for cluster \"prod\"", "cluster \"other\"", "take one of the two away"]);
    agent(&good, &["--joyn"], &["--joyn"]);
    agent("@/nowhere/at/all", &[], &["cannot read /nowhere/at/all"]);
    fs::write(&file, &*good).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    agent(&format!("@{file}"), &[], &["others than its owner", "chmod 600"]);
    let help = printed(&["agent", "--token", &good, "--help"], &[]);
    assert!(help.contains("--token") && !help.contains(&good[6..40]), "{help}");
}

#[test]
fn moments_until_which_plain_datagrams_are_heard() {
    let file = path("migrate");
    keys("generate", &[], &file);
    let agent = ["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0"];
    let sealed = [&agent[..], &["--keyring", &file]].concat();
    refused(&agent, &["--migrate-until", "2099-01-01T00:00:00Z"], &["add --keyring"]);
    refused(&sealed, &["--migrate-until", "tomorrow"], &["\"tomorrow\" is no time", "2026-12-01T00:00:00Z"]);
    refused(&sealed, &["--migrate-until", "2001-01-01T00:00:00Z"], &["--migrate-until"]);
    refused(&sealed, &["--migrate-until", "2099-01-01T00:00:00Z"], &["--migrate-until", "30 days"]);
}
