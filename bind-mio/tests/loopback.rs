//! Real sockets on the loopback interface. Everything is awaited; the time-outs only bound a failure.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bind_mio::swim_core::{Config, Event, Profile, State};
use bind_mio::swim_driver::{CommandError, MemberView, View};
use bind_mio::{BindError, Driver, Handle, Setup, Turn, bind};
use mio::{Events, Poll, Token, Waker};

const LONG: Duration = Duration::from_secs(60);

fn local(name: &str) -> (Handle, Driver) {
    bind("127.0.0.1:0".parse().unwrap(), Setup::new(name, Config::local("test"))).expect("a loopback socket")
}

fn spawned(name: &str) -> (Handle, JoinHandle<io::Result<()>>) {
    let (handle, driver) = local(name);
    (handle, thread::spawn(move || driver.run()))
}

fn await_view(handle: &Handle, wanted: impl Fn(&View) -> bool) -> Arc<View> {
    let mut view = handle.view();
    while !wanted(&view) {
        view = handle.wait_changed(view.version(), LONG).expect("the view becomes what is wanted");
    }
    view
}

fn state(view: &View, of: &Handle) -> Option<State> {
    view.member(of.id()).map(MemberView::state)
}

#[test]
fn two_nodes_meet_talk_and_part() {
    let (a, thread_a) = spawned("a");
    let (b, thread_b) = spawned("b");
    let mut events = b.events();
    b.join(&[a.addr()]).unwrap();
    let view = await_view(&a, |view| view.live_count() == 2);
    let row = view.member(b.id()).unwrap();
    assert_eq!((row.name(), row.addr(), row.state()), ("b", b.addr(), State::Alive));
    await_view(&b, |view| view.live_count() == 2);

    a.set_profile(Profile::new("a", b"zone=x").unwrap()).unwrap();
    await_view(&b, |view| view.member(a.id()).is_some_and(|row| row.meta() == b"zone=x"));

    a.leave().unwrap();
    await_view(&b, |view| state(view, &a) == Some(State::Left));
    assert!(a.wait_closed(LONG));
    thread_a.join().unwrap().unwrap();
    assert_eq!(a.join(&[b.addr()]), Err(CommandError::Closed));
    assert_eq!(state(&a.view(), &a), Some(State::Left));

    let mut told = Vec::new();
    while !matches!(told.last(), Some(Event::MemberDown { .. })) {
        told.push(events.recv_timeout(LONG).expect("each step is told"));
    }
    assert!(matches!(told[0], Event::MemberUp { id, .. } if id == a.id()), "{told:?}");
    assert!(told.iter().any(|e| matches!(e, Event::Joined { members: 2 })), "{told:?}");
    assert!(told.contains(&Event::MemberUpdated { id: a.id() }), "{told:?}");
    assert!(matches!(told.last(), Some(Event::MemberDown { id, left: true, .. }) if *id == a.id()), "{told:?}");

    drop(b);
    thread_b.join().unwrap().unwrap();
    let last = std::iter::from_fn(|| events.recv().ok()).last();
    assert_eq!(last, Some(Event::Left), "and then the events end");
}

#[test]
fn over_ipv6_and_both_at_once() {
    for (a_at, b_at) in [("[::1]:0", "[::1]:0"), ("127.0.0.1:0", "[::]:0")] {
        let setup = |name: &str| Setup::new(name, Config::local("test"));
        let (a, driver_a) = bind(a_at.parse().unwrap(), setup("a")).unwrap();
        let (b, driver_b) = bind(b_at.parse().unwrap(), setup("b").join([a.addr()])).unwrap();
        let threads = [driver_a, driver_b].map(|driver| thread::spawn(move || driver.run()));
        await_view(&b, |view| view.live_count() == 2);
        let view = await_view(&a, |view| view.live_count() == 2);
        assert_eq!(view.member(b.id()).unwrap().addr(), b.addr());
        drop((a, b));
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }
}

#[test]
fn what_an_embedder_moves_and_shares() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    fn movable<T: Send + 'static>() {}
    everywhere::<Handle>();
    movable::<Driver>();
}

#[test]
fn the_last_handle_ends_the_driver() {
    let (a, thread_a) = spawned("a");
    let (b, thread_b) = spawned("b");
    b.join(&[a.addr()]).unwrap();
    await_view(&a, |view| view.live_count() == 2);
    let id = b.id();
    drop(b);
    thread_b.join().unwrap().unwrap();
    await_view(&a, |view| view.member(id).is_some_and(|row| row.state() == State::Left));
    drop(a);
    thread_a.join().unwrap().unwrap();
}

/// A driver that vanishes says nothing; the others find out by probing.
#[test]
fn a_dropped_driver_says_no_goodbye() {
    let (a, thread_a) = spawned("a");
    let (b, mut driver) = local("b");
    b.join(&[a.addr()]).unwrap();
    let mut poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
    driver.register(poll.registry(), Token(3), waker).unwrap();
    let mut events = Events::with_capacity(4);
    while b.view().live_count() < 2 {
        let Turn::Wait(timeout) = driver.turn().unwrap() else { panic!("nobody said leave") };
        poll.poll(&mut events, timeout).unwrap();
    }
    b.leave().unwrap();
    b.leave().unwrap();
    drop(driver);
    assert!(b.wait_closed(Duration::ZERO));
    assert_eq!((b.leave(), b.undelivered()), (Err(CommandError::Closed), 2));
    await_view(&a, |view| state(view, &b) == Some(State::Dead));
    drop(a);
    thread_a.join().unwrap().unwrap();
}

/// Two guests in one poll, on one thread, with one waker; the embedder's own events in between.
#[test]
fn two_drivers_share_the_embedders_poll() {
    let (a, mut driver_a) = local("a");
    let (b, mut driver_b) = local("b");
    let mut poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    driver_a.register(poll.registry(), Token(1), Arc::clone(&waker)).unwrap();
    driver_b.register(poll.registry(), Token(2), Arc::clone(&waker)).unwrap();
    assert!(driver_a.register(poll.registry(), Token(3), waker).is_err(), "once is enough");

    let commander = thread::spawn({
        let (a, b) = (a.clone(), b.clone());
        move || {
            b.join(&[a.addr()]).unwrap();
            await_view(&a, |view| view.live_count() == 2);
            await_view(&b, |view| view.live_count() == 2);
            a.leave().unwrap();
            await_view(&b, |view| state(view, &a) == Some(State::Left));
            b.leave().unwrap();
        }
    });
    let mut events = Events::with_capacity(8);
    let mut finished = [false; 2];
    while finished != [true; 2] {
        let mut timeout = Some(LONG);
        for (i, driver) in [&mut driver_a, &mut driver_b].into_iter().enumerate() {
            match driver.turn().unwrap() {
                Turn::Wait(wait) => timeout = timeout.into_iter().chain(wait).min(),
                Turn::Finished => finished[i] = true,
            }
        }
        if finished != [true; 2] {
            poll.poll(&mut events, timeout).unwrap();
        }
    }
    commander.join().unwrap();
    assert_eq!(driver_a.turn().unwrap(), Turn::Finished, "and it stays so");
    let stats = driver_b.pump().stats();
    assert_eq!((stats.refused(), stats.commands), (0, 2));
    assert!(stats.datagrams_received > 0 && stats.datagrams_sent > 0);
}

/// Noise, floods and foreign clusters on the socket neither stop a node nor enter it.
#[test]
fn a_node_bears_what_others_send_it() {
    let (a, mut driver) = local("a");
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    driver.register(poll.registry(), Token(1), waker).unwrap();
    let mut events = Events::with_capacity(8);
    let mut sent = 0;
    // As many as one turn reads, a few times over, and no more at a time than fit into the socket's buffer.
    while sent < 1_000 {
        for _ in 0..50 {
            noise.send_to(&[0x51; 40], a.addr()).unwrap();
            noise.send_to(b"", a.addr()).unwrap();
            sent += 2;
        }
        while driver.pump().stats().refused() < sent {
            let Turn::Wait(timeout) = driver.turn().unwrap() else { panic!("nobody said leave") };
            if driver.pump().stats().refused() < sent {
                poll.poll(&mut events, Some(timeout.unwrap_or(LONG))).unwrap();
            }
        }
    }
    let stats = driver.pump().stats();
    assert_eq!((stats.refused_suite, stats.refused_too_short), (500, 500));
    assert_eq!(driver.pump().node().stats().datagrams_received, 0);
    assert_eq!(a.view().version(), 0);
}

/// More than one turn takes: it asks to be called again at once, until nothing is left. The poll, which tells of what
/// comes later only, is not asked here at all.
#[test]
fn what_a_turn_leaves_it_asks_for_at_once() {
    let (a, mut driver) = local("a");
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..1_000_u32 {
        a.set_profile(Profile::new("a", &n.to_be_bytes()).unwrap()).unwrap();
        noise.send_to(b"", a.addr()).unwrap(); // the socket keeps what it has room for
    }
    let turns = 1 + (0..).take_while(|_| driver.turn().unwrap() == Turn::Wait(Some(Duration::ZERO))).count();
    let stats = driver.pump().stats();
    assert_eq!((stats.commands, a.view().me().meta()), (1_000, &999_u32.to_be_bytes()[..]));
    assert!(turns > 5, "{turns} turns, each of which has its bounds");
    driver.turn().unwrap();
    assert_eq!(driver.pump().stats(), stats, "nothing was left");
}

#[test]
fn a_flood_is_read_turn_by_turn_to_its_end() {
    const ONE_TURN: u64 = 256;
    let (a, mut driver) = local("a");
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..1_000 {
        noise.send_to(b"", a.addr()).unwrap(); // the socket keeps what it has room for
    }
    let mut before = 0;
    loop {
        let at_once = driver.turn().unwrap() == Turn::Wait(Some(Duration::ZERO));
        let read = driver.pump().stats().refused() - before;
        assert_eq!(at_once, read == ONE_TURN, "it has read {read}, and it knows whether more may be there");
        if !at_once {
            break;
        }
        before += read;
    }
    assert!(driver.pump().stats().refused() > 0);
}

/// Nobody is at the seeds' ports: the refusals that come back are borne, and so are addresses that cannot be sent to.
#[test]
fn sends_that_fail_are_counted_and_the_loop_lives() {
    let (a, mut driver) = local("a");
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // An IPv4 socket has no way to send there.
    a.join(&[closed, "[::1]:9".parse().unwrap()]).unwrap();
    let mut turns = 0;
    while driver.pump().stats().send_failures == 0 {
        assert!(matches!(driver.turn().unwrap(), Turn::Wait(_)));
        turns += 1;
        assert!(turns < 1_000, "the first attempt fails at once");
    }
    assert!(driver.pump().node().stats().sends_failed > 0, "the node was told");
    let (b, thread_b) = spawned("b");
    b.join(&[a.addr()]).unwrap();
    let thread_a = thread::spawn(move || driver.run());
    await_view(&a, |view| view.live_count() == 2);
    drop((a, b));
    thread_a.join().unwrap().unwrap();
    thread_b.join().unwrap().unwrap();
}

#[test]
fn a_bind_that_fails_says_what_to_do() {
    let (a, _driver) = local("a");
    let setup = || Setup::new("b", Config::local("test"));
    let text = bind(a.addr(), setup()).expect_err("the port is taken").to_string();
    assert!(
        text.starts_with(&format!("cannot bind to {}: ", a.addr())) && text.contains("choose another port"),
        "{text}"
    );
    let text = bind("192.0.2.1:0".parse().unwrap(), setup()).expect_err("not ours").to_string();
    assert!(text.contains("this machine does not have that address"), "{text}");
    let text = bind("0.0.0.0:0".parse().unwrap(), setup()).expect_err("others cannot send there").to_string();
    assert!(text.contains("set `advertise`"), "{text}");
    let e = BindError::Bind { addr: a.addr(), source: io::ErrorKind::PermissionDenied.into() };
    assert!(e.to_string().contains("choose a higher one"), "{e}");
}
