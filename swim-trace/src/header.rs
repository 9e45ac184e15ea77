//! What a trace says of the node before it says what the node saw.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use swim_core::{Config, ConfigError, Identity, Instant, Node, NodeId, Profile};

/// The first block of a trace: all that a node is constructed with, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// The version of `swim-core` that ran.
    pub core: String,
    /// The layout of the keyframes: [`Node::SNAPSHOT_VERSION`] of that core.
    pub snapshot_version: u16,
    /// The generator of its random choices.
    pub generator: String,
    /// Who.
    pub id: NodeId,
    /// Where others reach it.
    pub addr: SocketAddr,
    /// Which life.
    pub epoch: u32,
    /// Its profile at the beginning.
    pub profile: Profile,
    /// The seed of its random choices. `None`: not known, so the trace begins with a keyframe.
    pub rng_seed: Option<u64>,
    /// When it was constructed, in the driver's time.
    pub began: Instant,
    /// Unix time of `began`, in microseconds; 0 when it is not known. For people, and for a first guess between nodes.
    pub unix_micros: u64,
    /// Bytes of the buffer that it encoded into: the largest frame, without envelope.
    pub frame_max: u32,
    /// Whether outputs were recorded in full, too.
    pub outputs: bool,
    /// Its configuration.
    pub config: Config,
}

impl Header {
    /// Of a node that this build constructs with these, at this time.
    pub fn new(me: &Identity, config: &Config, rng_seed: u64, began: Instant) -> Self {
        Self {
            core: swim_core::VERSION.into(),
            snapshot_version: Node::SNAPSHOT_VERSION,
            generator: swim_core::GENERATOR.into(),
            id: me.id,
            addr: me.addr,
            epoch: me.epoch,
            profile: me.profile.clone(),
            rng_seed: Some(rng_seed),
            began,
            unix_micros: 0,
            frame_max: u32::try_from(config.mtu).unwrap_or(u32::MAX),
            outputs: false,
            config: config.clone(),
        }
    }

    /// The node as it was before its first input; `None` when the seed is not known.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn node(&self) -> Option<Result<Node, ConfigError>> {
        let identity = Identity { id: self.id, addr: self.addr, epoch: self.epoch, profile: self.profile.clone() };
        self.rng_seed.map(|seed| Node::new(identity, self.config.clone(), seed, self.began))
    }
}
