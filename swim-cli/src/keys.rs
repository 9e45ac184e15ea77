//! `swim keys`: the keys that nodes seal their datagrams with, and tokens for new nodes.
//!
//! Invariant: of a secret, nothing is printed but what was asked for, a token; and none is read from the command line.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bind_mio::Seed;
use bind_mio::swim_driver::{JoinToken, Key, KeyId};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::seed;
use crate::keyring_file::{Change, KeyFile, NextFile, is_there};
use crate::output::{Failure, Out, notice};
use crate::units::{parse_span, span};

/// What to do with the keys in a file.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a new key, and the file if it is not there; print the key's id.
    ///
    /// The first key of a file is in use, a further one is not before `swim keys use`.
    Generate(FileArgs),
    /// Add a key that standard input has, and make the file if it is not there; print the key's id.
    ///
    /// A key is 64 hexadecimal digits, or 44 characters of Base64. It is never an argument, since others on this machine
    /// can read those.
    Add(FileArgs),
    /// Seal with this key from now on. All nodes must have it by then.
    Use(KeyArgs),
    /// Remove a key that is not in use: what is sealed with it is not opened any more.
    Remove(KeyArgs),
    /// Tell which keys there are, and which of them is in use; never the secrets.
    List(ListArgs),
    /// Make a join token: one line with all that a new node needs, the key in use included. Treat it as a key.
    Token(TokenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file that the keys are in. Nobody but its owner may read it.
    #[arg(long, value_name = "FILE")]
    keyring: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key's id, four hexadecimal digits.
    #[arg(value_name = "ID", value_parser = key_id)]
    key: KeyId,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    file: FileArgs,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The cluster's name.
    #[arg(long)]
    cluster: String,
    /// Nodes to join through, at most 16.
    #[arg(long, value_name = "HOST:PORT", num_args = 1.., value_delimiter = ',', value_parser = seed, required = true)]
    seed: Vec<Seed>,
    /// How long nodes may start with it.
    ///
    /// Who has kept the token has its key, however old it is: keys are taken from people by removing them from the rings.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    expires: Duration,
    /// Write it into this file, which nobody but its owner may read, instead of printing it. What was there is
    /// replaced.
    ///
    /// A shell that writes standard output into a file lets others read it, as a rule, and then no node takes it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each key: id, when it was added, whether it is in use.
    Human,
    /// One JSON object.
    Json,
}

pub(crate) fn run(command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Generate(args) => add(&args.keyring, || {
            Key::generate().map_err(|e| Failure::Runtime(format!("the operating system gives no random numbers: {e}")))
        }),
        KeysCommand::Add(args) => add(&args.keyring, key_of_stdin),
        KeysCommand::Use(KeyArgs { key, file }) => {
            change(&file.keyring, |keys| keys.use_key(*key).map_err(|e| e.to_string()))
        }
        KeysCommand::Remove(KeyArgs { key, file }) => {
            change(&file.keyring, |keys| keys.remove(*key).map_err(|e| e.to_string()))
        }
        KeysCommand::List(args) => list(&read(&args.file.keyring)?, args.format),
        KeysCommand::Token(args) => token(args),
    }
}

/// Adds a key to the file, or makes the file with it.
fn add(path: &Path, key: impl FnOnce() -> Result<Key, Failure>) -> Result<(), Failure> {
    // Read before the file is begun: whoever breaks off at the prompt leaves nothing behind.
    let key = key()?;
    let mut change = Change::begin(path)?;
    let id = key.id();
    let (keys, next) = match change.former.take() {
        None => (KeyFile::new(key), "a new file; the key is in use".to_owned()),
        Some(mut keys) => {
            keys.add(key).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            (keys, format!("it is not in use; when all nodes have it: swim keys use {id} --keyring FILE"))
        }
    };
    change.commit(&keys)?;
    notice(format_args!("{}: key {id} added: {next}", path.display()));
    Out::new().line(format_args!("{id}"))
}

fn change(path: &Path, how: impl FnOnce(&mut KeyFile) -> Result<(), String>) -> Result<(), Failure> {
    let mut change = Change::begin(path)?;
    let Some(mut keys) = change.former.take() else {
        return Err(Failure::Usage(no_file(path)));
    };
    how(&mut keys).map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?;
    change.commit(&keys)?;
    let ids: Vec<String> = keys.ring().ids().map(|id| id.to_string()).collect();
    notice(format_args!(
        "{}: sealed with key {}, opened with {}; a running agent is told by SIGHUP",
        path.display(),
        keys.in_use(),
        ids.join(", ")
    ));
    Ok(())
}

fn read(path: &Path) -> Result<KeyFile, Failure> {
    if !is_there(path)? {
        return Err(Failure::Usage(no_file(path)));
    }
    KeyFile::read(path).map_err(Failure::Usage)
}

fn no_file(path: &Path) -> String {
    format!("there is no file {}: make one with `swim keys generate`, or name another", path.display())
}

fn key_of_stdin() -> Result<Key, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        notice(format_args!("a key is read from standard input:"));
    }
    // More than it takes: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_TEXT_MAX));
    let mut input = stdin.lock().take(KEY_TEXT_MAX as u64 + 1);
    input.read_to_string(&mut text).map_err(|e| {
        Failure::Usage(format!("cannot read a key from standard input: {e}; give it a key, and nothing else"))
    })?;
    if text.len() > KEY_TEXT_MAX {
        return Err(Failure::Usage(format!(
            "standard input has more than {KEY_TEXT_MAX} bytes: give it a key, and nothing else"
        )));
    }
    Key::from_secret_text(&text).map_err(|e| Failure::Usage(format!("standard input: {e}")))
}

fn list(keys: &KeyFile, format: Format) -> Result<(), Failure> {
    let mut out = Out::new();
    match format {
        Format::Json => {
            let list: Vec<_> = (keys.entries().iter())
                .map(|entry| {
                    let id = entry.key.id();
                    json!({ "id": id.to_string(), "added": entry.added, "in_use": id == keys.in_use() })
                })
                .collect();
            out.line(format_args!("{}", json!({ "in_use": keys.in_use().to_string(), "keys": list })))
        }
        Format::Human => keys.entries().iter().try_for_each(|entry| {
            let id = entry.key.id();
            let used = if id == keys.in_use() { "  in use" } else { "" };
            out.line(format_args!("{id}  {}{used}", entry.added))
        }),
    }
}

fn token(args: &TokenArgs) -> Result<(), Failure> {
    let keys = read(&args.file.keyring)?;
    let Some(expires) = SystemTime::now().checked_add(args.expires) else {
        return Err(Failure::Usage(format!(
            "--expires {} is later than clocks can say: take less",
            span(args.expires)
        )));
    };
    let token = JoinToken::new(&args.cluster, keys.key_in_use().clone(), args.seed.iter().cloned(), expires)
        .map_err(|e| Failure::Usage(e.to_string()))?;
    let what = format!(
        "this token has key {} in it: whoever reads it is a member; nodes may start with it for {}",
        keys.in_use(),
        span(args.expires)
    );
    let Some(path) = &args.out else {
        notice(format_args!("{what}"));
        return Out::new().line(format_args!("{}", &*token.to_secret_text()));
    };
    keys_are_elsewhere(path, &args.file.keyring)?;
    let mut line = Zeroizing::new(String::with_capacity(LINE_MAX));
    line.push_str(&token.to_secret_text());
    line.push('\n');
    NextFile::begin(path)?.commit(line.as_bytes())?;
    notice(format_args!("{}: {what}", path.display()));
    Ok(())
}

/// The last thing to be replaced is the keyring itself.
fn keys_are_elsewhere(out: &Path, keyring: &Path) -> Result<(), Failure> {
    match (out.canonicalize(), keyring.canonicalize()) {
        (Ok(out), Ok(keyring)) if out == keyring => {
            Err(Failure::Usage(format!("{} has the keys in it: give --out another path", out.display())))
        }
        _ => Ok(()),
    }
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse().map_err(|_| "a key's id is 4 hexadecimal digits, as `swim keys list` shows it".into())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match parse_span(text)? {
        span if span < Duration::from_secs(1) => Err("nobody could use it in time: take 1s or more".into()),
        span => Ok(span),
    }
}

/// A token has 2,048 characters at most.
const LINE_MAX: usize = 4 << 10;
/// A key's text takes 64; the rest may be blank.
const KEY_TEXT_MAX: usize = 1 << 10;

pub(crate) const KEYS_HELP: &str = "\
All nodes of a cluster have the same keys. They seal with the one that is in use, and open with all in their files,
at most four. A key is exchanged in three steps, each on all nodes before the next begins:
  swim keys generate --keyring FILE      once; then the new file is copied to all nodes
  swim keys use ID --keyring FILE
  swim keys remove ID --keyring FILE     the former one
Behind each step, a running agent reads its file anew when it gets SIGHUP.

A token expires, the key in it does not: docs/security.md tells what that means.";
