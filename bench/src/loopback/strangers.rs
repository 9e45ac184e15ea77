//! How the other implementations are pinged.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use memberlist::proto::{Data, Message, Node, Ping};
use tokio::sync::oneshot;

use super::flood::Client;
use super::{CLUSTER, SERVER};
use crate::agents::peers::{chitchat, free_port, on_tokio};

/// memberlist's ping. It answers whoever names it, member or not, so nobody has to join.
pub(crate) struct MemberlistPing {
    ping: Vec<u8>,
    answer_len: usize,
}

impl MemberlistPing {
    pub(crate) fn new(me: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let ping = Ping::<smol_str::SmolStr, SocketAddr>::new(
            1,
            Node::new("guest".into(), me),
            Node::new(SERVER.into(), server),
        );
        let ping = Message::Ping(ping).encode_to_vec().map_err(io::Error::other)?;
        Ok(Self { ping, answer_len: 0 })
    }
}

impl Client for MemberlistPing {
    fn ping(&self) -> &[u8] {
        &self.ping
    }

    /// To a stranger it sends nothing else.
    fn hears(&mut self, datagram: &[u8], _: &UdpSocket) -> io::Result<bool> {
        self.answer_len = datagram.len();
        Ok(true)
    }

    fn tend(&mut self, _: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.ping.len(), self.answer_len)
    }
}

/// chitchat has no ping. What it answers is a digest, its "Syn"; so a node of it stands behind this client, gossips
/// with the server through it, and a digest that it has sent is sent again and again.
pub(crate) struct ChitchatGuest {
    /// Where the node thinks that the server is.
    front: UdpSocket,
    node: SocketAddr,
    digest: Vec<u8>,
    answer_len: usize,
    /// The node ends when this is dropped, with the round.
    _runs: oneshot::Sender<()>,
}

impl ChitchatGuest {
    /// The server has been told that it is reached at `front`, and its seed is `socket`.
    pub(crate) fn join(socket: &UdpSocket, front: UdpSocket) -> io::Result<Self> {
        front.set_nonblocking(true)?;
        let (node, server, me) = (free_port()?, front.local_addr()?, socket.local_addr()?);
        let (runs, ends) = oneshot::channel::<()>();
        thread::spawn(move || {
            // When it cannot start, nothing comes from it, and that is told below.
            _ = on_tokio(async move {
                let _node = chitchat::start("guest", node, me, Some(server)).await?;
                // Dropped, it says no more than that this is over.
                _ = ends.await;
                Ok::<(), Box<dyn Error>>(())
            });
        });
        let mut guest = Self { front, node, digest: Vec::new(), answer_len: 0, _runs: runs };
        let start = Instant::now();
        let mut buf = [0; 4_096];
        while guest.digest.is_empty() {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the node of {CLUSTER} has not gossiped for {PATIENCE:?}")));
            }
            while let Ok(len) = socket.recv(&mut buf) {
                guest.front.send_to(&buf[..len], guest.node)?;
            }
            while let Ok(len) = guest.front.recv(&mut buf) {
                socket.send(&buf[..len])?;
                // By then each knows the other.
                if start.elapsed() > SETTLED && buf[..len].get(KIND_AT) == Some(&SYN) {
                    guest.digest = buf[..len].to_vec();
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(guest)
    }
}

impl Client for ChitchatGuest {
    fn ping(&self) -> &[u8] {
        &self.digest
    }

    fn hears(&mut self, datagram: &[u8], _: &UdpSocket) -> io::Result<bool> {
        if datagram.get(KIND_AT) == Some(&SYN_ACK) {
            self.answer_len = datagram.len();
            return Ok(true);
        }
        self.front.send_to(datagram, self.node)?;
        Ok(false)
    }

    fn tend(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut buf = [0; 4_096];
        while let Ok(len) = self.front.recv(&mut buf) {
            // Its own questions would be answered, and counted.
            if buf[..len].get(KIND_AT) != Some(&SYN) {
                socket.send(&buf[..len])?;
            }
        }
        Ok(())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.digest.len(), self.answer_len)
    }
}

/// Behind a magic number of two bytes and the version.
const KIND_AT: usize = 3;
const SYN: u8 = 0;
const SYN_ACK: u8 = 1;
/// Three of its intervals. Whether the server knows its guest stands only in its digests, which are not read here.
const SETTLED: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(15);
