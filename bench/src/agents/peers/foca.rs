//! foca on one socket: timers in a heap, what it wants to send is sent at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use foca::{Config, Foca, Notification, PostcardCodec, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

/// What it asks of its embedder.
struct Outside {
    socket: UdpSocket,
    timers: BinaryHeap<Reverse<Due>>,
    made: u64,
}

/// A timer. Of those that are due together, the one that was made first comes first.
struct Due {
    at: Instant,
    number: u64,
    timer: Timer<SocketAddr>,
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

impl Runtime<SocketAddr> for Outside {
    fn notify(&mut self, _: Notification<'_, SocketAddr>) {}

    fn send_to(&mut self, to: SocketAddr, data: &[u8]) {
        // A datagram that cannot be sent now is lost, as others are on the way.
        _ = self.socket.try_send_to(data, to);
    }

    fn submit_after(&mut self, timer: Timer<SocketAddr>, after: Duration) {
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
    socket.writable().await?;
    let mut outside = Outside { socket, timers: BinaryHeap::new(), made: 0 };
    let size = NonZeroU32::new(u32::try_from(members)?).ok_or("there is one member at least")?;
    let mut config = Config::new_lan(size);
    config.max_packet_size = NonZeroUsize::new(1_400).ok_or("no size")?;
    if !periodic {
        (config.periodic_announce, config.periodic_announce_to_down_members, config.periodic_gossip) =
            (None, None, None);
    }
    let mut node = Foca::new(addr, config, SmallRng::seed_from_u64(addr.port().into()), PostcardCodec);
    if let Some(seed) = seed {
        node.announce(seed, &mut outside)?;
    }
    let mut buf = vec![0; 2_048];
    super::tell(super::LISTENING)?;
    let mut told = false;
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
                node.handle_timer(due.timer, &mut outside)?;
            }
        }
        if !told && node.iter_members().count() + 1 == members {
            told = true;
            super::tell(super::ALL_THERE)?;
        }
    }
}
