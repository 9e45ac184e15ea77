//! How a node starts: what the embedder says of it, and everything that has a good default.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(feature = "aead")]
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use swim_core::{Config, ConfigError, Identity, Instant, Node, NodeId, Profile, ProfileError, RestoreError, State};
use swim_trace::Header;

use crate::advertise::{self, OnlyHere, advertised};
use crate::alerts::AlertRing;
use crate::cell::ViewCell;
use crate::events::EventRing;
use crate::handle::Handle;
use crate::mailbox::{CommandError, Mailbox};
use crate::own_state::OwnState;
use crate::pump::{Ends, Pump};
use crate::recorder::Recording;
use crate::resolver::Resolver;
use crate::rumors::RumorRing;
use crate::seal::{Envelope, Plain};
#[cfg(feature = "aead")]
use crate::seal::{Keyring, Sealed, Secrets};
use crate::seed::Seed;
use crate::socket::{SocketOptions, Speaks};
use crate::sync::Arc;
use crate::view::{Shown, View};

/// What a node starts with. [`Setup::new`] and a binding's `bind` are enough; the fields are for those who need more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// How the node paces and bounds itself. The cluster's name is in it.
    pub config: Config,
    /// The node's name: unique in the cluster, and kept over restarts.
    pub name: String,
    /// What the node says about itself, at most [`Profile::MAX_META`] bytes.
    pub meta: Vec<u8>,
    /// The node's identity. Default: from the name ([`NodeId::from_name`]).
    pub id: Option<NodeId>,
    /// Which life of the node this is: higher at every restart. Default: the seconds of the Unix clock.
    pub epoch: Option<u32>,
    /// Where others reach the node. Default: the address the socket is bound to; when that is the unspecified one, which
    /// stands for all of the machine, the address from which the first of [`Setup::seeds`] is reached that is not on this
    /// machine, or the first at all. Port 0 stands for the bound port.
    pub advertise: Option<SocketAddr>,
    /// Through whom to join from the beginning, as by [`Handle::join`]. Default: nobody.
    pub seeds: Vec<Seed>,
    /// How the socket is made. Default: [`SocketOptions::default`].
    pub socket: SocketOptions,
    /// The seed of all the node's random choices. Default: entropy of the operating system.
    pub rng_seed: Option<u64>,
    /// Resolves the names among the seeds, if there are any. Default: [`Resolver::system`], on a thread of its own.
    pub resolver: Resolver,
    /// Whether [`Handle::view`] shows all members. A view keeps a second copy of the table, about 100 bytes per member,
    /// for other threads to read. Who reads the [`Node`] itself, or events alone, can do without: then views show this
    /// node and nobody else, and are new when that changes; what events tell of others is not in them. Default: yes.
    pub publish_members: bool,
    /// The node's flight recorder: [`Handle::recorder`]. Default: none.
    pub record: Option<Recording>,
    /// What the node seals with and opens, and nothing else: who has none of its keys is neither heard nor answered. Default:
    /// none, and then everybody can say anything.
    #[cfg(feature = "aead")]
    pub keyring: Option<Keyring>,
    /// For a cluster that gets its first keys while it runs: until then a node with a keyring hears what is plain, too, and
    /// speaks plain to those who do not seal. It ends as soon as either the date or the node's own clock has come so far. At most
    /// [`Setup::MIGRATION_MAX`] from now; a date that is over is none. Default: none.
    #[cfg(feature = "aead")]
    pub migrate_until: Option<SystemTime>,
    /// Where it takes what nobody may guess. Default: the operating system.
    #[cfg(feature = "aead")]
    pub secrets: Secrets,
}

impl Setup {
    /// How far ahead [`Setup::migrate_until`] may be: 30 days.
    #[cfg(feature = "aead")]
    pub const MIGRATION_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

    /// A node of this name.
    pub fn new(name: impl Into<String>, config: Config) -> Self {
        Self {
            config,
            name: name.into(),
            meta: Vec::new(),
            id: None,
            epoch: None,
            advertise: None,
            seeds: Vec::new(),
            socket: SocketOptions::default(),
            rng_seed: None,
            resolver: Resolver::default(),
            publish_members: true,
            record: None,
            #[cfg(feature = "aead")]
            keyring: None,
            #[cfg(feature = "aead")]
            migrate_until: None,
            #[cfg(feature = "aead")]
            secrets: Secrets::System,
        }
    }

    /// The same, which joins through these from the beginning.
    ///
    /// ```
    /// use swim_driver::{Seed, Setup, swim_core::Config};
    ///
    /// let seeds: [Seed; 2] = ["db.example:7946".parse()?, "10.0.0.1:7946".parse()?];
    /// let setup = Setup::new("web-1", Config::lan("prod")).join(seeds);
    /// # assert_eq!(setup.seeds.len(), 2);
    /// # Ok::<(), swim_driver::SeedError>(())
    /// ```
    #[must_use]
    pub fn join<S: Into<Seed>>(mut self, seeds: impl IntoIterator<Item = S>) -> Self {
        self.seeds.extend(seeds.into_iter().map(Into::into));
        self
    }

    /// Starts the node for a socket that is bound to `bound`: the embedder's end, and the driver's. Bindings call this; a
    /// route to a seed is theirs to find ([`crate::bind`]).
    ///
    /// # Errors
    /// The first [`SetupError`].
    pub fn start(mut self, bound: SocketAddr, now: Instant) -> Result<(Handle, Pump), SetupError> {
        if self.name.is_empty() {
            return Err(SetupError::NameEmpty);
        }
        let profile = Profile::new(&self.name, &self.meta).map_err(SetupError::Profile)?;
        let addr = advertised(self.advertise, bound)?;
        let id = self.id.unwrap_or_else(|| NodeId::from_name(&self.name));
        let epoch = self.epoch.unwrap_or_else(unix_seconds);
        let rng_seed = match self.rng_seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|e| SetupError::Entropy(io::Error::other(e.to_string())))?,
        };
        let me = Identity { id, addr, epoch, profile };
        let header = self.record.as_ref().map(|_| Header::new(&me, &self.config, rng_seed, now));
        let seal = self.envelope(now)?;
        let mut node = Node::new(me, self.config, rng_seed, now).map_err(SetupError::Config)?;
        // The seed stands in every trace. Who has none of the system's entropy has chosen a seed that nobody knows.
        if let (Ok(a), Ok(b)) = (getrandom::u64(), getrandom::u64()) {
            node.place_by([a, b]);
        }

        let shown = if self.publish_members { Shown::All } else { Shown::Me };
        let ends = Ends {
            mailbox: Arc::new(Mailbox::new()),
            view: Arc::new(ViewCell::new(View::of(&node, shown))),
            events: Arc::new(EventRing::default()),
            rumors: Arc::new(RumorRing::default()),
            alerts: Arc::new(AlertRing::default()),
            own: Arc::new(OwnState::new(node.config())),
            counters: Arc::default(),
        };
        let limits = node.config().clone();
        let speaks = Speaks::of(bound, &self.socket);
        let envelope = seal.header_len() + seal.trailer_len();
        let recorded = self.record.zip(header).map(|(record, header)| record.start(header, envelope));
        let (recorder, tap) = recorded.unzip();
        let is_sealed = !matches!(seal, Envelope::Plain(_));
        let handle = Handle::new((id, addr, bound), limits, ends.clone(), recorder, is_sealed);
        if !self.seeds.is_empty() {
            handle.join(&self.seeds).map_err(|e| match e {
                CommandError::OnlyHere(e) => SetupError::OnlyHere(e),
                e => SetupError::Seeds(e),
            })?;
        }
        Ok((handle, Pump::new(node, seal, self.resolver, speaks, now, ends, tap)))
    }

    /// What goes around its frames.
    #[cfg(feature = "aead")]
    fn envelope(&mut self, now: Instant) -> Result<Envelope, SetupError> {
        let config = &self.config;
        let Some(ring) = self.keyring.take() else {
            return match self.migrate_until {
                Some(_) => Err(SetupError::MigrationWithoutKeyring),
                None => Ok(Envelope::Plain(Plain::new(&config.cluster))),
            };
        };
        let mut sealed = Sealed::new(config, ring, self.secrets, now).map_err(SetupError::Secrets)?;
        if let Some(until) = self.migrate_until {
            // A date that is over is no error: a node that is started again afterwards has to come up, and seals alone.
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            if left > Self::MIGRATION_MAX {
                return Err(SetupError::MigrationTooLong { left });
            }
            if !left.is_zero() {
                sealed.migrate(now + left, Some(until));
            }
        }
        Ok(Envelope::Sealed(Box::new(sealed)))
    }

    #[cfg(not(feature = "aead"))]
    fn envelope(&mut self, _now: Instant) -> Result<Envelope, SetupError> {
        Ok(Envelope::Plain(Plain::new(&self.config.cluster)))
    }

    /// Starts the node's next life from what it knew in its last one: a [`Node::snapshot`] that the embedder has kept.
    ///
    /// What was known is where others were to be found, and no more. So this is [`Setup::start`], and a join with the
    /// addresses of those whom the snapshot believes to live, or, when there are none, to be dead: at most half of
    /// `Config::seeds_max`, which leaves room for seeds that the embedder names. Nobody is a member before it
    /// has answered, so whoever has died meanwhile is not believed to live, and nothing that was under way in the former
    /// life goes on: no probe, no suspicion, no deadline, whatever the time that `now` counts from.
    ///
    /// The epoch is higher than the snapshot's, also when [`Setup::epoch`] is not, unless that was the last there is. Config,
    /// profile, address and identity are those of this set-up; whose snapshot it is is not asked. It is as old as it is: the
    /// node goes past whatever it has said since.
    ///
    /// # Errors
    /// The first [`SetupError`]; [`SetupError::Restore`] when this is no snapshot. The embedder then starts without one.
    pub fn resume(mut self, snapshot: &[u8], bound: SocketAddr, now: Instant) -> Result<(Handle, Pump), SetupError> {
        let former = Node::restore(snapshot).map_err(SetupError::Restore)?;
        let next = former.me().incarnation().epoch().saturating_add(1);
        self.epoch = Some(self.epoch.unwrap_or_else(unix_seconds).max(next));
        let seeds_max = self.config.seeds_max / 2;
        let (handle, pump) = self.start(bound, now)?;
        let known = addresses(&former, &handle, seeds_max);
        if !known.is_empty() {
            handle.join(&known).expect("an empty mailbox takes a command of fewer seeds than are kept");
        }
        Ok((handle, pump))
    }
}

/// Where others may be found that a former life knew: so many addresses at most, each once, the likeliest first. Seeds are
/// tried without end, so the dead are named only where there is nobody else.
fn addresses(former: &Node, me: &Handle, most: usize) -> Vec<SocketAddr> {
    let mut known: Vec<SocketAddr> = Vec::with_capacity(most);
    for state in [State::Alive, State::Suspect, State::Dead] {
        if state == State::Dead && !known.is_empty() {
            break;
        }
        for member in former.members().filter(|member| member.state() == state && member.id() != me.id()) {
            let addr = member.addr();
            let usable = advertise::check(me.addr(), &[addr]).is_ok();
            if known.len() < most && usable && addr != me.addr() && !known.contains(&addr) {
                known.push(addr);
            }
        }
    }
    known
}

/// 0 before 1970, and the last second that fits after 2106: a node whose epoch is behind jumps past what others know of it.
fn unix_seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u32::try_from(d.as_secs()).unwrap_or(u32::MAX))
}

/// Why a node cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The name is empty.
    NameEmpty,
    /// Name or metadata is too long.
    Profile(ProfileError),
    /// The configuration cannot work.
    Config(ConfigError),
    /// The socket is bound to all addresses of the machine, and which of them others are to use is not said.
    Unspecified {
        /// What it is bound to.
        bound: SocketAddr,
    },
    /// A seed is on another machine, where the advertised address means another node.
    OnlyHere(OnlyHere),
    /// The seeds are not accepted.
    Seeds(CommandError),
    /// Nothing can be sent to the advertised address.
    Unreachable {
        /// What [`Setup::advertise`] says.
        advertise: SocketAddr,
    },
    /// The socket is bound to all addresses of the machine, which of them others are to use follows from the way to a seed, and
    /// no seed's name can be resolved.
    Unresolved {
        /// The first of the seeds.
        seed: Seed,
    },
    /// The operating system gives no random numbers.
    Entropy(io::Error),
    /// The operating system gives no random numbers, and nothing else will do to seal with.
    #[cfg(feature = "aead")]
    Secrets(io::Error),
    /// [`Setup::migrate_until`] is more than [`Setup::MIGRATION_MAX`] ahead.
    #[cfg(feature = "aead")]
    MigrationTooLong {
        /// How far.
        left: Duration,
    },
    /// [`Setup::migrate_until`] is set, and [`Setup::keyring`] is not.
    #[cfg(feature = "aead")]
    MigrationWithoutKeyring,
    /// What the node was to resume from is no snapshot.
    Restore(RestoreError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameEmpty => f.write_str("the node's name is empty: give one that is unique in the cluster"),
            Self::Profile(e) => write!(f, "{e}"),
            Self::Config(e) => write!(f, "{e}"),
            Self::Unspecified { bound } => write!(
                f,
                "the socket is bound to {bound}, which is no address that others could send to, and no seed says by \
                 which of this machine's addresses they reach it: set `advertise` to that address, or bind to it"
            ),
            Self::Unresolved { seed } => write!(
                f,
                "which of this machine's addresses others are to use follows from the way to a seed, and neither {seed} nor \
                 another could be resolved: set `advertise`, bind to an address, or try again when names can be resolved"
            ),
            Self::OnlyHere(e) => write!(f, "{e}"),
            Self::Seeds(e) => write!(f, "{e}"),
            Self::Unreachable { advertise } => write!(
                f,
                "nothing can be sent to the advertised address {advertise}: set `advertise` to the address at which \
                 others reach this machine"
            ),
            Self::Entropy(e) => write!(
                f,
                "the operating system gives no random numbers ({e}): set `rng_seed` to a number that differs from node \
                 to node"
            ),
            #[cfg(feature = "aead")]
            Self::Secrets(e) => {
                write!(f, "the operating system gives no random numbers ({e}), and without them nothing can be sealed")
            }
            #[cfg(feature = "aead")]
            Self::MigrationTooLong { left } => write!(
                f,
                "the date until which plain datagrams are heard is {} days ahead, and until then sealing protects nobody: \
                 take one at most {} days ahead",
                left.as_secs() / 86_400,
                Setup::MIGRATION_MAX.as_secs() / 86_400
            ),
            #[cfg(feature = "aead")]
            Self::MigrationWithoutKeyring => f.write_str(
                "there is a date until which plain datagrams are heard, and no keyring: set one, or leave it out",
            ),
            Self::Restore(e) => write!(f, "the state of the node's former life cannot be used ({e}): start without it"),
        }
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Their texts stand for these errors already, so the chain goes on behind them.
            Self::Profile(_) | Self::Config(_) | Self::OnlyHere(_) | Self::Seeds(_) => None,
            Self::Restore(e) => Some(e),
            Self::Entropy(e) => Some(e),
            #[cfg(feature = "aead")]
            Self::Secrets(e) => Some(e),
            #[cfg(feature = "aead")]
            Self::MigrationTooLong { .. } | Self::MigrationWithoutKeyring => None,
            Self::NameEmpty | Self::Unspecified { .. } | Self::Unreachable { .. } | Self::Unresolved { .. } => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
