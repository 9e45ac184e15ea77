//! foca on one socket: timers in a heap, what it wants to send is sent at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::net::{SocketAddr, SocketAddrV4};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use foca::{Config, Foca, Identity as _, Notification, PostcardCodec, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use crate::foca_id::Id;

/// What it asks of its embedder.
struct Outside<T> {
    socket: UdpSocket,
    /// Is told of each member that comes or goes: where it is, and whether it is there.
    told: T,
    timers: BinaryHeap<Reverse<Due>>,
    made: u64,
}

/// A timer. Of those that are due together, the one that was made first comes first.
struct Due {
    at: Instant,
    number: u64,
    timer: Timer<Id>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T: FnMut(SocketAddr, bool)> Runtime<Id> for Outside<T> {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberUp(of) => (self.told)(of.addr().into(), true),
            Notification::MemberDown(of) => (self.told)(of.addr().into(), false),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        // A datagram that cannot be sent now is lost, as others are on the way.
        _ = self.socket.try_send_to(data, to.addr().into());
    }

    fn submit_after(&mut self, timer: Timer<Id>, after: Duration) {
        self.made += 1;
        self.timers.push(Reverse(Due { at: Instant::now() + after, number: self.made, timer }));
    }
}

pub(crate) async fn run(
    addr: SocketAddr,
    seed: Option<SocketAddr>,
    members: usize,
    periodic: bool,
) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind(addr).await?;
    let mut config = lan(members)?;
    if !periodic {
        (config.periodic_announce, config.periodic_announce_to_down_members, config.periodic_gossip) =
            (None, None, None);
    }
    super::tell(super::LISTENING)?;
    let (mut others, mut all_there) = (0, false);
    let told = |_, is_up| {
        others = if is_up { others + 1 } else { others - 1 };
        if !all_there && others + 1 == members {
            all_there = true;
            // Who does not hear it, waits in vain, and says so.
            _ = super::tell(super::ALL_THERE);
        }
    };
    serve(socket, config, seed, told).await
}

/// Its configuration for a local network with so many members.
pub(crate) fn lan(members: usize) -> Result<Config, Box<dyn Error>> {
    let size = NonZeroU32::new(u32::try_from(members)?).ok_or("there is one member at least")?;
    Ok(Config { max_packet_size: NonZeroUsize::new(1_400).ok_or("no size")?, ..Config::new_lan(size) })
}

fn v4(addr: SocketAddr) -> Result<SocketAddrV4, Box<dyn Error>> {
    match addr {
        SocketAddr::V4(addr) => Ok(addr),
        SocketAddr::V6(_) => Err(format!("{addr}: its address here is an IPv4 one").into()),
    }
}

/// A node on this socket, for as long as there is no error.
pub(crate) async fn serve(
    socket: UdpSocket,
    config: Config,
    seed: Option<SocketAddr>,
    told: impl FnMut(SocketAddr, bool),
) -> Result<(), Box<dyn Error>> {
    socket.writable().await?;
    let addr = v4(socket.local_addr()?)?;
    let mut outside = Outside { socket, told, timers: BinaryHeap::new(), made: 0 };
    let mut node = Foca::new(Id::at(addr), config, SmallRng::seed_from_u64(addr.port().into()), PostcardCodec);
    if let Some(seed) = seed {
        node.announce(Id::at(v4(seed)?), &mut outside)?;
    }
    let mut buf = vec![0; 2_048];
    loop {
        let due = outside.timers.peek().map(|Reverse(due)| due.at);
        let received = match due {
            Some(at) => timeout_at(at.into(), outside.socket.recv_from(&mut buf)).await.ok(),
            None => Some(outside.socket.recv_from(&mut buf).await),
        };
        match received {
            // What it does not understand it says, and goes on.
            Some(Ok((len, _))) => _ = node.handle_data(&buf[..len], &mut outside),
            // Refused, by one who is gone.
            Some(Err(_)) => {}
            None => {
                let Reverse(due) = outside.timers.pop().ok_or("a timer is due")?;
                // As its example does: late timers are told as errors, and it goes on.
                _ = node.handle_timer(due.timer, &mut outside);
            }
        }
    }
}
