use std::net::{Ipv4Addr, UdpSocket};

use super::*;

/// The own socket of one node, at its place in the relay.
struct End {
    socket: UdpSocket,
    /// What it advertises.
    addr: SocketAddr,
}

fn ends<const N: usize>(relay: &Relay) -> [End; N] {
    std::array::from_fn(|_| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let addr = relay.add(socket.local_addr().unwrap()).unwrap();
        End { socket, addr }
    })
}

impl End {
    fn send(&self, n: u32, to: &Self) {
        self.socket.send_to(&n.to_le_bytes(), to.addr).unwrap();
    }

    /// The next datagram, and whose it is.
    fn receive(&self) -> (u32, SocketAddr) {
        let mut buf = [0; 4];
        let (len, from) = self.socket.recv_from(&mut buf).expect("it comes");
        assert_eq!(len, 4);
        (u32::from_le_bytes(buf), from)
    }

    /// All up to the one that was sent last.
    fn receive_all(&self) -> Vec<u32> {
        std::iter::from_fn(|| Some(self.receive().0).filter(|&n| n != LAST)).collect()
    }
}

/// What comes of so many datagrams on a link like this.
fn through(link: Link, n: u32) -> Vec<u32> {
    let relay = Relay::new(1).unwrap();
    let [from, to, other] = ends(&relay);
    relay.set_link(0, 1, link);
    // Whatever is held is due before what comes on this one.
    relay.set_link(2, 1, Link { delay: link.delay + HELD_BACK_MAX, ..Link::default() });
    let mut came = Vec::new();
    for batch in 0..n / BATCH {
        (batch * BATCH..(batch + 1) * BATCH).for_each(|i| from.send(i, &to));
        other.send(LAST, &to);
        came.extend(to.receive_all());
    }
    came
}

#[test]
fn without_faults_all_comes_once_and_in_order() {
    assert_eq!(through(Link::default(), 1_000), (0..1_000).collect::<Vec<_>>());
}

/// Within five standard deviations, and no other fault beside.
#[test]
fn loss_and_duplicates_are_as_set() {
    let came = through(Link::loss(30), 2_000);
    assert!(came.is_sorted_by(|a, b| a < b) && (1_300..=1_500).contains(&came.len()), "{} of 2000 came", came.len());
    let mut came = through(Link { duplicate: 20, ..Link::default() }, 2_000);
    assert!(came.is_sorted() && (2_310..=2_490).contains(&came.len()), "{} came of 2000", came.len());
    came.dedup();
    assert_eq!(came, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn later_ones_overtake_what_is_held_back() {
    let mut came = through(Link { reorder: 20, ..Link::default() }, 2_000);
    // One is overtaken where a smaller number follows a greater one.
    let late = (1..came.len()).filter(|&i| came[..i].iter().any(|&before| before > came[i])).count();
    assert!((200..=490).contains(&late), "{late} of 2000 came late");
    came.sort_unstable();
    assert_eq!(came, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn a_delay_is_at_least_as_set_and_keeps_the_order() {
    const DELAY: Duration = Duration::from_millis(40);
    let relay = Relay::new(1).unwrap();
    let [a, b] = ends(&relay);
    relay.set_network(Link { delay: DELAY, ..Link::default() });
    let sent: Vec<Instant> = (0..20)
        .map(|i| {
            let at = Instant::now();
            a.send(i, &b);
            at
        })
        .collect();
    for (i, at) in (0..).zip(sent) {
        assert_eq!(b.receive().0, i);
        assert!(at.elapsed() >= DELAY, "it took {:?}", at.elapsed());
    }
}

#[test]
fn a_way_is_cut_in_one_direction_or_both_until_it_is_healed() {
    let relay = Relay::new(1).unwrap();
    let [a, b, other] = ends(&relay);
    // Whether a datagram passes: what comes last shows that it did not.
    let passes = |from: &End, to: &End| {
        from.send(1, to);
        other.send(LAST, to);
        to.receive_all() == [1]
    };
    let ways = || [passes(&a, &b), passes(&b, &a)];
    assert_eq!(ways(), [true, true]);
    for (way, open) in [(Way::To, [false, true]), (Way::From, [true, false]), (Way::Both, [false, false])] {
        relay.cut(&[0], &[1], way);
        assert_eq!(ways(), open, "{way:?}");
        relay.heal();
        assert_eq!(ways(), [true, true]);
    }
    relay.cut(&[0], &[1], Way::To);
    relay.cut(&[0], &[1], Way::From);
    assert_eq!(ways(), [false, false], "one on top of the other");
}

#[test]
fn senders_have_the_addresses_that_they_advertise() {
    let relay = Relay::new(1).unwrap();
    let [a, mut b] = ends(&relay);
    a.send(1, &b);
    assert_eq!(b.receive(), (1, a.addr));
    b.send(2, &a);
    assert_eq!(a.receive(), (2, b.addr));
    // Started anew at another port.
    let new = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    new.set_read_timeout(Some(LONG)).unwrap();
    relay.rebind(1, new.local_addr().unwrap());
    let old = std::mem::replace(&mut b.socket, new);
    old.send_to(&[9; 4], a.addr).unwrap();
    b.send(3, &a);
    assert_eq!(a.receive(), (3, b.addr), "and the former port is nobody's");
    a.send(4, &b);
    assert_eq!((b.receive(), relay.unknown()), ((4, a.addr), 1));
}

#[test]
fn a_relay_that_is_dropped_has_ended() {
    let relay = Relay::new(1).unwrap();
    let [a] = ends(&relay);
    assert!(UdpSocket::bind(a.addr).is_err(), "the relay has it");
    drop(relay);
    UdpSocket::bind(a.addr).expect("its sockets are closed");
}

const LONG: Duration = Duration::from_secs(30);
/// The socket's buffers hold twice as many.
const BATCH: u32 = 100;
const LAST: u32 = u32::MAX;
