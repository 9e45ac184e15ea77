//! The file that a node's keys are kept in.
//!
//! Invariants: nobody but its owner may read it, or it is not used; a file that is written is whole, the former one or the new one,
//! whatever happens meanwhile; no message has a line of it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bind_mio::swim_driver::{Key, KeyId, Keyring, KeyringError};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::output::Failure;

/// Keys, which of them is in use, and since when they are here.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    ring: Keyring,
    /// Those of the ring, in its order.
    keys: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// RFC 3339.
    pub(crate) added: String,
}

impl KeyFile {
    /// Bytes of a file at most: four keys take an eighth of it.
    pub(crate) const MAX_LEN: usize = 16 << 10;

    /// A file of one key, which is in use.
    pub(crate) fn new(key: Key) -> Self {
        Self { ring: Keyring::new(key.clone()), keys: vec![Entry::now(key)] }
    }

    /// What stands in a file; or where it is wrong, as an offset, and what it is.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        parse(text)
    }

    /// Reads a file that is there, and that nobody else may read. An error says what to do about it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = read_secret(path, Self::MAX_LEN, "a keyring")?;
        parse(&text).map_err(|(offset, why)| {
            let line = 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
            format!("{}:{line}: {why}", path.display())
        })
    }

    pub(crate) fn ring(&self) -> &Keyring {
        &self.ring
    }

    pub(crate) fn in_use(&self) -> KeyId {
        self.ring.in_use()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.keys
    }

    /// The key that is in use.
    pub(crate) fn key_in_use(&self) -> &Key {
        let entry = self.keys.iter().find(|entry| entry.key.id() == self.in_use());
        &entry.expect("one of them is in use").key
    }

    pub(crate) fn add(&mut self, key: Key) -> Result<(), KeyringError> {
        self.ring.add(key.clone())?;
        self.keys.push(Entry::now(key));
        Ok(())
    }

    pub(crate) fn use_key(&mut self, key: KeyId) -> Result<(), KeyringError> {
        self.ring.use_key(key)
    }

    pub(crate) fn remove(&mut self, key: KeyId) -> Result<(), KeyringError> {
        self.ring.remove(key)?;
        self.keys.retain(|entry| entry.key.id() != key);
        Ok(())
    }

    /// What stands in the file.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        // More than it takes: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * Self::MAX_LEN));
        let mut put = |line: &str| text.push_str(line);
        put(HEAD);
        put(&format!("in_use = \"{}\"\n", self.in_use()));
        for Entry { key, added } in &self.keys {
            put(&format!("\n[[key]]\nid = \"{}\"\nadded = \"{added}\"\nsecret = \"", key.id()));
            put(&key.to_secret_text());
            put("\"\n");
        }
        text
    }
}

impl Entry {
    fn now(key: Key) -> Self {
        Self { key, added: humantime::format_rfc3339_seconds(SystemTime::now()).to_string() }
    }
}

/// A keyring file that is about to be changed: until this is dropped, nobody else changes it.
pub(crate) struct Change {
    next: NextFile,
    /// What is there.
    pub(crate) former: Option<KeyFile>,
}

impl Change {
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let next = NextFile::begin(path)?;
        let former = match fs::symlink_metadata(&next.path) {
            Ok(_) => Some(KeyFile::read(&next.path).map_err(Failure::Usage)?),
            Err(_) => None,
        };
        Ok(Self { next, former })
    }

    /// Puts these keys into the place of what was there.
    pub(crate) fn commit(self, keys: &KeyFile) -> Result<(), Failure> {
        self.next.commit(keys.text().as_bytes())
    }
}

/// A file with a secret in it that is about to be there, in the place of whatever is.
pub(crate) struct NextFile {
    path: PathBuf,
    /// The new one, which nobody else can make while it is there.
    next: PathBuf,
    file: File,
    /// The new one has the name of the former; whoever has made another `next` since is somebody else.
    done: bool,
}

impl NextFile {
    /// From the first moment on, nobody but its owner may read it.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        // The file that a link points to is changed, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let Some(name) = path.file_name() else {
            return Err(Failure::Usage(format!("{} is no path of a file: give one", path.display())));
        };
        // What takes its place would be no device, no pipe, and no directory.
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Failure::Usage(format!("{} is no regular file: give another path", path.display())));
        }
        let mut next = name.to_owned();
        next.push(".new");
        let next = path.with_file_name(next);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next);
        let file = file.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Failure::Runtime(format!(
                "{} is there: another command is writing this file just now, or one was interrupted; when none runs, \
                 remove it",
                next.display()
            )),
            _ => failed(
                &e,
                format!("cannot write {}: {e}; give a path in a directory that can be written", next.display()),
            ),
        })?;
        Ok(Self { path, next, file, done: false })
    }

    /// These bytes are what stands under its name from now on.
    pub(crate) fn commit(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.write(bytes);
        written.map_err(|e| {
            Failure::Runtime(match self.done {
                false => format!("cannot write {}: {e}; what was there is unchanged", self.path.display()),
                true => format!("{} is written, but may be lost if the machine fails now: {e}", self.path.display()),
            })
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        fs::rename(&self.next, &self.path)?;
        self.done = true;
        // The name is on the disk when its directory is.
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    }
}

impl Drop for NextFile {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.next);
        }
    }
}

/// Whether another path would do, or the system is short of something.
fn failed(error: &io::Error, why: String) -> Failure {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        IsADirectory | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem => Failure::Usage(why),
        _ => Failure::Runtime(why),
    }
}

/// Whether there is such a file; an error when that cannot be said.
pub(crate) fn is_there(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(|e| Failure::Usage(format!("cannot look at {}: {e}", path.display())))
}

/// Reads a file with a secret in it: a regular one that is small, ours, and closed to others.
pub(crate) fn read_secret(path: &Path, max_len: usize, what: &str) -> Result<Zeroizing<String>, String> {
    let cannot =
        |e: io::Error| format!("cannot read {}: {e}; give the path of {what} that can be read", path.display());
    // Asked first, because to open a pipe is to wait for who writes into it.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(format!("{} is no regular file: give the path of {what}", path.display()));
    }
    let mut file = File::open(path).map_err(cannot)?;
    // Of what was opened, whatever stands under its name now.
    let found = file.metadata().map_err(cannot)?;
    closed_to_others(&found, rustix::process::geteuid().as_raw())
        .map_err(|why| format!("{}: {}", path.display(), why.replace("FILE", &path.display().to_string())))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(max_len + 1));
    (&mut file).take(max_len as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > max_len {
        return Err(format!("{} is larger than {what} can be: give another path", path.display()));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| format!("{} is no text: give the path of {what}", path.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn closed_to_others(found: &Metadata, me: u32) -> Result<(), String> {
    may_be_used(found.permissions().mode(), found.uid(), me)
}

/// Whether a file of this mode and owner is one of secrets that `me` may rely on.
fn may_be_used(mode: u32, owner: u32, me: u32) -> Result<(), String> {
    if owner != me {
        return Err(format!(
            "this file belongs to user {owner}, and this program runs as user {me}, so somebody else decides on its \
             secrets: chown {me} FILE, or run this as user {owner}"
        ));
    }
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(format!(
            "others than its owner may read or write this file (mode {:04o}), and it has secrets in it: chmod 600 FILE, \
             and take new keys if somebody may have read it",
            mode & 0o7777
        )),
    }
}

/// What stands in a file; or where it is wrong, and what it is.
fn parse(text: &str) -> Result<KeyFile, (usize, String)> {
    let table = DeTable::parse(text)
        // What the parser says may have a part of a line in it, and a line may be a key.
        .map_err(|e| (e.span().map_or(0, |span| span.start), format!("this is no TOML, and no keyring: {MADE_BY}")))?;
    let (mut in_use, mut keys) = (None, Vec::new());
    for (name, value) in table.get_ref() {
        let at = name.span().start;
        match (&**name.get_ref(), value.get_ref()) {
            ("in_use", DeValue::String(id)) => {
                in_use =
                    Some((at, id.parse::<KeyId>().map_err(|_| (at, format!("in_use is no id of a key: {MADE_BY}")))?));
            }
            ("key", DeValue::Array(list)) => {
                for key in list {
                    let at = key.span().start;
                    let DeValue::Table(table) = key.get_ref() else {
                        return Err((at, format!("this is no key: {MADE_BY}")));
                    };
                    keys.push((at, entry(table).map_err(|why| (at, why))?));
                }
            }
            ("in_use" | "key", _) => return Err((at, format!("this is no keyring: {MADE_BY}"))),
            _ => return Err((at, format!("a keyring has in_use and [[key]], and nothing else: {MADE_BY}"))),
        }
    }
    let (at, in_use) = in_use.ok_or((0, format!("in_use is missing, which says the key to seal with: {MADE_BY}")))?;
    let mut keys = keys.into_iter();
    let (_, first) = keys.next().ok_or((0, format!("there is no [[key]] in it: {MADE_BY}")))?;
    let mut file = KeyFile { ring: Keyring::new(first.key.clone()), keys: vec![first] };
    for (at, entry) in keys {
        file.ring.add(entry.key.clone()).map_err(|e| (at, e.to_string()))?;
        file.keys.push(entry);
    }
    file.use_key(in_use).map_err(|e| (at, format!("in_use: {e}")))?;
    Ok(file)
}

fn entry(table: &DeTable<'_>) -> Result<Entry, String> {
    let text = |name: &str| {
        let found = table.iter().find(|(key, _)| key.get_ref() == name);
        match found.map(|(_, value)| value.get_ref()) {
            Some(DeValue::String(text)) => Ok(&**text),
            _ => Err(format!("a [[key]] must have {name}, in quotes: {MADE_BY}")),
        }
    };
    if table.len() != 3 {
        return Err(format!("a [[key]] has id, added and secret, and nothing else: {MADE_BY}"));
    }
    let key = Key::from_secret_text(text("secret")?).map_err(|e| format!("secret: {e}"))?;
    if text("id")?.parse() != Ok(key.id()) {
        return Err(format!("this secret is not that of the id beside it: {MADE_BY}"));
    }
    let added = text("added")?;
    humantime::parse_rfc3339(added).map_err(|_| format!("added is no time: {MADE_BY}"))?;
    Ok(Entry { key, added: added.into() })
}

const MADE_BY: &str = "`swim keys` makes such files, and changes them";
const HEAD: &str = "\
# The keys of a swim cluster. They are secrets: nobody but the owner of this file may read it.
# Made and changed by `swim keys`.
";

#[cfg(test)]
mod tests;
