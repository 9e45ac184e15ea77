//! What people write, for the fuzzer: config files, seeds, faults, files of keys.

use std::path::Path;

use bind_mio::Seed;

use crate::agent::moment;
use crate::config_file::{File, Sources};
use crate::keyring_file::{Entry, KeyFile};
use crate::output::Failure;
use crate::sim::fault_spec;

/// Any text as a config file, each line of it as a `--set`, as a seed and as a fault: taken, or refused with words.
///
/// # Panics
/// When there is a bug.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    file(&text);
    if let Err((line, why)) = fault_spec::parse_file(&text) {
        assert!((1..=text.lines().count() + 1).contains(&line) && !why.is_empty(), "{line}: {why:?}");
    }
    for line in text.lines().take(16) {
        set(line);
        seed(line);
        fault(line);
    }
}

fn file(text: &str) {
    let path = Path::new("swim.toml");
    let file = match File::parse(path, text) {
        Ok(file) => file,
        Err(why) => return assert!(why.starts_with("swim.toml:"), "{why:?} says where"),
    };
    assert!(
        file.tags().iter().all(|(key, _)| text.contains(key.as_str()) || text.contains('\\')),
        "tags are in the text"
    );
    resolve(&Sources { cluster: None, preset: None, file: Some(file), set: &[] });
}

fn set(line: &str) {
    resolve(&Sources { cluster: Some("c"), preset: None, file: None, set: &[line.to_owned()] });
}

fn resolve(sources: &Sources<'_>) {
    match sources.config(Some("c")) {
        Ok(resolved) => assert_eq!(resolved.config.validate(), Ok(())),
        Err(Failure::Usage(why)) => assert!(!why.is_empty()),
        Err(other) => panic!("{other:?} is not about what was written"),
    }
}

fn seed(line: &str) {
    match line.parse::<Seed>() {
        Ok(seed) => assert_eq!(seed.to_string().parse::<Seed>(), Ok(seed.clone()), "{line:?} reads as it is written"),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

fn fault(line: &str) {
    match fault_spec::parse(line) {
        Ok(fault) => assert_eq!(fault.label, line),
        Err(why) => assert!(why.contains("at character"), "{why:?} says where"),
    }
}

/// Any text as the file that keys are kept in: taken, and then what is written of it reads as the same; or refused with words that
/// repeat no secret.
///
/// # Panics
/// When there is a bug.
pub fn keyring(text: &str) {
    match KeyFile::parse(text) {
        Ok(file) => {
            let written = file.text();
            assert!(written.len() <= KeyFile::MAX_LEN, "{} bytes would not be read again", written.len());
            let again = KeyFile::parse(&written).expect("what is written is read");
            assert_eq!(again.in_use(), file.in_use());
            assert_eq!(again.key_in_use().to_secret_text(), file.key_in_use().to_secret_text());
            let parts = |file: &KeyFile| {
                let part = |entry: &Entry| (entry.key.id(), entry.key.to_secret_text(), entry.added.clone());
                file.entries().iter().map(part).collect::<Vec<_>>()
            };
            assert_eq!(parts(&again), parts(&file));
            assert!(file.ring().ids().eq(file.entries().iter().map(|entry| entry.key.id())));
        }
        Err((at, why)) => {
            assert!(at <= text.len() && !why.is_empty());
            let runs = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| run.len() >= 32);
            assert!(runs.into_iter().all(|run| !why.contains(run)), "a part of the file is told: {why:?}");
        }
    }
}

/// Any text as each value of a config file's section `[sealing]`: what is taken for a token is the path of one, and what is not is
/// not repeated; a time reads as it is written.
///
/// # Panics
/// When there is a bug.
pub fn sealing(text: &str) {
    let quoted = serde_json::to_string(text).expect("a text is a text");
    // What JSON escapes, TOML does the same way, but for one character that it wants escaped.
    let quoted = quoted.replace('\u{7f}', "\\u007f");
    let parse = |key: &str| File::parse(Path::new("swim.toml"), &format!("[sealing]\n{key} = {quoted}\n"));
    match parse("token") {
        Ok(file) => assert!(file.sealing().token.as_deref() == Some(text) && text.starts_with('@')),
        Err(why) => {
            assert!(why.starts_with("swim.toml:2:") && !(text.len() > 1 && text.starts_with('@')), "{why:?}");
            assert!(text.len() < 16 || !why.contains(text), "what may be a token is told: {why:?}");
        }
    }
    match parse("keyring") {
        Ok(file) => assert_eq!(file.sealing().keyring.as_deref(), Some(Path::new(text))),
        Err(why) => assert!(text.is_empty() && why.starts_with("swim.toml:2:"), "{why:?}"),
    }
    if let Ok(file) = parse("migrate_until") {
        let at = file.sealing().migrate_until.expect("it was taken");
        assert_eq!(moment(&humantime::format_rfc3339(at).to_string()), Ok(at), "{text:?} reads as it is written");
    }
}
