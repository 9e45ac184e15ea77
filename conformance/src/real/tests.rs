use std::panic;

use swim_core::State;
use swim_driver::{Turn, bind_blocking};

use super::*;

/// The plainest binding there is: it looks every millisecond.
struct Plain;

impl Binding for Plain {
    fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
        let Some(engine) = ready.tell(bind_blocking(addr, setup)) else { return Ok(()) };
        let mut engine = engine.map_socket(|socket| layer.around(socket));
        while let Turn::Wait(_) = engine.turn()? {
            thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Fails as soon as it runs.
struct Broken;

impl Binding for Broken {
    fn run(addr: SocketAddr, setup: Setup, _: Layer, ready: Ready) -> io::Result<()> {
        drop(ready.tell(bind_blocking(addr, setup)));
        Err(io::Error::other("broken"))
    }
}

fn two() -> (Real<Plain>, [Peer; 2]) {
    let mut h = Real::new(1, Real::<Plain>::base_config());
    let nodes = ["a", "b"].map(|name| h.spawn(Spec::named(name)));
    h.join_through(nodes[1], &nodes[..1]);
    h.until(LONG, |h| h.is_whole(2)).expect("both see both");
    (h, nodes)
}

#[test]
fn its_config_holds() {
    assert_eq!(Real::<Plain>::base_config().validate(), Ok(()));
}

#[test]
fn a_node_that_is_let_go_leaves_unless_somebody_else_has_a_handle() {
    let (mut h, [a, b]) = two();
    let (mark, own) = (h.mark(), h.handle(b));
    h.let_go(b);
    assert!(h.is_running(b));
    assert_eq!(own.view().live_count(), 2);
    drop(own);
    h.until(LONG, |h| h.sees(a, b) == Some(State::Left)).expect("it says goodbye");
    h.until(LONG, |h| !h.is_running(b)).expect("and ends");
    assert!(h.since(b, &mark).contains(&Event::Left), "what it tells is noted as before");
    assert_eq!(h.view(b).me().state(), State::Alive, "and its view is the last one seen");
}

#[test]
fn a_node_that_was_killed_says_nothing_and_comes_back_at_its_address() {
    let (mut h, [a, b]) = two();
    let (addr, bound, mark) = (h.addr(b), h.hosts[1].process.bound(), h.mark());
    h.kill(b);
    assert!(!h.is_running(b) && h.view(b).live_count() == 2, "what it knew in the end");
    assert!(!h.since(b, &mark).contains(&Event::Left));
    assert!(UdpSocket::bind(bound).is_err(), "nobody else is given its port");
    h.restart_same(b);
    assert_eq!((h.addr(b), h.hosts[1].process.bound()), (addr, bound));
    assert_eq!((h.view(b).live_count(), h.view(b).me().incarnation().epoch()), (1, 2), "and nothing is kept");
    h.join_through(b, &[a]);
    h.until(LONG, |h| h.is_whole(2)).expect("both see both again");
    assert_eq!(h.since(a, &mark).iter().filter(|e| matches!(e, Event::MemberRestarted { .. })).count(), 1);
}

/// Killed, gone after a goodbye, let go, or running when the network is dropped: each life is replayed, to its end.
#[test]
fn all_lives_are_replayed() {
    let _ = replayed::take();
    let (mut h, [a, b]) = two();
    h.kill(b);
    h.restart_same(b);
    h.join_through(b, &[a]);
    h.until(LONG, |h| h.is_whole(2)).expect("both see both again");
    h.leave(b);
    h.until(LONG, |h| !h.is_running(b)).expect("it ends");
    h.restart_same(b);
    h.let_go(b);
    h.until(LONG, |h| !h.is_running(b)).expect("it ends");
    h.restart_same(b);
    h.join_through(b, &[a]);
    // The first life of `b` has a short ring, and this one of `a` a long one.
    h.until(LONG, |h| h.is_whole(2)).expect("both see both again");
    let inputs = |h: &Real<Plain>, p: Peer| h.process(p).recorder().stats().steps;
    assert_eq!(replayed::take().lives, 0, "not while anything runs");
    let ended: u64 = h.hosts.iter().flat_map(|host| &host.ended).map(|life| life.stats().steps).sum();
    let (least, recorders) = (ended + inputs(&h, a) + inputs(&h, b), [a, b].map(|p| h.process(p).recorder().clone()));
    assert!(ended > 3 && recorders.iter().all(|life| life.stats().steps > 1));
    drop(h);
    let all = replayed::take();
    println!("replayed: {all}");
    assert_eq!((all.lives, all.from_keyframe), (5, 0));
    assert_eq!(all.steps, ended + recorders.iter().map(|life| life.stats().steps).sum::<u64>());
    assert!(all.steps >= least);
}

#[test]
fn a_life_that_is_longer_than_its_ring_is_replayed_from_a_keyframe() {
    let _ = replayed::take();
    let (mut h, [_, b]) = two();
    // The second node of this seed has the short ring.
    let recorder = h.process(b).recorder().clone();
    while recorder.stats().bytes < 3 * (64 << 10) {
        for i in 0..50_u8 {
            h.set_meta(b, &[i; 400]);
        }
        h.run(Duration::from_millis(1));
    }
    drop(h);
    let all = replayed::take();
    assert_eq!((all.lives, all.from_keyframe), (2, 1));
    let steps = recorder.stats().steps;
    assert!(all.steps > 0 && recorder.stats().keyframes > 1, "{all}, of {steps}");
}

#[test]
fn a_port_that_is_taken_is_no_obstacle() {
    let (mut h, [a, b]) = two();
    h.kill(b);
    let (addr, thief) = (h.addr(b), h.hosts[1].port.as_ref().unwrap().try_clone().unwrap());
    h.restart_same(b);
    h.join_through(b, &[a]);
    h.until(LONG, |h| h.is_whole(2)).expect("all see all");
    assert_eq!(h.addr(b), addr);
    assert_ne!(h.hosts[1].process.bound(), local_addr(&thief));
}

#[test]
fn a_node_that_is_paused_does_nothing() {
    let (mut h, [a, b]) = two();
    h.pause(b);
    let counts = h.counts(b);
    assert!(!h.is_running(b) && counts.received > 0 && counts.sent > 0 && counts.idle > 0, "{counts:?}");
    h.until(LONG, |h| h.sees(a, b) == Some(State::Suspect)).expect("it does not answer");
    assert_eq!(h.counts(b), counts);
    h.resume(b);
    h.until(LONG, |h| h.is_running(b) && h.is_whole(2)).expect("it answers again");
    assert!(h.counts(b).received > counts.received);
}

#[test]
fn a_scenario_that_panics_leaves_nothing_behind() {
    let mut ports = Vec::new();
    let scenario = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let (mut h, [a, b]) = two();
        ports.extend([a, b].map(|p| h.hosts[p.index()].process.bound()));
        ports.extend([a, b].map(|p| h.addr(p)));
        h.pause(b);
        panic!("on purpose");
    }));
    assert!(scenario.is_err());
    ports.into_iter().for_each(|port| drop(UdpSocket::bind(port).expect("no thread has it any more")));
}

#[test]
fn a_driver_that_fails_fails_the_scenario() {
    let mut h = Real::<Broken>::new(1, Real::<Broken>::base_config());
    let failure = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        h.spawn(Spec::named("a"));
        h.run(LONG);
    }));
    let text = failure.expect_err("it fails").downcast::<String>().expect("with a text");
    assert!(text.contains("failed: broken"), "{text}");
}

/// Nor does it matter that the scenario was about to kill it, or was over.
#[test]
fn a_driver_that_failed_before_it_was_killed_fails_the_scenario() {
    let broken = || {
        let mut h = Real::<Broken>::new(1, Real::<Broken>::base_config());
        let p = h.spawn(Spec::named("a"));
        while !h.hosts[p.index()].process.is_to_be_joined() {
            thread::park_timeout(Duration::from_millis(1));
        }
        (h, p)
    };
    let fails = |scenario: fn(&mut Real<Broken>, Peer)| {
        let (mut h, p) = broken();
        excuse::held_up(LONG);
        let failure = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            scenario(&mut h, p);
            drop(h);
        }));
        let text = failure.expect_err("it fails").downcast::<String>().expect("with a text");
        assert!(text.contains("failed: broken"), "{text}");
        assert_eq!(Real::<Broken>::excuse(), None, "the machine is not the reason");
    };
    fails(|_, _| {});
    fails(|h, p| h.kill(p));
}

const LONG: Duration = Duration::from_secs(30);
