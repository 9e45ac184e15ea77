//! The sealed envelope: AES-256-GCM under a key of a group (`docs/wire.md`, "Sealed"; why it is so: `docs/security.md`).
//!
//! Invariants: what is not sealed under a key of the ring changes nothing, is answered by nothing, and is counted; a frame
//! reaches the node at most once, and only from a session that was shown to live, not before; no answer is longer than what it
//! answers; and everything that is kept has a bound.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

#[cfg(swim_mutations)]
use swim_core::Mutation;
use swim_core::{Config, Instant, Transmit};

use super::bucket::Bucket;
use super::cipher::{Aad, CONTROL, Cipher, HEADER_LEN, Header, Peer, SUITE_SEALED, TAG_LEN, parts};
use super::control::{BODY_LEN, Control, DATAGRAM_LEN, Proof};
use super::copies::Copies;
use super::envelope::{Opened, Released};
use super::heard::{Counted, KeysHeard};
use super::key::{Key, Keyring};
use super::migration::Migration;
use super::peers::Peers;
use super::pending::{self, Held, NotHeld, Pending};
use super::secrets::{Secrets, Source};
use super::session::Session;
use super::sizes::Sizes;
use super::window::Window;
use super::{MAGIC_AND_VERSION, Plain, Refused, SUITE_PLAIN};
use crate::stats::DriverStats;

pub(crate) struct Sealed {
    cluster: Box<str>,
    ring: Keyring,
    secrets: Source,
    own: Session,
    aad: Aad,
    /// The time of the last input.
    now: Instant,
    /// A process that was given nothing for longer was perhaps not running, and perhaps it runs twice now.
    pause: Duration,
    peers: Peers,
    pending: Pending,
    /// Frames of sessions that were just shown to live. The pump takes them before the next input.
    ready: VecDeque<Held>,
    /// Control messages to be sent. At most [`REPLIES_MAX`].
    replies: VecDeque<Reply>,
    challenges: Bucket,
    proofs: Bucket,
    migration: Option<Migration>,
    copies: Copies,
    /// There were no random numbers for the last session.
    is_dry: bool,
    /// What is counted here.
    stats: DriverStats,
    keys_heard: Counted,
    /// A planted bug, in builds that have them.
    #[cfg(swim_mutations)]
    mutation: Option<Mutation>,
}

/// A control message to be sent.
#[derive(Debug)]
struct Reply {
    to: SocketAddr,
    challenge: Option<u64>,
    /// The challenge that it proves the own session to.
    proves: Option<u64>,
}

impl Sealed {
    pub(crate) const HEADER_LEN: usize = HEADER_LEN;
    pub(crate) const TRAILER_LEN: usize = TAG_LEN;

    /// # Errors
    /// There are no random numbers.
    pub(crate) fn new(config: &Config, ring: Keyring, secrets: Secrets, now: Instant) -> io::Result<Self> {
        let (mut secrets, cluster) = (Source::new(secrets), config.cluster.as_str());
        let own = Session::new(ring.key_in_use(), &secrets.session()?, cluster);
        let members = config.members_max;
        let peers_max = members.saturating_mul(2).min(members.saturating_add(PEERS_MORE)).max(PEERS_MIN);
        Ok(Self {
            cluster: cluster.into(),
            ring,
            secrets,
            own,
            aad: Aad::new(cluster),
            now,
            pause: config.probe_interval.saturating_mul(3).max(PAUSE_MIN),
            peers: Peers::new(peers_max),
            pending: Pending::default(),
            ready: VecDeque::new(),
            replies: VecDeque::new(),
            challenges: Bucket::full(now),
            proofs: Bucket::full(now),
            migration: None,
            copies: Copies::default(),
            is_dry: false,
            stats: DriverStats { sessions_begun: 1, ..DriverStats::default() },
            keys_heard: Counted::default(),
            #[cfg(swim_mutations)]
            mutation: config.mutation,
        })
    }

    /// Hears and speaks plain, too, until it is so late or so is the date, whichever comes first.
    pub(crate) fn migrate(&mut self, until: Instant, date: Option<SystemTime>) {
        self.migration = Some(Migration::new(&self.cluster, until, date, self.peers.max()));
    }

    /// Whether [`Self::on_date`] is to come before the next input.
    pub(crate) fn wants_date(&self, now: Instant) -> bool {
        self.copies.is_due(now)
    }

    pub(crate) fn on_date(&mut self, now: Instant, date: SystemTime) {
        if self.copies.have_parted(now, date, self.pause) {
            self.begin_or_give_up();
            // The input that follows is not another pause.
            self.now = now;
        }
        self.migration.take_if(|migration| migration.is_over_by(date));
    }

    pub(crate) fn on_input(&mut self, now: Instant) {
        if now.since(self.now) > self.pause {
            self.begin_or_give_up();
        }
        self.now = now;
        self.pending.expire(now);
        self.migration.take_if(|migration| migration.is_over(now));
    }

    pub(crate) fn open(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<Opened, Refused> {
        let len = datagram.len();
        let &[version, suite, ..] = &*datagram else { return Err(Refused::TooShort) };
        if len < Plain::LEN {
            return Err(Refused::TooShort);
        }
        if version != MAGIC_AND_VERSION {
            return Err(Refused::Version);
        }
        if suite == SUITE_PLAIN {
            return self.open_plain(from, datagram);
        }
        if suite & !CONTROL != SUITE_SEALED {
            return Err(Refused::Suite);
        }
        let header = datagram.first_chunk().filter(|_| len >= DATAGRAM_LEN).and_then(Header::read);
        let header = header.ok_or(Refused::TooShort)?;
        if header.peer == *self.own.peer() {
            // Somebody sends back what this node has sent.
            let opened = self.own.cipher().open(&mut self.aad, header, datagram);
            return Err(if opened.is_some() { Refused::Replayed } else { Refused::Tag });
        }
        let Some(known) = self.peers.get_mut(&header.peer) else {
            return self.open_unknown(from, header, datagram);
        };
        let body = known.cipher.open(&mut self.aad, header, datagram).ok_or(Refused::Tag)?;
        let new = known.window.take(header.counter);
        #[cfg(swim_mutations)]
        let new = new || self.mutation == Some(Mutation::WindowForgets);
        if !new {
            return Err(Refused::Replayed);
        }
        known.heard = self.now;
        if let Some(migration) = &mut self.migration {
            migration.heard_sealed(self.now, from);
        }
        if header.is_control {
            let control = Control::read(body);
            self.on_control(from, header, control, None);
            return Ok(Opened::Kept);
        }
        Ok(Opened::Frame(HEADER_LEN..len.saturating_sub(TAG_LEN)))
    }

    fn open_plain(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<Opened, Refused> {
        let migration = self.migration.as_mut().ok_or(Refused::Plain)?;
        let frame = migration.plain.open(datagram)?;
        migration.heard_plain(from);
        Ok(Opened::Frame(frame))
    }

    /// A datagram of a session that has not shown that it lives.
    fn open_unknown(&mut self, from: SocketAddr, header: Header, datagram: &mut [u8]) -> Result<Opened, Refused> {
        let (id, session) = parts(&header.peer);
        let key = self.ring.get(id).ok_or(Refused::Key)?;
        let unproven = self.pending.get_mut(&header.peer);
        let fresh = if unproven.is_some() { None } else { Some(Box::new(Cipher::new(key, &session, &self.cluster))) };
        let cipher = unproven.map(|unproven| &unproven.cipher).or(fresh.as_ref()).ok_or(Refused::Tag)?;
        let body = cipher.open(&mut self.aad, header, datagram).ok_or(Refused::Tag)?;
        #[cfg(swim_mutations)]
        if self.mutation == Some(Mutation::ProofUnawaited) && !header.is_control {
            return Ok(Opened::Frame(HEADER_LEN..datagram.len().saturating_sub(TAG_LEN)));
        }
        let kept = if header.is_control {
            let control = Control::read(body);
            self.on_control(from, header, control, fresh);
            Ok(Opened::Kept)
        } else {
            self.hold(from, header, &*body, fresh).map(|()| Opened::Kept)
        };
        if let Some(unproven) = self.pending.get_mut(&header.peer) {
            unproven.window.take(header.counter);
        }
        kept
    }

    /// Keeps a frame until its session has shown that it lives, and asks for that.
    fn hold(
        &mut self,
        from: SocketAddr,
        header: Header,
        frame: &[u8],
        fresh: Option<Box<Cipher>>,
    ) -> Result<(), Refused> {
        self.expect_proof(header.peer, fresh);
        let held = Held { from, counter: header.counter, frame: frame.into() };
        self.pending.hold(&header.peer, held).map_err(|why| match why {
            NotHeld::Twice => Refused::Replayed,
            NotHeld::NoRoom => Refused::Unproven,
        })?;
        self.stats.frames_held = self.stats.frames_held.saturating_add(1);
        if let Some(nonce) = self.challenge(from, &header.peer) {
            self.reply(Reply { to: from, challenge: Some(nonce), proves: None });
        }
        Ok(())
    }

    /// From now on this session may show that it lives, if it could not before.
    fn expect_proof(&mut self, peer: Peer, fresh: Option<Box<Cipher>>) {
        // Without random numbers nobody can be asked anything.
        if let (Some(cipher), Ok(nonce)) = (fresh, self.secrets.nonce()) {
            self.pending.add(self.now, peer, cipher, nonce);
        }
    }

    /// The number that whoever sends under this session from this address is to say back, if he is to be asked now.
    fn challenge(&mut self, to: SocketAddr, peer: &Peer) -> Option<u64> {
        let may = || {
            let may = self.challenges.take(self.now);
            self.stats.controls_unsent = self.stats.controls_unsent.saturating_add(u64::from(!may));
            may
        };
        self.pending.get_mut(peer)?.ask(self.now, to, may)
    }

    /// A control message came, whose tag is right. The cipher is there when the session is neither known nor expected.
    fn on_control(&mut self, from: SocketAddr, header: Header, control: Option<Control>, fresh: Option<Box<Cipher>>) {
        self.stats.controls_received = self.stats.controls_received.saturating_add(1);
        let Control { challenge, proof } = control.unwrap_or_default();
        let mut fresh = fresh;
        let proven = proof.is_some_and(|proof| self.on_proof(from, header, proof, &mut fresh));
        let answered = challenge.is_some_and(|nonce| self.on_challenge(from, header, nonce, fresh));
        if !(proven || answered) {
            self.stats.controls_ignored = self.stats.controls_ignored.saturating_add(1);
        }
    }

    /// Shows that the own session lives, and says whether it does. Whoever asks is asked back, when his is not known.
    fn on_challenge(&mut self, from: SocketAddr, header: Header, nonce: u64, fresh: Option<Box<Cipher>>) -> bool {
        let peer = header.peer;
        if !self.peers.has(&peer) {
            // Perhaps it is played back, and there is a budget that others need, too.
            self.expect_proof(peer, fresh);
            if self.pending.get_mut(&peer).is_some_and(|it| !it.may_answer(header.counter)) {
                return false;
            }
        }
        if !self.proofs.take(self.now) {
            self.stats.controls_unsent = self.stats.controls_unsent.saturating_add(1);
            return false;
        }
        let challenge = self.challenge(from, &peer);
        self.reply(Reply { to: from, challenge, proves: Some(nonce) })
    }

    /// Whether it shows that its session lives to whoever had asked: this node, at that address.
    fn on_proof(&mut self, from: SocketAddr, header: Header, proof: Proof, fresh: &mut Option<Box<Cipher>>) -> bool {
        let Proof { nonce, behind } = proof;
        let now = self.now;
        let expected = self.pending.get_mut(&header.peer).is_some_and(|it| it.is_answered_by(nonce, from));
        let greeted = || self.migration.as_ref().is_some_and(|it| it.is_answered_by(now, nonce, from));
        if self.peers.has(&header.peer) || !(expected || greeted()) {
            return false;
        }
        let unproven = self.pending.take(&header.peer);
        let (cipher, held, mut window) = match (unproven, fresh.take()) {
            (Some(unproven), _) => (unproven.cipher, unproven.held, unproven.window),
            (None, Some(cipher)) => (cipher, Vec::new(), Window::above(0)),
            (None, None) => return false,
        };
        let floor = header.counter.saturating_sub(behind.into());
        #[cfg(swim_mutations)]
        let floor = if self.mutation == Some(Mutation::FloorUnraised) { 0 } else { floor };
        window.raise(floor);
        window.take(header.counter);
        if self.peers.add(now, header.peer, cipher, window) {
            self.on_proven(from, floor, held);
        } else {
            self.stats.sessions_refused = self.stats.sessions_refused.saturating_add(1);
            self.stats.refused_unproven = self.stats.refused_unproven.saturating_add(held.len() as u64);
        }
        true
    }

    /// A session lives; what was sealed under it up to `floor` is old. Its frames are heard, but for those that may have
    /// been heard before.
    fn on_proven(&mut self, from: SocketAddr, floor: u64, held: Vec<Held>) {
        self.stats.sessions_proven = self.stats.sessions_proven.saturating_add(1);
        if let Some(migration) = &mut self.migration {
            migration.heard_sealed(self.now, from);
        }
        for held in held {
            if held.counter > floor {
                self.ready.push_back(held);
            } else {
                self.stats.refused_stale = self.stats.refused_stale.saturating_add(1);
            }
        }
    }

    /// Whether it will be sent.
    fn reply(&mut self, reply: Reply) -> bool {
        let has_room = self.replies.len() < REPLIES_MAX;
        if has_room {
            self.replies.push_back(reply);
        } else {
            self.stats.controls_unsent = self.stats.controls_unsent.saturating_add(1);
        }
        has_room
    }

    /// Asks whoever is spoken to plain whether he opens what is sealed.
    fn hello(&mut self, to: SocketAddr) {
        let Some(migration) = &mut self.migration else { return };
        let number = || {
            if self.challenges.take(self.now) {
                return self.secrets.nonce().ok();
            }
            self.stats.controls_unsent = self.stats.controls_unsent.saturating_add(1);
            None
        };
        if let Some(challenge) = migration.hello(self.now, to, number) {
            self.reply(Reply { to, challenge: Some(challenge), proves: None });
        }
    }

    pub(crate) fn seal(&mut self, to: SocketAddr, buf: &mut [u8], frame_len: usize) -> Option<usize> {
        if self.migration.as_ref().is_some_and(|migration| !migration.seals_to(to)) {
            self.hello(to);
            let migration = self.migration.as_mut()?;
            self.stats.plain_sent = self.stats.plain_sent.saturating_add(1);
            buf.copy_within(HEADER_LEN..HEADER_LEN.checked_add(frame_len)?, Plain::LEN);
            return Some(migration.plain.seal(buf, frame_len));
        }
        self.seal_own(false, buf, frame_len)
    }

    pub(crate) fn poll_control(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let Reply { to, challenge, proves } = self.replies.pop_front()?;
        let proof = proves.map(|nonce| Proof { nonce, behind: self.own.behind(self.now) });
        out.get_mut(HEADER_LEN..)?.first_chunk_mut().map(|body| *body = Control { challenge, proof }.write())?;
        let len = self.seal_own(true, out, BODY_LEN)?;
        let sent = |count: &mut u64, is: bool| *count = count.saturating_add(u64::from(is));
        sent(&mut self.stats.controls_sent, true);
        sent(&mut self.stats.challenges_sent, challenge.is_some());
        sent(&mut self.stats.proofs_sent, proof.is_some());
        Some(Transmit { to, len })
    }

    /// Seals under the own session.
    pub(crate) fn seal_own(&mut self, is_control: bool, buf: &mut [u8], len: usize) -> Option<usize> {
        if self.own.is_worn() {
            self.begin_session();
        }
        let len = HEADER_LEN.checked_add(len)?.checked_add(TAG_LEN)?;
        let sealed = self.own.seal(self.now, &mut self.aad, is_control, buf.get_mut(..len)?);
        if !sealed {
            self.stats.datagrams_unsealed = self.stats.datagrams_unsealed.saturating_add(1);
        }
        sealed.then_some(len)
    }

    pub(crate) fn release(&mut self) -> Option<Released> {
        self.ready.pop_front().map(|held| (held.from, held.frame))
    }

    /// What was sealed under keys that are not in it any more is not opened from now on.
    pub(crate) fn set_keyring(&mut self, ring: Keyring) {
        let former = std::mem::replace(&mut self.ring, ring);
        let same = |a: Option<&Key>, b: Option<&Key>| a.zip(b).is_some_and(|(a, b)| a.is(b));
        let ring = &self.ring;
        let stays = |peer: &Peer| {
            let id = parts(peer).0;
            same(former.get(id), ring.get(id))
        };
        #[cfg(swim_mutations)]
        let stays = |peer: &Peer| self.mutation == Some(Mutation::RemovedKeyOpens) || stays(peer);
        self.peers.retain(stays);
        self.pending.retain(stays);
        self.keys_heard = Counted::default();
        if !same(former.get(self.own.key()), Some(ring.key_in_use())) {
            self.begin_or_give_up();
        }
    }

    /// For when the own session must not go on: it may go on twice, or its key is given up. Better nothing than a number that
    /// is used twice, or what is sealed with such a key.
    fn begin_or_give_up(&mut self) {
        if !self.begin_session() {
            self.own.give_up();
        }
    }

    /// Seals under a session of its own from now on. Says whether it could: without random numbers there is none.
    fn begin_session(&mut self) -> bool {
        let id = match self.secrets.session() {
            Ok(id) => id,
            Err(e) => {
                if !std::mem::replace(&mut self.is_dry, true) {
                    tracing::warn!("no new session is begun: the operating system gives no random numbers ({e})");
                }
                return false;
            }
        };
        self.is_dry = false;
        self.own = Session::new(self.ring.key_in_use(), &id, &self.cluster);
        self.stats.sessions_begun = self.stats.sessions_begun.saturating_add(1);
        true
    }

    /// For tests whose tables are to be full soon. Before anything is heard.
    pub(crate) fn limit_sessions(&mut self, sessions: usize) {
        self.peers = Peers::new(sessions);
    }

    /// How much is kept.
    pub(crate) fn sizes(&self) -> Sizes {
        let (waiting, frames, bytes) = self.pending.size();
        Sizes {
            sessions: (self.peers.len(), self.peers.max()),
            waiting: (waiting, pending::SESSIONS_MAX),
            frames: (frames, pending::SESSIONS_MAX.saturating_mul(pending::HELD_MAX)),
            bytes: (bytes, pending::BYTES_MAX),
            replies: (self.replies.len(), REPLIES_MAX),
            ready: self.ready.len(),
            contacts: self.migration.as_ref().map_or((0, 0), Migration::size),
        }
    }

    /// Which keys others seal with.
    pub(crate) fn keys_heard(&mut self) -> KeysHeard {
        let Self { keys_heard, now, ring, peers, .. } = self;
        keys_heard.at(*now, || KeysHeard::count(*now, ring, peers))
    }

    /// Adds what was counted here.
    pub(crate) fn count(&self, stats: &mut DriverStats) {
        let lost = self.pending.lost().saturating_add(self.stats.refused_unproven);
        *stats = DriverStats {
            refused_stale: stats.refused_stale.saturating_add(self.stats.refused_stale),
            refused_unproven: stats.refused_unproven.saturating_add(lost),
            frames_held: self.stats.frames_held,
            sessions_begun: self.stats.sessions_begun,
            sessions_proven: self.stats.sessions_proven,
            sessions_refused: self.stats.sessions_refused,
            controls_received: self.stats.controls_received,
            controls_ignored: self.stats.controls_ignored,
            controls_sent: self.stats.controls_sent,
            controls_unsent: self.stats.controls_unsent,
            challenges_sent: self.stats.challenges_sent,
            proofs_sent: self.stats.proofs_sent,
            plain_sent: self.stats.plain_sent,
            datagrams_unsealed: self.stats.datagrams_unsealed,
            ..*stats
        };
    }
}

impl fmt::Debug for Sealed {
    /// Sessions and numbers are nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("ring", &self.ring).field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// Sessions of others beyond the members there may be: of those who have just started anew.
const PEERS_MORE: usize = 1_024;
const PEERS_MIN: usize = 64;
/// One input leads to one of them, or to one for each datagram that the node sends plain.
const REPLIES_MAX: usize = 256;
const PAUSE_MIN: Duration = Duration::from_secs(5);

#[cfg(all(test, not(loom)))]
mod tests;
