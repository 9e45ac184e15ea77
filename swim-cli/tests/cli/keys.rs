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
        // As much as is read would be a key.
        (&format!("{}{}garbage", &*secret, " ".repeat(1_000)), "more than 1024 bytes"),
    ] {
        let (code, out, why) = add(text, &file);
        assert_eq!((code, &*out), (2, ""), "{text}");
        assert!(why.contains(words) && !why.contains("abab"), "{why}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    // Base64, as other programs write keys.
    let (code, _, why) = add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &file);
    assert_eq!(code, 0, "{why}");
    // Blanks do not count.
    let (code, _, why) = add(&format!("{}{}", &*Key::from_bytes([7; 32]).to_secret_text(), " ".repeat(960)), &file);
    assert_eq!(code, 0, "{why}");
}

/// What stands on the command line and is none of its arguments is refused without being repeated, wherever it stands.
#[test]
fn a_secret_among_the_arguments_is_not_repeated() {
    let file = path("stray");
    keys("generate", &[], &file);
    let (hex, base64) = ("ab".repeat(32), "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=");
    let token = JoinToken::new("c", Key::from_bytes([0xab; 32]), ["a:1".parse().unwrap()], UNIX_EPOCH).unwrap();
    let token = token.to_secret_text();
    for secret in [&*hex, &hex[1..], base64, &base64[..43], &token] {
        let option = format!("--secret={secret}");
        for args in [
            &["keys", "add", secret, "--keyring", &file][..],
            &["keys", "use", secret, "--keyring", &file],
            &["keys", "token", "--keyring", &file, "--cluster", "c", "--seed", "a:1", "--expires", secret],
            &["keys", secret],
            &["agent", "--cluster", "c", "--name", "a", secret],
            &["agent", "--cluster", "c", "--name", "a", "--migrate-until", secret],
            &["agent", "--cluster", "c", "--name", "a", &option],
            &[secret],
        ] {
            let (code, out, why) = ended(args, &[]);
            assert_eq!((code, &*out), (2, ""), "{args:?}");
            let parts = [&secret[..20], &secret[20..40], &secret[secret.len() - 12..]];
            assert!(parts.iter().all(|part| !why.contains(part)), "{args:?}: {why}");
            assert!(
                why.starts_with("error: ") && (why.contains("may be a secret") || args[2..].contains(&&*option)),
                "{why}"
            );
        }
    }
    // Whatever is shorter is repeated: it is a slip of the pen.
    refused(&["keys", "add", "my-key", "--keyring", &file], &[], &["unexpected argument 'my-key' found"]);
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

/// A shell that redirects makes a file that others may read, and such a token is refused.
#[test]
fn a_token_goes_into_a_file_that_nobody_else_may_read() {
    let (file, out) = (path("token-out"), path("token-out-t"));
    keys("generate", &[], &file);
    let args = ["--cluster", "prod", "--seed", "a:1", "--out", &out];
    let token = || {
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!((text.lines().count(), text.ends_with('\n')), (1, true));
        JoinToken::parse(text.trim_end(), SystemTime::now()).unwrap()
    };
    let umask = |umask: &str| {
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, SWIM, "keys", "token", "--keyring", &file]).args(args).env_remove("RUST_LOG");
        shell.output().unwrap()
    };
    for mask in ["022", "000"] {
        let output = umask(mask);
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{why}");
        let secret = token().to_secret_text();
        assert!(
            why.contains(&out) && why.contains("whoever reads it is a member") && !why.contains(&secret[6..40]),
            "{why}"
        );
    }
    // Another one takes its place, whatever that let others do.
    fs::set_permissions(&out, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(keys("token", &["--cluster", "next", "--seed", "a:1", "--out", &out], &file), "");
    assert_eq!(token().cluster(), "next");
    let all = ["keys", "token", "--keyring", &file, "--cluster", "c", "--seed", "a:1", "--out"];
    refused(&all, &[&file], &["has the keys in it", "another path"]);
    refused(&all, &["/dev/null"], &["no regular file"]);
    refused(&all, &["/nowhere/t"], &["cannot write /nowhere/t.new", "give a path"]);
    assert!(!fs::exists(format!("{out}.new")).unwrap() && keys("list", &[], &file).ends_with("in use"));
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
    refused(&sealed, &["--migrate-until", "2099-01-01T00:00:00Z"], &["--migrate-until: ", "30 days"]);
    // Who says so is named.
    let config = path("migrate.toml");
    let section = |lines: &str| fs::write(&config, format!("cluster = 'c'\n[sealing]\n{lines}\n")).unwrap();
    let configured = ["agent", "--name", "a", "--bind", "127.0.0.1:0", "--config", &config];
    section(&format!("keyring = '{file}'\nmigrate_until = 2099-01-01T00:00:00Z"));
    refused(&configured, &[], &["migrate_until in [sealing] of ", &config, "30 days"]);
    section("token = '@/dev/null'");
    refused(&configured, &[], &["no regular file"]);
    fs::write(&file, "swim1:AAAA").unwrap();
    section(&format!("token = '@{file}'"));
    refused(&configured, &[], &["token in [sealing] of ", &config, "damaged"]);
}
