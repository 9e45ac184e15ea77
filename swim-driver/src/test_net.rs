//! Some pumps on a network of their own, for tests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Config, Instant};

use crate::pump::Pump;
use crate::{Handle, Setup};

/// Some nodes, a perfect network in no time, and a clock that is turned by hand.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<(Option<Handle>, Pump)>,
    pub(crate) sent: VecDeque<(SocketAddr, usize, Vec<u8>)>,
    /// Bytes of the largest datagram so far.
    pub(crate) largest: usize,
}

impl Net {
    pub(crate) fn new(n: usize) -> Self {
        let mut net = Self { now: Instant::ORIGIN, nodes: Vec::new(), sent: VecDeque::new(), largest: 0 };
        for _ in 0..n {
            net.spawn(Config::local("c"));
        }
        net
    }

    pub(crate) fn addr(i: usize) -> SocketAddr {
        ([10, 0, (i / 256) as u8, (i % 256) as u8], 7_946).into()
    }

    pub(crate) fn spawn(&mut self, config: Config) -> usize {
        self.spawn_with(config, |_| ())
    }

    pub(crate) fn spawn_with(&mut self, config: Config, change: impl FnOnce(&mut Setup)) -> usize {
        let i = self.nodes.len();
        let mut setup = Setup::new(format!("node-{i}"), config);
        (setup.epoch, setup.rng_seed) = (Some(1), Some(i as u64));
        change(&mut setup);
        let (handle, pump) = setup.start(Self::addr(i), self.now).unwrap();
        self.nodes.push((Some(handle), pump));
        i
    }

    pub(crate) fn handle(&self, i: usize) -> &Handle {
        self.nodes[i].0.as_ref().expect("the handle was not dropped")
    }

    pub(crate) fn pump(&mut self, i: usize) -> &mut Pump {
        &mut self.nodes[i].1
    }

    /// Hands out what follows from the last input of a node.
    pub(crate) fn drain(&mut self, i: usize) {
        let mut out = [0; 1_400];
        while let Some(tx) = self.nodes[i].1.poll_transmit(&mut out) {
            self.largest = self.largest.max(tx.len);
            self.sent.push_back((tx.to, i, out[..tx.len].to_vec()));
        }
        same(&self.nodes[i]);
    }

    pub(crate) fn commands(&mut self) {
        for i in 0..self.nodes.len() {
            while !self.nodes[i].1.mailbox().is_empty() {
                let now = self.now;
                self.pump(i).command(now);
                self.drain(i);
            }
        }
    }

    /// Delivers until nothing is under way.
    pub(crate) fn settle(&mut self) {
        self.commands();
        while let Some((to, from, mut datagram)) = self.sent.pop_front() {
            let Some(i) = (0..self.nodes.len()).find(|&i| Self::addr(i) == to) else { continue };
            let now = self.now;
            self.pump(i).datagram(now, Self::addr(from), &mut datagram);
            self.drain(i);
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let next = self.nodes.iter().enumerate().filter_map(|(i, n)| Some((n.1.poll_timeout()?, i))).min();
            let Some((at, i)) = next.filter(|next| next.0 <= end) else { break };
            self.now = at;
            self.pump(i).timeout(at);
            self.drain(i);
        }
        self.now = end;
    }

    pub(crate) fn joined(n: usize) -> Self {
        let mut net = Self::new(n);
        for i in 1..n {
            net.handle(i).join(&[Self::addr(0)]).unwrap();
        }
        net.run(Duration::from_secs(20));
        assert!(net.nodes.iter().all(|(_, pump)| pump.node().live_count() == n));
        net
    }
}

/// The view is what the node knows, row by row.
pub(crate) fn same((handle, pump): &(Option<Handle>, Pump)) {
    let Some(handle) = handle else { return };
    let (view, node) = (handle.view(), pump.node());
    let all = view.shows_all();
    if all {
        assert_eq!((view.members().len(), view.live_count()), (node.members().len(), node.live_count()));
    } else {
        assert_eq!((view.members().len(), view.live_count()), (1, usize::from(node.me().state().is_live())));
    }
    assert_eq!(view.me().id(), node.me().id());
    for m in node.members().filter(|m| all || m.id() == view.me().id()) {
        let row = view.member(m.id()).expect("every row is in the view");
        assert_eq!((row.status(), row.addr(), row.profile()), (m.status(), m.addr(), m.profile()));
        assert_eq!(
            (row.entries().len(), row.state_version()),
            (node.state(m.id()).count(), node.state_version(m.id()))
        );
        assert!(node.state(m.id()).all(|entry| row.get(entry.key) == Some(entry.value)));
    }
}
