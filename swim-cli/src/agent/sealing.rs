//! Sealing as the agent has it: where its keys come from, and what is said of it.
//!
//! Invariants: no secret is in a message, nor in what `Debug` shows; a keyring that cannot be used keeps the node from starting, and
//! one that cannot be read again changes nothing.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bind_mio::swim_driver::{JoinToken, Keyring, KeyringError, TokenError};
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
    /// With --keyring, too, the key goes into that file if it is not there; if it is, its keys count, and a word on
    /// standard error tells when the token's is not among them. Others on this machine can read a command line, so a
    /// file is better.
    #[arg(long, value_name = "TOKEN|@FILE", value_parser = |text: &str| Ok::<_, Infallible>(TokenText::from(text)))]
    pub(super) token: Option<TokenText>,
    /// Until then, a time like 2026-12-01T00:00:00Z, hear plain datagrams, too, and send them to whoever speaks plain.
    ///
    /// When it is over, the node starts all the same, and hears none.
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
    migrate_until: Option<Until>,
}

/// Until when plain datagrams are heard, too.
struct Until {
    at: SystemTime,
    /// Who says so.
    by: String,
}

impl Sealing {
    /// What the command line and the config file ask for, in this order. Nothing is written yet.
    pub(super) fn of(args: &SealArgs, config: Option<&File>) -> Result<Self, Failure> {
        let nothing = Section::default();
        let section = config.map_or(&nothing, File::sealing);
        let in_config = |name: &str| format!("{name} in [sealing] of {}", config.map_or("".into(), File::shown));
        let file = args.keyring.clone().or_else(|| section.keyring.clone());
        let token = (args.token.clone().map(|text| (text, "--token".to_owned())))
            .or_else(|| section.token.as_deref().map(|text| (text.into(), in_config("token"))));
        let migrate_until = (args.migrate_until.map(|at| Until { at, by: "--migrate-until".into() }))
            .or_else(|| section.migrate_until.map(|at| Until { at, by: in_config("migrate_until") }));
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
        let token =
            token.map(|(text, by)| read_token(&text, &by, ring.is_some())).transpose().map_err(Failure::Usage)?;
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
                    Some(path) => keep(path, token)?,
                    None => Keyring::new(token.key().clone()),
                });
            }
        }
        if let (Some(ring), Some(token), Some(file)) = (&self.ring, &self.token, &self.file) {
            if let Some(line) = token_line(ring, token, file, SystemTime::now()) {
                notice(format_args!("{line}"));
            }
        }
        // A node that is started again after the date is to be there, and what it does then is the safer of the two.
        if let Some(Until { at, by }) = self.migrate_until.take_if(|until| until.at <= SystemTime::now()) {
            notice(format_args!(
                "{by}: {} is over, so plain datagrams are not heard: leave it out",
                humantime::format_rfc3339_seconds(at)
            ));
        }
        setup.keyring.clone_from(&self.ring);
        setup.migrate_until = self.migrate_until.as_ref().map(|until| until.at);
        Ok(())
    }

    /// Where keys are read again from.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What says until when plain datagrams are heard, too.
    pub(super) fn migration_by(&self) -> &str {
        self.migrate_until.as_ref().map_or("--migrate-until", |until| &until.by)
    }

    /// Tells whoever starts it what the node's datagrams are worth.
    pub(super) fn tell(&self) {
        match (&self.ring, &self.migrate_until) {
            (None, _) => notice(format_args!(
                "NOT SEALED: datagrams of this node are neither secret nor proven, and whoever can send to it can pretend \
                 to be any member; `swim keys generate` and --keyring change that"
            )),
            (Some(ring), None) => notice(format_args!("{}", keys_line(ring))),
            (Some(ring), Some(until)) => notice(format_args!(
                "{}; PLAIN DATAGRAMS ARE HEARD, TOO, until {}",
                keys_line(ring),
                humantime::format_rfc3339_seconds(until.at)
            )),
        }
    }
}

/// What is to be said of a token whose key the ring lacks; `None` when it has it. The ring counts: a node must start
/// again with the token that it once joined by when the key was exchanged since. But if the token is the newer of the
/// two, the node is alone.
fn token_line(ring: &Keyring, token: &JoinToken, file: &Path, now: SystemTime) -> Option<String> {
    let (key, file) = (token.key().id(), file.display());
    match ring.clone().add(token.key().clone()) {
        Err(KeyringError::Known { .. }) => None,
        _ if token.expires() <= now => Some(format!(
            "the token has expired, and its key {key} is not in {file}, as after an exchange: the keys of the file \
             count"
        )),
        Err(KeyringError::SameId { .. }) => Some(format!(
            "THE TOKEN'S KEY {key} IS NOT THE ONE OF {file} that is called the same, and the keys of the file count: who \
             seals with the token's is not heard; remove the file to have it made of the token"
        )),
        _ => Some(format!(
            "THE TOKEN'S KEY {key} IS NOT IN {file}, and the keys of the file count: who seals with {key} is not heard, \
             and does not hear this node; copy the file of another node, or remove this one to have it made of the token"
        )),
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
fn keep(path: &Path, token: &JoinToken) -> Result<Keyring, Failure> {
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
fn read_token(text: &TokenText, by: &str, has_keys: bool) -> Result<JoinToken, String> {
    let read = text.file().map(|path| read_secret(Path::new(path), TOKEN_FILE_MAX, "a join token")).transpose()?;
    let text = read.as_ref().unwrap_or(&text.0);
    let now = if has_keys { UNIX_EPOCH } else { SystemTime::now() };
    JoinToken::parse(text, now).map_err(|e| match e {
        TokenError::Expired { at } => format!(
            "{by}: the token has expired at {}, {} ago: have a new one made with `swim keys token`",
            humantime::format_rfc3339_seconds(at),
            ago(at)
        ),
        e => format!("{by}: {e}"),
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
    use bind_mio::swim_driver::Key;

    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", TokenText::from("swim1:AAAA")), "a token");
        assert_eq!(format!("{:?}", TokenText::from("@/run/t")), "/run/t");
    }

    /// Whose key a ring lacks, and when that is to be seen from afar.
    #[test]
    fn a_key_of_a_token_that_the_ring_lacks_is_told() {
        let (start, hour) = (UNIX_EPOCH, Duration::from_secs(3_600));
        let key = |byte| Key::from_bytes([byte; 32]);
        let token = JoinToken::new("c", key(1), ["127.0.0.1:1".parse().unwrap()], start + hour).unwrap();
        let line = |ring: &Keyring, now| token_line(ring, &token, Path::new("/k"), now);
        let mut ring = Keyring::new(key(2));
        let told = line(&ring, start).unwrap();
        assert!(told.starts_with(&format!("THE TOKEN'S KEY {} IS NOT IN /k", key(1).id())), "{told}");
        assert!(
            told.contains("not heard") && told.contains("copy the file") && told.contains("remove this one"),
            "{told}"
        );
        let told = line(&ring, start + hour).unwrap();
        assert!(told.starts_with("the token has expired") && told.contains("as after an exchange"), "{told}");
        // In the ring it may be, in use or not; a full one is no other case.
        ring.add(key(1)).unwrap();
        assert_eq!((line(&ring, start), line(&ring, start + hour)), (None, None));
        ring.remove(key(1).id()).unwrap();
        (3..6).for_each(|byte| ring.add(key(byte)).unwrap());
        assert!(line(&ring, start).unwrap().contains("IS NOT IN"));
        // Two of 65,536 ids are the same sooner or later.
        let pair = |n: u32| {
            let mut bytes = [9; 32];
            bytes[..4].copy_from_slice(&n.to_le_bytes());
            Key::from_bytes(bytes)
        };
        let twin = (0..).map(pair).find(|other| other.id() == key(1).id()).unwrap();
        let told = line(&Keyring::new(twin), start).unwrap();
        assert!(told.contains("IS NOT THE ONE OF /k"), "{told}");
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment("1970-01-02T00:00:00Z"), Ok(UNIX_EPOCH + Duration::from_secs(86_400)));
        for none in ["", "tomorrow", "2026-12-01", "2026-12-01T00:00:00", "2026-12-01T00:00:00+01:00"] {
            assert!(moment(none).unwrap_err().contains("write it like 2026-12-01T00:00:00Z"), "{none}");
        }
    }
}
