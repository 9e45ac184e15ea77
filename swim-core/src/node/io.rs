//! What goes into a node and what comes out of it.

use core::net::SocketAddr;
use core::time::Duration;

use crate::identity::Profile;
use crate::members::{Members as Table, Row};
use crate::status::{Incarnation, NodeId, RumorId, State, Status};

/// One thing that happened outside the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A datagram came, its envelope already opened: `bytes` is one frame.
    Datagram {
        /// Its source.
        from: SocketAddr,
        /// The frame.
        bytes: &'a [u8],
    },
    /// The embedder wants something.
    Command(Command<'a>),
    /// The time that [`crate::Node::poll_timeout`] named has come. Harmless when it has not.
    Timeout,
    /// Sending to this address failed at once.
    SendFailed {
        /// Where it should have gone.
        to: SocketAddr,
    },
    /// Nothing can be sent until [`Input::SendResumed`]: the socket takes nothing, and the driver holds what it is handed.
    /// Meanwhile an unanswered probe goes on beyond its period, and nothing is gossiped; answers, joins and syncs are handed
    /// out all the same, so the driver bounds what it holds. A leave is complete with what is held.
    ///
    /// A driver that restores a node from a snapshot says [`Input::SendResumed`] first, which is harmless where nothing was
    /// blocked. A driver that says neither tells what its socket does not take by [`Input::SendFailed`].
    SendBlocked,
    /// Sending goes on: what the driver held has left, and what came meanwhile has been handed in.
    SendResumed,
}

/// What an embedder can ask of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Contact these seeds until one answers. Own addresses among them are ignored. After a leave: come back.
    Join(&'a [SocketAddr]),
    /// These are the seeds from now on, whatever they were: their names were resolved anew. Joins nobody by itself; while
    /// a join is still without an answer, they are contacted at once. Those that are no live member's address are tried
    /// again and again, like lost members.
    Seeds(&'a [SocketAddr]),
    /// Say goodbye, then fall silent.
    Leave,
    /// Say this about myself from now on: at once, or when a second has passed since it changed last. Of what is set meanwhile
    /// the last one stands.
    SetProfile(&'a Profile),
    /// Tell everybody this, once. What [`Config::check_rumor`] refuses is counted and dropped.
    ///
    /// [`Config::check_rumor`]: crate::Config::check_rumor
    Broadcast {
        /// What it is about, for whoever listens.
        topic: &'a str,
        /// What it says.
        payload: &'a [u8],
    },
    /// Write an entry of this node's own state. What [`Config::check_put`] refuses, or finds no room, is counted and
    /// dropped. The value that is there already, without a ttl before and now, changes nothing.
    ///
    /// [`Config::check_put`]: crate::Config::check_put
    Put {
        /// Its key: 1 to 64 bytes.
        key: &'a str,
        /// Its value.
        value: &'a [u8],
        /// It vanishes by itself after this time.
        ttl: Option<Duration>,
    },
    /// Delete an entry of this node's own state, if it is there.
    Delete {
        /// Its key.
        key: &'a str,
    },
}

/// A datagram to send: the first `len` bytes of the buffer that was handed to [`crate::Node::poll_transmit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// How many bytes.
    pub len: usize,
}

/// A member's row, as it stands.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    pub(crate) row: &'a Row,
}

impl<'a> Member<'a> {
    /// Who.
    pub fn id(&self) -> NodeId {
        self.row.id
    }

    /// Where it is reached.
    pub fn addr(&self) -> SocketAddr {
        self.row.addr.into()
    }

    /// What is believed of it.
    pub fn status(&self) -> Status {
        self.row.status
    }

    /// The state in [`Self::status`].
    pub fn state(&self) -> State {
        self.row.status.state()
    }

    /// The incarnation in [`Self::status`].
    pub fn incarnation(&self) -> Incarnation {
        self.row.status.incarnation()
    }

    /// The incarnation at which the subject wrote its address and profile.
    pub fn detail_at(&self) -> Incarnation {
        self.row.detail_at
    }

    /// What it says about itself.
    pub fn profile(&self) -> &'a Profile {
        &self.row.profile
    }

    /// The name in its profile.
    pub fn name(&self) -> &'a str {
        self.row.profile.name()
    }
}

impl core::fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.id(), self.addr(), self.status(), self.profile())
    }
}

/// A rumor, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rumor<'a> {
    /// Which one.
    pub id: RumorId,
    /// The origin's Lamport time: greater than that of every rumor that it had heard of. Ordered by (lamport, origin), a
    /// rumor comes after all that its origin knew.
    pub lamport: u64,
    /// How long ago it was broadcast, as far as is known: the time that its copies were on their way is left out.
    pub age: Duration,
    /// What it is about.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
}

/// An entry of a member's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a [u8],
    /// The version of the member's state that wrote it: greater than those of all entries written before in this epoch.
    pub version: u32,
}

/// Every row of a node.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    table: &'a Table,
    at: u32,
    left: usize,
}

impl<'a> Members<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        Self { table, at: 0, left: table.len() }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        while self.left > 0 {
            let row = self.table.get(self.at);
            self.at += 1;
            if let Some(row) = row {
                self.left -= 1;
                return Some(Member { row });
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members<'_> {}
