//! What a network of nodes must offer, so that scenarios can be played on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use swim_core::{Config, Event, NodeId, State};
use swim_driver::{Handle, View};

/// A node of a harness, by the order in which they were spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(usize);

impl Peer {
    /// The node that was spawned after `index` others. For harnesses; scenarios get theirs from [`Harness::spawn`].
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// 0 for the first node spawned, 1 for the second, ...
    pub const fn index(self) -> usize {
        self.0
    }
}

/// How a node starts.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name, from which its id follows.
    pub name: String,
    /// What it says about itself.
    pub meta: Vec<u8>,
    /// Which life of it this is. `None`: 1 for a node that is spawned; for a restart, one above the epoch in which the
    /// former life ended.
    pub epoch: Option<u32>,
    /// Its config, if it is not that of the harness.
    pub config: Option<Config>,
}

impl Spec {
    /// A node of this name that says nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), meta: Vec::new(), epoch: None, config: None }
    }

    /// The same in this epoch.
    #[must_use]
    pub fn epoch(self, epoch: u32) -> Self {
        Self { epoch: Some(epoch), ..self }
    }

    /// The same, saying this about itself.
    #[must_use]
    pub fn meta(self, meta: &[u8]) -> Self {
        Self { meta: meta.into(), ..self }
    }
}

/// Which way [`Harness::cut`] cuts, seen from its first group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing passes between the groups.
    Both,
    /// Nothing passes from the first group to the second; the second is still heard.
    To,
    /// Nothing passes from the second group to the first; the first is still heard.
    From,
}

/// What one direction does to datagrams, on top of what the network does anyway. Chances are in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Chance that a datagram is lost.
    pub loss: u32,
    /// Chance that a datagram comes twice.
    pub duplicate: u32,
    /// Chance that a datagram is held back, so that later ones overtake it.
    pub reorder: u32,
    /// How much longer each datagram takes.
    pub delay: Duration,
}

impl Link {
    /// A link that loses so many in a hundred.
    pub fn loss(percent: u32) -> Self {
        Self { loss: percent, ..Self::default() }
    }
}

/// How many events each node had told at some moment: see [`Harness::mark`].
#[derive(Clone, Debug)]
pub struct Mark(Vec<usize>);

/// A network of nodes.
///
/// Everything is called from one thread. A command takes effect soon, on virtual networks at once. A method that is given a
/// node panics when the node would have to run for it and has ended: that is a mistake in the scenario.
pub trait Harness: Sized {
    /// An empty network, whose nodes have this config unless their [`Spec`] says otherwise. On a real network the seed
    /// decides the nodes' random choices and the faults' at most.
    fn new(seed: u64, config: Config) -> Self;

    /// The config that scenarios start from here: real networks have short periods.
    fn base_config() -> Config;

    /// How many of so many seeds make sense: all of them on virtual time, few where time is real. `capped` are those of which
    /// the lists say how many are too many.
    fn seeds(wanted: u64, capped: bool) -> u64;

    /// Why the last run on this thread shows nothing, though it failed: where time is real, the machine may have stood still.
    /// Then it is played again, a few times at most. On virtual time no failure is excused.
    fn excuse() -> Option<String> {
        None
    }

    /// The config that this network was made with.
    fn config(&self) -> &Config;

    // --- nodes

    /// Starts a node at an address of its own. It is alone until it joins.
    fn spawn(&mut self, spec: Spec) -> Peer;

    /// Starts the process at this address anew, after killing it if it still runs: nothing that it knew is kept.
    fn restart(&mut self, p: Peer, spec: Spec);

    /// How it was last started.
    fn spec(&self, p: Peer) -> Spec;

    /// All nodes, ended ones included, in the order in which they were spawned.
    fn peers(&self) -> Vec<Peer>;

    /// Its address, the same over restarts.
    fn addr(&self, p: Peer) -> SocketAddr;

    /// The identity of the process that runs there, or ran there last.
    fn id(&self, p: Peer) -> NodeId;

    /// Tells it to join the cluster of these seeds.
    fn join(&mut self, p: Peer, seeds: &[SocketAddr]);

    /// Tells it to say goodbye; its process ends once that is done.
    fn leave(&mut self, p: Peer);

    /// Tells it to say this about itself, beside its name.
    fn set_meta(&mut self, p: Peer, meta: &[u8]);

    /// Ends its process without a goodbye.
    fn kill(&mut self, p: Peer);

    /// Stops its process from running; datagrams wait in its socket.
    fn pause(&mut self, p: Peer);

    /// Lets a paused process run again.
    fn resume(&mut self, p: Peer);

    /// Whether its process runs: not killed, not paused, and not ended by a leave or a conflict.
    fn is_running(&self, p: Peer) -> bool;

    /// What it knows; of an ended process, what it knew in the end.
    fn view(&self, p: Peer) -> Arc<View>;

    /// The embedder's end of its node, for what this trait does not do itself. Holding it keeps the node in its cluster.
    fn handle(&self, p: Peer) -> Handle;

    /// Drops the harness's own handle: unless a scenario holds another, the node says goodbye. What `view`, `events_after` and
    /// `is_running` say stays available, but the view may be as it was then.
    fn let_go(&mut self, p: Peer);

    /// What it has told since it was spawned, over all its restarts, without the first `skip` events.
    fn events_after(&self, p: Peer, skip: usize) -> Vec<Event>;

    // --- time

    /// Lets this much time pass.
    fn run(&mut self, span: Duration);

    /// Lets time pass until `done` holds, at most `limit`: how long it took, or `None` if it never held. `done` is asked
    /// before anything happens, and then often.
    fn until(&mut self, limit: Duration, done: impl FnMut(&mut Self) -> bool) -> Option<Duration>;

    // --- faults

    /// Cuts the ways between two groups, on top of what is cut already.
    fn cut(&mut self, these: &[Peer], those: &[Peer], way: Way);

    /// Undoes all cuts.
    fn heal(&mut self);

    /// What every direction does that has no link of its own.
    fn set_network(&mut self, link: Link);

    /// Gives one direction between two nodes a link of its own.
    fn set_link(&mut self, from: Peer, to: Peer, link: Link);

    /// How long a cluster that is at rest may need to be seen so: where time is real, somebody may be doubted, and refute, at
    /// any moment.
    fn grace(&self) -> Duration {
        Duration::ZERO
    }

    /// So many protocol periods where nothing but their number counts: fewer where time is real.
    fn long(&self, n: u32) -> Duration {
        self.periods(n)
    }

    // --- what follows from these

    /// So many protocol periods.
    fn periods(&self, n: u32) -> Duration {
        self.config().probe_interval * n
    }

    /// Starts the process at this address anew, as it was last started but in the next epoch.
    fn restart_same(&mut self, p: Peer) {
        let spec = self.spec(p);
        self.restart(p, Spec { epoch: None, ..spec });
    }

    /// Tells a node to join through these nodes.
    fn join_through(&mut self, p: Peer, seeds: &[Peer]) {
        let addrs: Vec<SocketAddr> = seeds.iter().map(|&s| self.addr(s)).collect();
        self.join(p, &addrs);
    }

    /// All that run.
    fn running(&self) -> Vec<Peer> {
        self.peers().into_iter().filter(|&p| self.is_running(p)).collect()
    }

    /// What `observer` believes of `subject`; `None` when it has no row for it.
    fn sees(&self, observer: Peer, subject: Peer) -> Option<State> {
        self.view(observer).member(self.id(subject)).map(|row| row.state())
    }

    /// Whether every node that runs counts exactly `live` members, itself included, and there is one.
    fn all_see(&self, live: usize) -> bool {
        let running = self.running();
        !running.is_empty() && running.iter().all(|&p| self.view(p).live_count() == live)
    }

    /// Whether all that run have the same live members: incarnations, addresses, names and metadata.
    fn all_agree(&self) -> bool {
        let views: Vec<Arc<View>> = self.running().iter().map(|&p| self.view(p)).collect();
        views.windows(2).all(|pair| {
            let live = || pair[0].members().filter(|row| row.state().is_live());
            live().count() == pair[1].live_count()
                && live().all(|row| {
                    pair[1].member(row.id()).is_some_and(|other| {
                        other.state().is_live()
                            && (other.incarnation(), other.addr()) == (row.incarnation(), row.addr())
                            && other.profile() == row.profile()
                    })
                })
        })
    }

    /// Whether all that run see `live` members and agree on them.
    fn is_whole(&self, live: usize) -> bool {
        self.all_see(live) && self.all_agree()
    }

    /// All that it has told.
    fn events(&self, p: Peer) -> Vec<Event> {
        self.events_after(p, 0)
    }

    /// Remembers how much each node has told by now.
    fn mark(&self) -> Mark {
        Mark(self.peers().iter().map(|&p| self.events(p).len()).collect())
    }

    /// What it has told since that moment; all of it when it was spawned later.
    fn since(&self, p: Peer, mark: &Mark) -> Vec<Event> {
        self.events_after(p, mark.0.get(p.index()).copied().unwrap_or(0))
    }

    /// How many events like this it has told since that moment.
    fn count_since(&self, p: Peer, mark: &Mark, hit: impl Fn(&Event) -> bool) -> usize {
        self.since(p, mark).iter().filter(|e| hit(e)).count()
    }
}

/// A member is gone, dead or left.
pub fn is_down(e: &Event) -> bool {
    matches!(e, Event::MemberDown { .. })
}

/// A suspicion begins.
pub fn is_suspect(e: &Event) -> bool {
    matches!(e, Event::MemberSuspect { .. })
}
