//! Intents to send: to whom and what, not bytes. They are encoded when the socket is ready, with the freshest
//! piggyback, and no intent outlives the drain that follows the input which made it.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::doubts::DOUBTS_MAX;
use crate::identity::Addr;
use crate::members::ensure;
use crate::storage::{NONE, Ring};
use crate::wire::{Message, WHO_LEN};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) to: Addr,
    /// The member that is written to, or `NONE`: a stranger gets the bare message.
    pub(crate) peer: u32,
    /// Most bytes in the frame, besides the config's `mtu`.
    pub(crate) room: u16,
    pub(crate) hint: Hint,
    pub(crate) what: What,
}

/// What the receiver must hear besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Hint {
    Nothing,
    /// The peer's view is another: it hears what was news until a moment ago, too.
    News,
    /// The peer does not know what is believed of it: it is told.
    Belief,
    /// The same with the address and profile that are known: the peer wrote others at the same incarnation.
    Row,
    /// The sender is not known here, or not at this address: it is asked to introduce itself, and to send back the cookie that
    /// shows it to be there.
    WhoAreYou {
        cookie: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A message, with piggyback.
    Message(Message),
    /// Updates alone; nothing is sent when there are none.
    Gossip,
    /// My own row, for somebody who does not know me.
    Introduction { proof: Option<u64> },
    /// A pull of everything, with my own row: let me in.
    Join { nonce: u32, proof: Option<u64> },
    /// The question of a lane of the sync.
    Ask { lane: u8 },
    /// The rows that the pull which has just come asks for.
    Page { nonce: u32 },
    /// What differs in the nodes which have just come.
    Differ { nonce: u32 },
    /// Rows that the peer of the sync lacks, from this place of their list on.
    Push { from: u32 },
    /// More of what is to be told of states and rumors, to a peer whose datagram of this round was full.
    More { round: u32 },
    /// What I have of the members of this lane's digest.
    Digest { lane: u8 },
    /// What the digest which has just come lacks.
    Delta { nonce: u32 },
    /// How far I am with those members of whom the page, summaries or states which have just come show less.
    Summaries,
    /// Which of the rumors that have just come were known.
    Known,
    /// My leave. When the last of them is handed out, the leave is complete.
    Farewell,
}

impl Hint {
    /// Bytes of the question who, if it is asked.
    pub(crate) fn who_len(self) -> usize {
        if matches!(self, Self::WhoAreYou { .. }) { WHO_LEN } else { 0 }
    }
}

impl Intent {
    /// To a member whose address is known.
    pub(crate) fn to_member(to: Addr, peer: u32, what: What) -> Self {
        Self { to, peer, room: u16::MAX, hint: Hint::Nothing, what }
    }

    /// To an address of which nothing is known.
    pub(crate) fn to_stranger(to: Addr, what: What) -> Self {
        Self { to, peer: NONE, room: u16::MAX, hint: Hint::Nothing, what }
    }
}

/// The bounded ring of intents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outbox(Ring<Intent>);

impl Outbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Ring::new(capacity))
    }

    /// What one input can ask for at most: all relays' nacks, all seeds, a leave, a gossip tick, a round of relays, members of
    /// whose later life others speak.
    pub(crate) fn bound(config: &Config) -> usize {
        config.relays_max + config.seeds_max + config.gossip_fanout + config.indirect_probes + DOUBTS_MAX + 80
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.0.reserve();
    }

    /// Invariants.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.0.capacity() == Self::bound(config), "the bound of intents is the config's")
    }

    /// Puts an intent; `false` when the ring is full.
    pub(crate) fn push(&mut self, intent: Intent) -> bool {
        self.0.push(intent).is_ok()
    }

    /// Puts an intent in front of all others; `false` when the ring is full.
    pub(crate) fn push_front(&mut self, intent: Intent) -> bool {
        self.0.push_front(intent).is_ok()
    }

    pub(crate) fn pop(&mut self) -> Option<Intent> {
        self.0.pop()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
