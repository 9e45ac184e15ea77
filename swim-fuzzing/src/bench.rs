//! A node on a bench: everything that it is given goes through [`Bench::give`], which looks at what comes of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Buddy, Config, Identity, Input, Instant, Node, Profile, StopPolicy};

use crate::bytes::Bytes;
use crate::cast;
use crate::watch::{Turn, Watch, asked};

/// Questions and nonces that are remembered.
const REMEMBERED: usize = 8;

/// One node, its time, and who watches it.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// The node.
    pub(crate) node: Node,
    /// The driver's time.
    pub(crate) now: Instant,
    /// Nonces that the node has used, the newest last.
    pub(crate) nonces: Vec<u32>,
    /// What it has asked whom, the newest last.
    pub(crate) asked: VecDeque<(SocketAddr, Message)>,
    /// Its last datagram.
    pub(crate) last_sent: Vec<u8>,
    watch: Watch,
    /// Does whatever the node does.
    twin: Option<Node>,
}

impl Bench {
    /// The cast's member with this number.
    ///
    /// # Panics
    /// When the config is not valid.
    pub(crate) fn new(n: usize, config: Config, seed: u64) -> Self {
        let profile = Profile::new(&format!("n{n}"), b"").expect("the name is short");
        let me = Identity { id: cast::id(n), addr: cast::addr(n), epoch: cast::EPOCH, profile };
        let now = Instant::from_millis(1_000);
        #[cfg(swim_mutations)]
        let config = {
            let mut config = config;
            config.mutation = crate::planted::bug();
            config
        };
        let node = Node::new(me, config, seed, now).expect("the config is valid");
        let watch = Watch::new(&node, now);
        Self::watched(node, now, watch)
    }

    /// A node that was restored, all of whose outputs are drained.
    pub(crate) fn of_restored(node: Node, now: Instant) -> Self {
        let watch = Watch::of_restored(&node, now);
        Self::watched(node, now, watch)
    }

    fn watched(node: Node, now: Instant, watch: Watch) -> Self {
        let (nonces, asked) = (Vec::new(), VecDeque::new());
        Self { node, now, nonces, asked, last_sent: Vec::new(), watch, twin: None }
    }

    /// Gives it this, and looks at everything.
    ///
    /// # Panics
    /// When there is a bug.
    pub(crate) fn give(&mut self, input: Input<'_>) -> Turn {
        self.watch.given(self.now, &input);
        // What is overdue is said to be due in a microsecond.
        let early = self.node.poll_timeout().is_none_or(|due| due > self.watch.latest().plus_micros(1));
        let turn = give(&mut self.node, self.now, input);
        if let Some(twin) = &mut self.twin {
            let other = give(twin, self.now, input);
            assert!(turn.sent == other.sent && turn.events == other.events, "a restored node does the same");
            assert_eq!(twin.poll_timeout(), self.node.poll_timeout(), "a restored node waits as long");
        }
        let questions = self.watch.check(&self.node, &input, early, &turn);
        if let Some((_, bytes)) = turn.sent.last() {
            self.last_sent.clone_from(bytes);
        }
        for (to, message) in questions {
            self.remember(to, message);
        }
        turn
    }

    fn remember(&mut self, to: SocketAddr, question: Message) {
        let Some(nonce) = asked(question) else { return };
        if self.nonces.len() == REMEMBERED {
            self.nonces.remove(0);
        }
        self.nonces.push(nonce);
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back((to, question));
    }

    /// Goes on to the next deadline, at most so far, and gives it the time-out. Tells whether there was one.
    pub(crate) fn step(&mut self, most: Duration) -> bool {
        let end = self.now + most;
        match self.node.poll_timeout().filter(|&due| due <= end) {
            Some(due) => {
                self.now = self.now.max(due);
                self.give(Input::Timeout);
                true
            }
            None => {
                self.now = end;
                false
            }
        }
    }

    /// From now on a copy that was restored from a snapshot is given whatever the node is.
    ///
    /// # Panics
    /// When it cannot be restored, or is another then.
    pub(crate) fn fork(&mut self) {
        let snapshot = self.node.snapshot();
        let copy = Node::restore(&snapshot).expect("a node's own snapshot can be restored");
        assert!(copy.snapshot() == snapshot, "and is the same then");
        self.twin = Some(copy);
    }

    /// What holds at the end.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn finish(&mut self) {
        assert_eq!(self.node.check(), Ok(()));
        if let Some(twin) = self.twin.take() {
            assert!(twin.snapshot() == self.node.snapshot(), "a restored node ends as the other does");
        }
        self.fork();
    }
}

/// One input, and all that follows from it.
pub(crate) fn give(node: &mut Node, now: Instant, input: Input<'_>) -> Turn {
    let mut turn = Turn::default();
    node.handle(now, input);
    let mut buf = [0; 2_048];
    while let Some(sent) = node.poll_transmit(&mut buf) {
        turn.sent.push((sent.to, buf[..sent.len].to_vec()));
    }
    while let Some(event) = node.poll_event() {
        if let swim_core::Event::Rumor { id } = event {
            assert!(node.rumor(id).is_some(), "what an event names can be read");
        }
        turn.events.push(event);
    }
    turn
}

/// A config with narrow bounds, which are easy to reach.
pub(crate) fn narrow(b: &mut Bytes<'_>) -> Config {
    let mut c = Config::local("fuzz");
    c.mtu = b.pick(&[800, 1_400]);
    c.members_max = b.pick(&[2, 4, 10, 24]);
    c.members_reserved = 0;
    c.relays_max = b.pick(&[1, 3]);
    c.suspicions_max = b.pick(&[1, 4]);
    c.events_max = b.pick(&[16, 1_024]);
    c.seeds_max = b.pick(&[1, 4]);
    c.lost_max = b.pick(&[1, 4]);
    c.evidence_max = 32;
    c.tombstone_ttl = Duration::from_secs(b.pick(&[3, 600]));
    c.rumor_ttl = Duration::from_millis(b.pick(&[500, 60_000]));
    c.rumors_max = 16;
    c.rumor_bytes = 4 * c.mtu;
    c.rumor_window = 64;
    c.rumor_stop = b.pick(&[StopPolicy::Budget(170), StopPolicy::Counter(2), StopPolicy::Coin(2)]);
    c.state_bytes = 2_048;
    c.state_total = b.pick(&[2_048, 6_000]);
    c.sync_rate = b.pick(&[4_096, 1 << 20]);
    c.buddy = b.pick(&[Buddy::Always, Buddy::Pings, Buddy::Never]);
    c.pause_guard = b.below(4) > 0;
    c.health_max = b.pick(&[8, 0]);
    c.direct_probes = b.pick(&[2, 1]);
    c
}
