use std::env;
use std::process;

use super::*;

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

/// A directory of its own for each test.
fn dir(name: &str) -> PathBuf {
    let dir = env::temp_dir().join(format!("swim-keyring-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).unwrap();
    dir
}

fn ids(file: &KeyFile) -> Vec<KeyId> {
    file.entries().iter().map(|entry| entry.key.id()).collect()
}

fn save(path: &Path, keys: &KeyFile) {
    Change::begin(path).unwrap().commit(keys).unwrap();
}

fn refused(text: &str) -> String {
    let (offset, why) = parse(text).unwrap_err();
    assert!(offset <= text.len());
    why
}

#[test]
fn what_was_written_is_read() {
    let path = dir("written").join("keys");
    let mut keys = KeyFile::new(key(1));
    keys.add(key(2)).unwrap();
    keys.use_key(key(2).id()).unwrap();
    save(&path, &keys);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let again = KeyFile::read(&path).unwrap();
    assert_eq!((ids(&again), again.in_use()), (vec![key(1).id(), key(2).id()], key(2).id()));
    assert_eq!(again.ring().ids().collect::<Vec<_>>(), ids(&again));
    assert_eq!(again.key_in_use().to_secret_text(), key(2).to_secret_text());
    assert_eq!(*again.text(), *keys.text());
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn one_changes_it_at_a_time_and_who_gives_up_leaves_it_as_it_was() {
    let path = dir("lock").join("keys");
    save(&path, &KeyFile::new(key(1)));
    let before = fs::read(&path).unwrap();
    let change = Change::begin(&path).unwrap();
    let Err(Failure::Runtime(why)) = Change::begin(&path) else { panic!("two at a time") };
    assert!(why.contains("keys.new is there") && why.contains("when none runs, remove it"), "{why}");
    drop(change);
    assert_eq!(fs::read(&path).unwrap(), before);
    save(&path, &KeyFile::new(key(2)));
    assert_ne!(fs::read(&path).unwrap(), before);
}

#[test]
fn the_file_that_a_link_points_to_is_changed() {
    let dir = dir("link");
    let (real, link) = (dir.join("real"), dir.join("link"));
    save(&real, &KeyFile::new(key(1)));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    save(&link, &KeyFile::new(key(2)));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(ids(&KeyFile::read(&real).unwrap()), [key(2).id()]);
}

/// 2 says that something else is to be asked for, 1 that the same may do another time.
#[test]
fn what_cannot_be_written_is_the_path_or_the_machine() {
    let dir = dir("unwritable");
    let file = dir.join("file");
    fs::write(&file, "").unwrap();
    for path in [dir.join("no/keys"), file.join("keys"), PathBuf::from("/"), dir, "/dev/null".into()] {
        assert!(matches!(NextFile::begin(&path), Err(Failure::Usage(_))), "{}", path.display());
    }
    for (kind, code) in [
        (io::ErrorKind::PermissionDenied, 2),
        (io::ErrorKind::ReadOnlyFilesystem, 2),
        (io::ErrorKind::StorageFull, 1),
        (io::ErrorKind::QuotaExceeded, 1),
        (io::ErrorKind::Other, 1),
    ] {
        assert_eq!(failed(&kind.into(), String::new()).exit_code(), code, "{kind}");
    }
}

#[test]
fn files_that_others_could_read_are_refused_with_the_remedy() {
    let path = dir("modes").join("keys");
    save(&path, &KeyFile::new(key(1)));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let why = KeyFile::read(&path).unwrap_err();
        assert!(
            why.contains(&format!("mode {mode:04o}")) && why.contains(&format!("chmod 600 {}", path.display())),
            "{why}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(KeyFile::read(&path).is_ok(), "{mode:o}");
    }
    let why = may_be_used(0o100_600, 7, 8).unwrap_err();
    assert!(why.contains("belongs to user 7") && why.contains("chown 8 FILE"), "{why}");
    assert_eq!(may_be_used(0o100_600, 8, 8), Ok(()));
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = dir("none");
    let why = KeyFile::read(&dir.join("nowhere")).unwrap_err();
    assert!(why.contains("cannot read") && why.contains("give the path of a keyring"), "{why}");
    assert!(KeyFile::read(&dir).unwrap_err().contains("no regular file"));
    let pipe = dir.join("pipe");
    assert!(process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(KeyFile::read(&pipe).unwrap_err().contains("no regular file"));
    let large = dir.join("large");
    fs::write(&large, " ".repeat(KeyFile::MAX_LEN + 1)).unwrap();
    fs::set_permissions(&large, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(KeyFile::read(&large).unwrap_err().contains("larger than a keyring can be"));
}

/// Whatever is wrong: no message has any of it.
#[test]
fn what_stands_in_it_is_checked_and_not_repeated() {
    let keys = KeyFile::new(key(0xab));
    let good = keys.text();
    let secret = key(0xab).to_secret_text();
    let twice = format!("{}\n[[key]]{}", &*good, good.split("[[key]]").nth(1).unwrap());
    let id = key(0xab).id().to_string();
    for (text, wanted) in [
        (String::new(), "in_use is missing"),
        (secret.to_string(), "no TOML"),
        (format!("secret = {}", &*secret), "no TOML"),
        (format!("secret = \"{}\"", &*secret), "nothing else"),
        (format!("key = [\"{}\"]\n", &*secret), "this is no key"),
        (format!("key = \"{}\"\n", &*secret), "this is no keyring"),
        (format!("in_use = \"{}\"\n", &*secret), "no id of a key"),
        (format!("in_use = \"{id}\"\n"), "no [[key]]"),
        (good.replace("in_use", "inuse"), "nothing else"),
        (good.replace(&format!("in_use = \"{id}"), "in_use = \"0000"), "the ring has no key 0000"),
        (good.replace(&format!("\nid = \"{id}"), "\nid = \"0000"), "not that of the id"),
        (good.replace("abab\"", "aba\""), "this is no key"),
        (good.replace("added = \"", "added = \"x"), "added is no time"),
        (good.replace("added", "since"), "must have"),
        (format!("{}more = 1\n", &*good), "nothing else"),
        (twice, "already"),
    ] {
        let why = refused(&text);
        assert!(why.contains(wanted) && !why.contains("ababab"), "{wanted}: {why}");
    }
    assert!(!format!("{keys:?}").contains("ababab"));
}
