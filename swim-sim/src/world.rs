//! The world: nodes, what can be done to them, and what can be done to the network between them.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Config, Instant, Profile};
use swim_driver::{CommandError, Handle, Keyring, Plain, Resolver, Setup};

use crate::clock::Clock;
use crate::fabric::Way;
use crate::host::{Host, Life, NodeIx};
use crate::link::Link;
use crate::network::{Network, Sent};
use crate::rng::{Purpose, Stream};
use crate::swarm::{Op, Watch};

/// Datagrams that a socket holds, unless a test says otherwise.
pub(crate) const SOCKET_BUFFER: usize = 1_000;

/// A virtual network of nodes on virtual time.
///
/// Nothing happens by itself: commands take effect at once, and time passes in [`World::run`] and
/// [`World::run_until`]. Everything random is drawn from the world's seed, so the same calls on a world of the same seed
/// give the same run, byte for byte; [`World::digest`] tells.
///
/// A method that is given a node panics when the world has no such node, or when the node's process would have to run
/// and has ended: that is a mistake in the test.
pub struct World {
    /// What every link does, where [`World::set_link`] and [`World::set_zone_latency`] say nothing else. Change it at any
    /// time; datagrams that are under way are not touched.
    pub link: Link,
    /// Datagrams that the socket of a node holds which is paused, blocked or slow; and as many that it has sent while it
    /// was blocked. More are dropped, as a kernel drops them.
    pub socket_buffer: usize,
    /// Whether [`World::events`] keeps what nodes tell. Switch it off for long runs of many nodes; the digest has all
    /// events either way.
    pub log_events: bool,
    pub(crate) now: Instant,
    pub(crate) hosts: Vec<Host>,
    pub(crate) net: Network,
    /// Whose handles see what was counted as soon as the world stands still.
    pub(crate) uncounted: Vec<NodeIx>,
    /// Where nodes write the datagrams they send, as large as the largest of them.
    pub(crate) out: Vec<u8>,
    /// Seals forged datagrams; nodes have their own.
    seal: Plain,
    /// Bytes of envelope in front of every frame.
    pub(crate) header_len: usize,
    config: Config,
    node_seeds: Stream,
    /// What nodes seal with that are spawned, if they do.
    pub(crate) keyring: Option<Keyring>,
    pub(crate) secrets: Stream,
    /// When things happen that a whole crowd does.
    pub(crate) crowds: Stream,
    /// Sees everything, and stops time when a rule is broken.
    pub(crate) watch: Option<Box<Watch>>,
}

impl World {
    /// An empty world whose nodes are configured as [`Config::lan`], in a cluster named `sim`.
    pub fn new(seed: u64) -> Self {
        Self::with_config(seed, Config::lan("sim"))
    }

    /// An empty world whose nodes have this configuration unless [`World::spawn_with`] gives them another.
    pub fn with_config(seed: u64, config: Config) -> Self {
        let seal = Plain::new(&config.cluster);
        Self {
            link: Link::default(),
            socket_buffer: SOCKET_BUFFER,
            log_events: true,
            now: Instant::ORIGIN,
            hosts: Vec::new(),
            net: Network::new(seed),
            uncounted: Vec::new(),
            out: Vec::new(),
            header_len: Plain::LEN,
            seal,
            config,
            node_seeds: Stream::new(seed, Purpose::Nodes),
            keyring: None,
            secrets: Stream::new(seed, Purpose::Secrets),
            crowds: Stream::new(seed, Purpose::Crowds),
            watch: None,
        }
    }

    /// Starts a node of this name, with the identity that follows from it, in epoch 1. It is alone until it joins.
    ///
    /// Real nodes do not start at the same instant: run the world for a moment between one and the next.
    pub fn spawn(&mut self, name: &str) -> NodeIx {
        self.spawn_with(name, |_| ())
    }

    /// Starts a node after `change` has had its say on how. A second node of a name that is taken is how a test makes
    /// two nodes claim one identity, or, once the first was killed, one node that came back at another address.
    ///
    /// # Panics
    /// When the set-up is refused.
    pub fn spawn_with(&mut self, name: &str, change: impl FnOnce(&mut Setup)) -> NodeIx {
        let ix = NodeIx::new(self.hosts.len());
        let mut setup = Setup::new(name, self.config.clone());
        setup.epoch = Some(1);
        setup.rng_seed = Some(self.node_seeds.next_u64());
        setup.keyring.clone_from(&self.keyring);
        setup.secrets = self.next_secrets();
        // A world has addresses only; a test whose story has names brings a resolver that answers at once.
        setup.resolver = Resolver::new(drop);
        // Who drives a world reads the nodes themselves; a second copy of every table would double what it takes.
        setup.publish_members = false;
        change(&mut setup);
        self.hosts.push(Host::start(setup, ix, self.now, Clock::TRUE, None));
        self.net.queue.alarms.add();
        self.begin(ix);
        ix
    }

    /// Tells a node to join the cluster of these seeds.
    pub fn join(&mut self, node: NodeIx, seeds: &[NodeIx]) {
        let addrs: Vec<SocketAddr> = seeds.iter().map(|seed| seed.addr()).collect();
        if let Some(watch) = &mut self.watch {
            watch.seeded(node, &addrs);
        }
        self.command(node, |handle| handle.join(&addrs));
    }

    /// Tells a node to say goodbye. Its process ends, as [`World::is_running`] tells, once that is done.
    pub fn leave(&mut self, node: NodeIx) {
        self.command(node, Handle::leave);
    }

    /// Tells a node to say this about itself, beside its name.
    ///
    /// # Panics
    /// When it is longer than [`Profile::MAX_META`].
    pub fn set_meta(&mut self, node: NodeIx, meta: &[u8]) {
        let profile = match Profile::new(&self.host(node).setup.name, meta) {
            Ok(profile) => profile,
            Err(e) => panic!("{node:?}: {e}"),
        };
        self.command(node, |handle| handle.set_profile(profile));
    }

    /// Commands go through the mailbox as they do in production. A paused process takes them when it is resumed.
    pub(crate) fn command(&mut self, node: NodeIx, give: impl FnOnce(&Handle) -> Result<(), CommandError>) {
        let host = self.host(node);
        assert!(host.life != Life::Ended, "{node:?} takes no command: its process has ended");
        if let Err(e) = give(self.handle(node)) {
            panic!("{node:?} takes no command: {e}");
        }
        self.note_command(node, Op::Other);
        self.take_commands(node);
    }

    /// Lets the checkers know what waits in the mailbox of a process.
    pub(crate) fn note_command(&mut self, node: NodeIx, op: Op) {
        if let Some(watch) = &mut self.watch {
            watch.data.given(node, self.hosts[node.index()].pump.node(), op);
        }
    }

    /// Drops the world's handle of a node, as an embedder does that is done with it: unless a test holds another, the node says
    /// goodbye. It takes no more commands from the world.
    pub fn let_go(&mut self, node: NodeIx) {
        self.host_mut(node).handle = None;
        self.take_commands(node);
    }

    /// Ends a node's process without goodbye. What is under way to it is lost unless it is restarted in time.
    pub fn kill(&mut self, node: NodeIx) {
        let host = self.host_mut(node);
        assert!(host.life != Life::Ended, "{node:?} cannot be killed: its process has ended");
        self.end(node);
    }

    /// Starts a node's process anew, after killing it if it still runs: same identity, same address, the next epoch,
    /// and nothing that it knew. The machine stays what it is: its clock goes on, and a slow one is slow.
    pub fn restart(&mut self, node: NodeIx) {
        self.restart_with(node, |_| ());
    }

    /// Restarts a node after `change` has had its say on how: with another name, say, which makes it another node that
    /// took over the address.
    ///
    /// # Panics
    /// When the set-up is refused.
    pub fn restart_with(&mut self, node: NodeIx, change: impl FnOnce(&mut Setup)) {
        if self.host(node).life != Life::Ended {
            self.end(node);
        }
        let mut setup = self.next_life(node);
        change(&mut setup);
        self.replace(node, setup, None);
    }

    /// Restarts a node that has kept its state: its next life knows what it knew in the end, see [`Setup::resume`].
    pub fn restart_with_state(&mut self, node: NodeIx) {
        let state = self.node(node).snapshot();
        self.restart_from(node, &state);
    }

    /// Restarts a node from a snapshot of its own ([`swim_core::Node::snapshot`]), which may be old: a disk image that was
    /// put back, say.
    ///
    /// # Panics
    /// When it is no snapshot.
    pub fn restart_from(&mut self, node: NodeIx, snapshot: &[u8]) {
        if self.host(node).life != Life::Ended {
            self.end(node);
        }
        let setup = self.next_life(node);
        self.replace(node, setup, Some(snapshot));
    }

    /// What a node's next life is started with.
    fn next_life(&mut self, node: NodeIx) -> Setup {
        let mut setup = self.host(node).next_life();
        setup.rng_seed = Some(self.node_seeds.next_u64());
        setup.secrets = self.next_secrets();
        setup
    }

    /// The next process on a machine. The machine stays what it is.
    fn replace(&mut self, node: NodeIx, setup: Setup, snapshot: Option<&[u8]>) {
        let now = self.now;
        let host = self.host_mut(node);
        let clock = host.clock;
        let former = std::mem::replace(host, Host::start(setup, node, now, clock, snapshot));
        host.sent = former.sent;
        host.log = former.log;
        host.pace = former.pace;
        host.reader = former.reader;
        host.pace.done(now, false);
        self.begin(node);
    }

    /// Stops a node's process from running, as `SIGSTOP` does: its timers do not fire, and datagrams wait in its socket
    /// buffer.
    pub fn pause(&mut self, node: NodeIx) {
        let host = self.host_mut(node);
        assert!(host.life == Life::Running, "{node:?} cannot be paused: it does not run");
        host.life = Life::Paused;
        self.rearm(node);
    }

    /// Lets a paused process run again. It reads what its socket holds, then takes commands, and then its timers fire.
    pub fn resume(&mut self, node: NodeIx) {
        let host = self.host_mut(node);
        assert!(host.life == Life::Paused, "{node:?} cannot be resumed: it is not paused");
        host.life = Life::Running;
        self.wake_up(node);
    }

    /// Cuts the ways between two groups, on top of what is cut already. What is under way still arrives.
    pub fn cut(&mut self, these: &[NodeIx], those: &[NodeIx], way: Way) {
        self.net.fabric.cut(these, those, way);
    }

    /// Undoes all cuts.
    pub fn heal(&mut self) {
        self.net.fabric.heal();
    }

    /// Gives one direction between two nodes a link of its own, or with `None` the world's again.
    pub fn set_link(&mut self, from: NodeIx, to: NodeIx, link: Option<Link>) {
        self.net.fabric.set_link(from, to, link);
    }

    /// Forges a datagram: seals this frame for the world's cluster, and lets it arrive at a node at once, whatever is
    /// cut, as if it came from `from`. The node reads it when the world runs next, if only for [`Duration::ZERO`]. The seal is
    /// the plain one: nodes of a sealed world hear nothing of it.
    pub fn inject(&mut self, to: NodeIx, from: SocketAddr, frame: &[u8]) {
        let header_len = self.header_len;
        let mut datagram = vec![0; header_len + frame.len()];
        datagram[header_len..header_len + frame.len()].copy_from_slice(frame);
        let len = self.seal.seal(&mut datagram, frame.len());
        self.inject_datagram(to, from, &datagram[..len]);
    }

    /// Like [`World::inject`], with bytes that are sealed already, or damaged.
    pub fn inject_datagram(&mut self, to: NodeIx, from: SocketAddr, datagram: &[u8]) {
        self.host(to);
        self.net.inject(self.now, from, to, datagram);
    }

    /// Shows every datagram that a node sends from now on to `look`, lost ones included. Only one tap at a time.
    pub fn tap(&mut self, look: impl FnMut(&Sent<'_>) + 'static) {
        self.net.tap = Some(Box::new(look));
    }

    /// Takes the tap off again.
    pub fn untap(&mut self) {
        self.net.tap = None;
    }

    /// Lets this much time pass.
    pub fn run(&mut self, span: Duration) {
        self.take_all_commands();
        self.run_to(self.now + span);
    }

    /// Lets time pass until `done` holds, at most `limit`: how long it took, or `None` if it never held. `done` is asked
    /// before anything happens and then every 10 ms.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> Option<Duration> {
        const GRAIN: Duration = Duration::from_millis(10);
        self.take_all_commands();
        let start = self.now;
        let end = start + limit;
        while !done(self) {
            if self.now == end {
                return None;
            }
            self.run_to(end.min(self.now + GRAIN));
        }
        Some(self.now.since(start))
    }

    /// Bytes of envelope around every frame.
    pub(crate) fn envelope_len(&self) -> usize {
        Plain::LEN
    }

    pub(crate) fn host(&self, node: NodeIx) -> &Host {
        match self.hosts.get(node.index()) {
            Some(host) => host,
            None => panic!("{node:?} is none of the {} nodes of this world", self.hosts.len()),
        }
    }

    pub(crate) fn host_mut(&mut self, node: NodeIx) -> &mut Host {
        let nodes = self.hosts.len();
        match self.hosts.get_mut(node.index()) {
            Some(host) => host,
            None => panic!("{node:?} is none of the {nodes} nodes of this world"),
        }
    }
}
