//! A member of the server's cluster: our own node, whose own ping is sent again and again.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use swim_core::wire::{Frame, Message};
use swim_core::{Command, Config, Identity, Input, Node, NodeId, Profile};
use swim_driver::{Clock, Plain};

use super::flood::Client;

/// The server's name, and the cluster's.
pub(crate) const SERVER: &str = "server";
pub(crate) const CLUSTER: &str = "bench";

pub(crate) struct Guest {
    node: Node,
    plain: Plain,
    clock: Clock,
    out: Vec<u8>,
    /// The last ping that had nothing else to tell.
    ping: Vec<u8>,
    nonce: u32,
    /// The last that was heard of the server told no news, and spoke of the same members as are known here.
    agrees: bool,
    /// The last answer to it: most are the same.
    answer: Vec<u8>,
}

impl Guest {
    /// Joins through the server, and waits for the first ping that is sent when neither has anything left to tell: it
    /// is to be sent from then on.
    pub(crate) fn join(socket: &UdpSocket, server: SocketAddr) -> io::Result<Self> {
        let me = Identity {
            id: NodeId::from_name("guest"),
            addr: socket.local_addr()?,
            epoch: 1,
            profile: Profile::default(),
        };
        let clock = Clock::new();
        let node = Node::new(me, Config::lan(CLUSTER), 1, clock.now()).map_err(io::Error::other)?;
        let (plain, out) = (Plain::new(CLUSTER), vec![0; node.config().mtu]);
        let mut guest = Self { node, plain, clock, out, ping: Vec::new(), nonce: 0, agrees: false, answer: Vec::new() };
        guest.input(Input::Command(Command::Join(&[server])), socket)?;
        let start = Instant::now();
        let mut buf = [0; 2_048];
        while guest.ping.is_empty() {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("still news to tell to the server after {PATIENCE:?}")));
            }
            match socket.recv(&mut buf) {
                Ok(len) => _ = guest.hears(&buf[..len], socket)?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                Err(e) => return Err(e),
            }
            guest.tend(socket)?;
        }
        Ok(guest)
    }

    fn input(&mut self, input: Input<'_>, socket: &UdpSocket) -> io::Result<()> {
        self.node.handle(self.clock.now(), input);
        while let Some(transmit) = self.node.poll_transmit(&mut self.out[Plain::LEN..]) {
            let len = self.plain.seal(&mut self.out, transmit.len);
            self.keep_ping(len);
            socket.send(&self.out[..len])?;
        }
        while self.node.poll_event().is_some() {}
        Ok(())
    }

    /// A ping of a member that agrees with the server, and so has nothing to tell: one that is sent by the thousand
    /// must not say more than they say in the long run.
    fn keep_ping(&mut self, len: usize) {
        let quiet = self.agrees && self.node.live_count() == 2 && self.node.gossip_queued() == 0;
        let frame = Frame::parse(&self.out[Plain::LEN..len]).expect("what nodes send is a frame");
        let Some(Message::Ping { nonce, .. }) = frame.message.filter(|_| quiet && self.ping.is_empty()) else { return };
        self.nonce = nonce;
        self.ping.extend_from_slice(&self.out[..len]);
    }
}

impl Client for Guest {
    fn ping(&self) -> &[u8] {
        &self.ping
    }

    fn hears(&mut self, datagram: &[u8], socket: &UdpSocket) -> io::Result<bool> {
        if !self.answer.is_empty() && datagram == self.answer {
            return Ok(true);
        }
        let at = self.plain.open(datagram).map_err(io::Error::other)?;
        let bytes = &datagram[at];
        let frame = Frame::parse(bytes).ok();
        if let Some(frame) = frame.filter(|_| self.ping.is_empty()) {
            self.agrees = frame.updates().is_empty() && frame.view_hash == self.node.view_hash();
        }
        let nonce = frame.and_then(|frame| match frame.message {
            Some(Message::Ack { nonce }) => Some(nonce),
            _ => None,
        });
        let answers = !self.ping.is_empty() && nonce == Some(self.nonce);
        if answers {
            self.answer.clear();
            self.answer.extend_from_slice(datagram);
        }
        // The first one is the answer that the node waits for; others it leaves alone.
        self.input(Input::Datagram { from: socket.peer_addr()?, bytes }, socket)?;
        Ok(answers)
    }

    fn tend(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if self.node.poll_timeout().is_some_and(|at| at <= self.clock.now()) {
            self.input(Input::Timeout, socket)?;
        }
        Ok(())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.ping.len(), self.answer.len())
    }
}

const PATIENCE: Duration = Duration::from_secs(15);
