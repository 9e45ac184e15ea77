use std::collections::VecDeque;
use std::thread;

use super::*;

/// A socket whose datagrams are told in advance.
struct Script(VecDeque<(SocketAddr, &'static [u8])>);

impl Socket for Script {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (from, bytes) = self.0.pop_front().ok_or(ErrorKind::WouldBlock)?;
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok((bytes.len(), from))
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        if to == peer() { Ok(bytes.len()) } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

impl AsMut<VecDeque<(SocketAddr, &'static [u8])>> for Script {
    fn as_mut(&mut self) -> &mut VecDeque<(SocketAddr, &'static [u8])> {
        &mut self.0
    }
}

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

fn poker() -> SocketAddr {
    ([127, 0, 0, 1], 2).into()
}

fn layered(datagrams: &[(SocketAddr, &'static [u8])]) -> (Layer, Layered<Script>) {
    let layer = Layer::new(poker());
    let socket = layer.clone().around(Script(datagrams.iter().copied().collect()));
    (layer, socket)
}

fn read(socket: &mut Layered<Script>) -> Result<(usize, SocketAddr), ErrorKind> {
    socket.recv_from(&mut [0; 8]).map_err(|e| e.kind())
}

#[test]
fn pokes_are_kept_and_nothing_else() {
    let (layer, mut socket) =
        layered(&[(poker(), b""), (peer(), b""), (poker(), b"x"), (peer(), b"xy"), (poker(), b"")]);
    layer.order(Order::Run);
    assert_eq!(read(&mut socket), Ok((0, peer())), "an empty one of somebody else");
    assert_eq!(read(&mut socket), Ok((1, poker())));
    assert_eq!(read(&mut socket), Ok((2, peer())));
    let counts = || (layer.counts().received, layer.counts().idle);
    assert_eq!((read(&mut socket), counts()), (Err(ErrorKind::WouldBlock), (3, 0)), "awake because of a poke");
    assert_eq!((read(&mut socket), counts()), (Err(ErrorKind::WouldBlock), (3, 1)));
}

#[test]
fn what_is_sent_is_counted_and_what_fails_is_not() {
    let (layer, mut socket) = layered(&[]);
    assert_eq!(socket.send_to(b"xyz", peer()).map_err(|e| e.kind()), Ok(3));
    assert_eq!(socket.send_to(b"xyz", poker()).map_err(|e| e.kind()), Err(ErrorKind::PermissionDenied));
    assert_eq!(layer.counts(), Counts { idle: 0, received: 0, sent: 1 });
}

#[test]
fn a_driver_stands_until_it_is_let_go_and_then_reads() {
    let (layer, mut socket) = layered(&[(peer(), b"x")]);
    let driver = thread::spawn(move || (read(&mut socket), socket));
    assert!(layer.await_standing(LONG), "from the beginning");
    assert_eq!(layer.counts(), Counts::default());
    let seen = layer.reads();
    assert!(!driver.is_finished() && !layer.await_read(seen, Duration::ZERO));
    layer.order(Order::Run);
    let (first, mut socket) = driver.join().unwrap();
    assert_eq!(first, Ok((1, peer())));
    assert!(!layer.await_standing(Duration::ZERO));
    assert_eq!(read(&mut socket), Err(ErrorKind::WouldBlock));
    assert!(layer.await_read(seen, LONG));
}

/// The kind of error is the one that ends a driver.
#[test]
fn a_driver_that_stands_can_be_killed() {
    let (layer, mut socket) = layered(&[(peer(), b"x")]);
    let driver = thread::spawn(move || read(&mut socket));
    assert!(layer.await_standing(LONG));
    layer.order(Order::End);
    assert_eq!(driver.join().unwrap(), Err(ErrorKind::NotConnected));
}

#[test]
fn what_the_socket_is_for_others_it_stays() {
    let (_, mut socket) = layered(&[(peer(), b"x")]);
    let queue: &mut VecDeque<(SocketAddr, &[u8])> = socket.as_mut();
    assert_eq!(queue.len(), 1);
}

const LONG: Duration = Duration::from_secs(30);
