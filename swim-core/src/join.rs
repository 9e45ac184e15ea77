//! Getting in: every seed is sent a pull that carries my own row, again and again with back-off until one answers. What
//! else the one that answers knows is found out by a sync; when that is done, this node has joined.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::identity::Addr;
use crate::mutation::Mutation;
use crate::outbox::{Intent, What};
use crate::stats::count;
use crate::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Idle,
    /// Seeds, or a lost member, have been sent my row; the first page that comes back decides with whom to sync.
    Contacting,
}

/// Somebody who is being contacted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Asked {
    addr: Addr,
    nonce: u32,
    /// The cookie that it wants to see.
    proof: Option<u64>,
    /// It has asked for that since it was contacted.
    proved: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    seeds: Vec<Addr>,
    /// Addresses that turned out to be this node's own.
    own: Vec<Addr>,
    /// Who is being contacted, each under a nonce of its own: one must not answer in another's name.
    asked: Vec<Asked>,
    phase: Phase,
    /// Wants to be in the cluster, and has not yet seen all that a seed knows.
    wanted: bool,
    /// A seed has answered since the last contact.
    answered: bool,
    /// Nobody was known when the join began: all that is pulled is old news.
    from_nothing: bool,
    attempts: u32,
    /// When the seeds are contacted again.
    next: Instant,
}

impl Join {
    pub(crate) fn new(seeds_max: usize) -> Self {
        Self {
            seeds: Vec::with_capacity(seeds_max),
            own: Vec::new(),
            asked: Vec::with_capacity(seeds_max.saturating_mul(2).saturating_add(1)),
            phase: Phase::Idle,
            wanted: false,
            answered: false,
            from_nothing: false,
            attempts: 0,
            next: Instant::NEVER,
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Remembers these seeds and contacts them now.
    pub(crate) fn on_command(&mut self, seeds: impl Iterator<Item = Addr>, peers: usize, cx: &mut Cx) {
        // Named again, it is tried again.
        self.own.clear();
        self.remember(seeds, cx);
        self.attempts = 0;
        self.wanted = !self.seeds.is_empty();
        self.from_nothing = peers == 0;
        if self.wanted {
            self.contact(cx);
        }
    }

    /// These are the seeds from now on: their names mean other addresses than they did. While none has answered yet, they
    /// are contacted now.
    pub(crate) fn replace_seeds(&mut self, seeds: impl Iterator<Item = Addr> + Clone, cx: &mut Cx) {
        self.seeds.clear();
        self.own.retain(|own| seeds.clone().any(|seed| seed == *own));
        self.remember(seeds, cx);
        if self.wanted && !self.answered && !self.seeds.is_empty() {
            self.contact(cx);
        }
    }

    fn remember(&mut self, seeds: impl Iterator<Item = Addr>, cx: &mut Cx) {
        for addr in seeds {
            if addr == cx.my_addr || self.is_own(addr) || !addr.is_reachable() || self.seeds.contains(&addr) {
                continue;
            }
            if self.seeds.len() < cx.config.seeds_max {
                self.seeds.push(addr);
            } else {
                count(&mut cx.stats.seeds_refused);
            }
        }
    }

    /// Stops asking: this node leaves.
    pub(crate) fn stop(&mut self) {
        (self.phase, self.wanted, self.next) = (Phase::Idle, false, Instant::NEVER);
    }

    fn contact(&mut self, cx: &mut Cx) {
        self.drop_own();
        self.answered = false;
        if self.seeds.is_empty() {
            self.asked.clear();
            // Until it is told of others, there is nobody to catch up with.
            (self.phase, self.next, self.from_nothing) = (Phase::Idle, Instant::NEVER, false);
            return;
        }
        self.phase = Phase::Contacting;
        // A cookie holds for a while, so what was lost behind it costs no further round trip.
        let former = self.asked.len();
        for &seed in &self.seeds {
            let nonce = cx.rng.next_u32();
            let proof = self.asked.iter().take(former).find(|asked| asked.addr == seed).and_then(|asked| asked.proof);
            self.asked.push(Asked { addr: seed, nonce, proof, proved: false });
            cx.send(Intent::to_stranger(seed, What::Join { nonce, proof }));
        }
        self.asked.drain(..former);
        self.wait(cx);
    }

    fn wait(&mut self, cx: &mut Cx) {
        let wait = cx.pace.join_retry.saturating_mul(1 << self.attempts.min(20)).min(cx.pace.join_retry_max);
        self.attempts = self.attempts.saturating_add(1);
        // Between three quarters of the wait and all of it, so that nodes started together spread out.
        let quarter = wait / 4;
        let most = cx.rng.below(quarter.saturating_add(1));
        self.next = cx.now.plus_micros(quarter.saturating_mul(3)).plus_micros(most);
        if cx.mutant(Mutation::JoinNotRetried) {
            self.next = Instant::NEVER;
        }
    }

    /// The seeds that were named, when they are not being contacted anyway.
    pub(crate) fn idle_seeds(&self) -> &[Addr] {
        if self.wanted { &[] } else { &self.seeds }
    }

    /// Contacts one address, as if it were a seed; the seeds may be being contacted, perhaps in vain.
    pub(crate) fn knock(&mut self, addr: Addr, cx: &mut Cx) {
        let proof = self.asked.iter().find(|asked| asked.addr == addr).and_then(|asked| asked.proof);
        if self.phase == Phase::Idle {
            self.asked.clear();
            self.phase = Phase::Contacting;
            self.next = self.next.min(cx.now.plus_micros(cx.pace.probe_timeout.saturating_mul(2)));
        }
        let nonce = cx.rng.next_u32();
        // One besides the seeds: the former one has had its time.
        self.asked.truncate(if self.wanted { self.seeds.len() } else { 0 });
        self.asked.push(Asked { addr, nonce, proof, proved: false });
        count(&mut cx.stats.knocks);
        cx.send(Intent::to_stranger(addr, What::Join { nonce, proof }));
    }

    /// Is this nonce that of the contact under way? A seed with several addresses may answer from another than it was
    /// asked at, so nothing else decides.
    pub(crate) fn is_answer(&self, nonce: u32) -> bool {
        self.contacted(nonce).is_some()
    }

    /// The seeds that have been sent this node's row, while all that they know has not been seen.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = Addr> {
        let seeds: &[Addr] = if self.wanted { &self.seeds } else { &[] };
        seeds.iter().copied().filter(|&seed| !self.is_own(seed))
    }

    /// Who was sent this nonce.
    pub(crate) fn contacted(&self, nonce: u32) -> Option<Addr> {
        let asked = self.asked.iter().find(|asked| asked.nonce == nonce);
        asked.filter(|_| self.phase == Phase::Contacting).map(|asked| asked.addr)
    }

    /// Whoever was contacted does not know this node, and wants to see this cookie from where it was asked. Once per contact:
    /// whoever wants another one each time is not sent this node's row without end. Tells whether it was waited for.
    pub(crate) fn on_prove(&mut self, nonce: u32, cookie: u64, cx: &mut Cx) -> bool {
        let contacting = self.phase == Phase::Contacting;
        let asked = self.asked.iter_mut().find(|asked| contacting && asked.nonce == nonce && !asked.proved);
        let Some(asked) = asked else { return false };
        (asked.proof, asked.proved) = (Some(cookie), true);
        cx.send(Intent::to_stranger(asked.addr, What::Join { nonce, proof: Some(cookie) }));
        if self.wanted {
            // There is somebody. Should the rest be lost, the long waits for nobody are over, and the cookie still holds.
            self.attempts = 0;
            self.next = self.next.min(cx.now.plus_micros(cx.pace.join_retry));
        } else {
            self.next = cx.now.plus_micros(cx.pace.probe_timeout.saturating_mul(2));
        }
        true
    }

    /// A contact has come back to this node: the address is another of its own, and nobody else is to be found there.
    pub(crate) fn on_own(&mut self, nonce: u32, cx: &Cx) {
        if let Some(addr) = self.contacted(nonce).filter(|&addr| !self.is_own(addr)) {
            if self.own.len() < cx.config.seeds_max {
                self.own.push(addr);
            }
        }
    }

    pub(crate) fn is_own(&self, addr: Addr) -> bool {
        self.own.contains(&addr)
    }

    fn drop_own(&mut self) {
        let own = &self.own;
        self.seeds.retain(|seed| !own.contains(seed));
    }

    /// The first page has come.
    pub(crate) fn on_answer(&mut self) {
        (self.phase, self.answered) = (Phase::Idle, true);
        if !self.wanted {
            self.next = Instant::NEVER;
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Is what is pulled no news, because this node knew nothing?
    pub(crate) fn is_catching_up(&self) -> bool {
        self.wanted && self.from_nothing
    }

    /// All that a peer knows has been seen; tells whether that was wanted, and a seed has answered before.
    pub(crate) fn finish(&mut self) -> bool {
        let joined = self.wanted && self.answered;
        if joined {
            (self.wanted, self.phase, self.next) = (false, Phase::Idle, Instant::NEVER);
        }
        joined
    }

    /// No answer in time; `busy`: one has come, and the rest is under way.
    pub(crate) fn on_due(&mut self, busy: bool, cx: &mut Cx) {
        match self.wanted {
            true if busy => self.wait(cx),
            true => self.contact(cx),
            false => {
                (self.phase, self.next) = (Phase::Idle, Instant::NEVER);
                self.drop_own();
            }
        }
    }
}
