//! Sealing as the agent has it: where its keys come from, and what is said of it.
//!
//! Invariants: no secret is in a message, nor in what `Debug` shows; a keyring that cannot be used keeps the node from starting, and
//! one that cannot be read again changes nothing.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bind_mio::swim_driver::{JoinToken, Keyring, TokenError};
use bind_mio::{Handle, Seed, Setup};
use clap::Args;
use zeroize::Zeroizing;

use crate::config_file::{File, Sealing as Section};
use crate::keyring_file::{Change, KeyFile, is_there, read_secret};
use crate::output::{Failure, notice};

#[derive(Debug, Args)]
#[command(next_help_heading = "Sealing")]
pub(crate) struct SealArgs {
    /// Seal datagrams with the keys in this file, which `swim keys` makes; see below.
    ///
    /// Nobody but its owner may read it. SIGHUP makes the node read it again.
    #[arg(long, value_name = "FILE")]
    pub(super) keyring: Option<PathBuf>,
    /// Take cluster, seeds and key from a join token: the token itself, or @ and the path of a file that has it.
    ///
    /// With --keyring, too, the key goes into that file if it is not there; if it is, its keys count. Others on this machine
    /// can read a command line, so a file is better.
    #[arg(long, value_name = "TOKEN|@FILE", value_parser = |text: &str| Ok::<_, Infallible>(TokenText::from(text)))]
    pub(super) token: Option<TokenText>,
    /// Until then, a time like 2026-12-01T00:00:00Z, hear plain datagrams, too, and send them to whoever speaks plain.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) migrate_until: Option<SystemTime>,
}

/// A token, or `@` and where it is.
#[derive(Clone)]
pub(super) struct TokenText(Zeroizing<String>);

impl From<&str> for TokenText {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl TokenText {
    /// The file that it is in.
    pub(super) fn file(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file().unwrap_or("a token"))
    }
}

/// What a node needs to seal; or nothing, and then it speaks plain.
pub(super) struct Sealing {
    ring: Option<Keyring>,
    /// Where the ring is from, and is read again from.
    file: Option<PathBuf>,
    token: Option<JoinToken>,
    migrate_until: Option<SystemTime>,
}

impl Sealing {
    /// What the command line and the config file ask for, in this order. Nothing is written yet.
    pub(super) fn of(args: &SealArgs, config: Option<&File>) -> Result<Self, Failure> {
        let nothing = Section::default();
        let section = config.map_or(&nothing, File::sealing);
        let file = args.keyring.clone().or_else(|| section.keyring.clone());
        let token = args.token.clone().or_else(|| section.token.as_deref().map(TokenText::from));
        let migrate_until = args.migrate_until.or(section.migrate_until);
        if migrate_until.is_some() && file.is_none() && token.is_none() {
            return Err(Failure::Usage(
                "until when plain datagrams are heard, too, is said, and not what else is: add --keyring FILE or --token"
                    .into(),
            ));
        }
        let there = match &file {
            Some(path) if is_there(path)? => Some(KeyFile::read(path).map_err(Failure::Usage)?),
            Some(path) if token.is_none() => {
                return Err(Failure::Usage(format!(
                    "there is no file {}: make one with `swim keys generate --keyring`, or join with --token",
                    path.display()
                )));
            }
            _ => None,
        };
        let ring = there.as_ref().map(|keys| keys.ring().clone());
        let token = token.map(|text| read_token(&text, ring.is_some())).transpose().map_err(Failure::Usage)?;
        Ok(Self { ring, file, token, migrate_until })
    }

    /// Whether the node seals.
    pub(super) fn is_sealed(&self) -> bool {
        self.ring.is_some() || self.token.is_some()
    }

    /// The cluster that the token is for.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.token.as_ref().map(JoinToken::cluster)
    }

    /// All to join through: those that were named, and those of the token.
    pub(super) fn with_seeds(&self, named: &[Seed]) -> Vec<Seed> {
        let mut seeds = named.to_vec();
        for seed in self.token.iter().flat_map(JoinToken::seeds) {
            if !seeds.contains(seed) {
                seeds.push(seed.clone());
            }
        }
        seeds
    }

    /// Makes the file from the token where it is to be made, and tells the node.
    pub(super) fn apply(&mut self, cluster: &str, setup: &mut Setup) -> Result<(), Failure> {
        if let Some(token) = &self.token {
            if token.cluster() != cluster {
                return Err(Failure::Usage(format!(
                    "the token is for cluster \"{}\", and this node is to be of cluster \"{}\": take one of the two away",
                    token.cluster().escape_debug(),
                    cluster.escape_debug()
                )));
            }
            if self.ring.is_none() {
                self.ring = Some(match &self.file {
                    Some(path) => keep(path, token).map_err(Failure::Usage)?,
                    None => Keyring::new(token.key().clone()),
                });
            }
        }
        setup.keyring.clone_from(&self.ring);
        setup.migrate_until = self.migrate_until;
        Ok(())
    }

    /// Where keys are read again from.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Tells whoever starts it what the node's datagrams are worth.
    pub(super) fn tell(&self) {
        match (&self.ring, self.migrate_until) {
            (None, _) => notice(format_args!(
                "NOT SEALED: datagrams of this node are neither secret nor proven, and whoever can send to it can pretend \
                 to be any member; `swim keys generate` and --keyring change that"
            )),
            (Some(ring), None) => notice(format_args!("{}", keys_line(ring))),
            (Some(ring), Some(until)) => notice(format_args!(
                "{}; PLAIN DATAGRAMS ARE HEARD, TOO, until {}",
                keys_line(ring),
                humantime::format_rfc3339_seconds(until)
            )),
        }
    }
}

/// What SIGHUP does: the keys are those of the file from now on, if it can be used.
pub(super) fn reread(handle: &Handle, path: &Path) {
    let told = KeyFile::read(path).and_then(|keys| {
        handle.set_keyring(keys.ring().clone()).map_err(|e| e.to_string())?;
        Ok(keys_line(keys.ring()))
    });
    match told {
        Ok(line) => notice(format_args!("SIGHUP: {line}")),
        Err(why) => notice(format_args!("SIGHUP: {why}; the keys stay as they were")),
    }
}

fn keys_line(ring: &Keyring) -> String {
    let ids: Vec<String> = ring.ids().map(|id| id.to_string()).collect();
    format!("sealed with key {}, opened with {}", ring.in_use(), ids.join(", "))
}

/// A token's file has its key in it. Whoever made it meanwhile made it of another one, or of this one; it is as good.
fn keep(path: &Path, token: &JoinToken) -> Result<Keyring, String> {
    let change = Change::begin(path)?;
    if let Some(keys) = &change.former {
        return Ok(keys.ring().clone());
    }
    let keys = KeyFile::new(token.key().clone());
    change.commit(&keys)?;
    notice(format_args!("{}: made of the token, with key {}", path.display(), keys.in_use()));
    Ok(keys.ring().clone())
}

/// Who has keys already needs the token for cluster and seeds alone, and these do not expire: so a node that has joined with it
/// can be started again.
fn read_token(text: &TokenText, has_keys: bool) -> Result<JoinToken, String> {
    let read = text.file().map(|path| read_secret(Path::new(path), TOKEN_FILE_MAX, "a join token")).transpose()?;
    let text = read.as_ref().unwrap_or(&text.0);
    let now = if has_keys { UNIX_EPOCH } else { SystemTime::now() };
    JoinToken::parse(text, now).map_err(|e| match e {
        TokenError::Expired { at } => format!(
            "--token: the token has expired at {}, {} ago: have a new one made with `swim keys token`",
            humantime::format_rfc3339_seconds(at),
            ago(at)
        ),
        e => format!("--token: {e}"),
    })
}

fn ago(at: SystemTime) -> String {
    let since = SystemTime::now().duration_since(at).unwrap_or_default();
    humantime::format_duration(Duration::from_secs(since.as_secs())).to_string()
}

/// A moment, as RFC 3339 writes it in UTC.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    humantime::parse_rfc3339(text)
        .map_err(|_| format!("\"{text}\" is no time: write it like 2026-12-01T00:00:00Z, in UTC"))
}

/// A token and some blanks.
const TOKEN_FILE_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", TokenText::from("swim1:AAAA")), "a token");
        assert_eq!(format!("{:?}", TokenText::from("@/run/t")), "/run/t");
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment("1970-01-02T00:00:00Z"), Ok(UNIX_EPOCH + Duration::from_secs(86_400)));
        for none in ["", "tomorrow", "2026-12-01", "2026-12-01T00:00:00", "2026-12-01T00:00:00+01:00"] {
            assert!(moment(none).unwrap_err().contains("write it like 2026-12-01T00:00:00Z"), "{none}");
        }
    }
}
