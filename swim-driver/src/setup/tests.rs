use swim_core::wire::Frame;
use swim_core::{Command, Input};

use super::*;

fn setup() -> Setup {
    Setup::new("web-1", Config::local("c"))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn start(setup: Setup, bound: &str) -> Result<(Handle, Pump), SetupError> {
    setup.start(addr(bound), Instant::ORIGIN)
}

#[test]
fn defaults_come_from_name_socket_clock_and_system() {
    let (handle, pump) = start(setup(), "127.0.0.1:7946").unwrap();
    assert_eq!((handle.id(), handle.addr()), (NodeId::from_name("web-1"), addr("127.0.0.1:7946")));
    let view = handle.view();
    let me = view.me();
    assert_eq!((view.version(), view.members().len(), view.live_count()), (0, 1, 1));
    assert_eq!((me.id(), me.addr(), me.name(), me.meta()), (handle.id(), handle.addr(), "web-1", &b""[..]));
    assert!(me.incarnation().epoch() > 1_700_000_000, "the year 2023 is over");
    let (other, _) = (pump.node().snapshot(), drop(handle));
    assert_ne!(start(setup(), "127.0.0.1:7946").unwrap().1.node().snapshot(), other, "entropy differs each time");
}

#[test]
fn what_is_set_is_taken() {
    let mut s = setup();
    s.meta = b"zone=a".to_vec();
    s.id = Some(NodeId::new(7));
    s.epoch = Some(3);
    s.advertise = Some(addr("192.0.2.1:1"));
    s.rng_seed = Some(1);
    let (handle, pump) = start(s.clone(), "0.0.0.0:7946").unwrap();
    let view = handle.view();
    assert_eq!((handle.id(), handle.addr()), (NodeId::new(7), addr("192.0.2.1:1")));
    assert_eq!((view.me().incarnation().epoch(), view.me().meta()), (3, &b"zone=a"[..]));
    let again = start(s, "0.0.0.0:7946").unwrap();
    assert_eq!(again.1.node().snapshot(), pump.node().snapshot(), "nothing else enters");
}

/// Whoever binds to port 0 cannot know the port to advertise.
#[test]
fn port_0_stands_for_the_bound_port() {
    let mut s = setup();
    s.advertise = Some(addr("192.0.2.1:0"));
    assert_eq!(start(s, "0.0.0.0:4711").unwrap().0.addr(), addr("192.0.2.1:4711"));
}

#[test]
fn every_error_names_cause_and_remedy() {
    type Broken = (fn(&mut Setup), &'static str, &'static str);
    let broken: [Broken; 8] = [
        (|s| s.name.clear(), "127.0.0.1:1", "the node's name is empty: give one"),
        (|s| s.name = "x".repeat(65), "127.0.0.1:1", "the name has 65 bytes, and at most 64 fit: choose"),
        (|s| s.meta = vec![0; 513], "127.0.0.1:1", "the metadata has 513 bytes, and at most 512 fit: publish"),
        (|s| s.config.cluster.clear(), "127.0.0.1:1", "config: cluster must not be empty; name"),
        (
            |_| {},
            "0.0.0.0:7946",
            "the socket is bound to 0.0.0.0:7946, which is no address that others could send to, and no seed says by",
        ),
        (
            |_| {},
            "[::]:7946",
            "the socket is bound to [::]:7946, which is no address that others could send to, and no seed says by",
        ),
        (
            |s| s.advertise = Some(addr("[::]:1")),
            "127.0.0.1:1",
            "nothing can be sent to the advertised address [::]:1: set `advertise`",
        ),
        (
            |s| s.advertise = Some(addr("[::ffff:0.0.0.0]:1")),
            "127.0.0.1:1",
            "nothing can be sent to the advertised address [::ffff:0.0.0.0]:1: set `advertise`",
        ),
    ];
    for (spoil, bound, wanted) in broken {
        let mut s = setup();
        spoil(&mut s);
        let text = start(s, bound).expect_err(wanted).to_string();
        assert!(text.starts_with(wanted), "{text}");
    }
    let text = SetupError::Entropy(io::Error::other("x")).to_string();
    assert!(text.contains("no random numbers (x): set `rng_seed`"), "{text}");
}

/// A former life of this node that knew others, as a snapshot: eight that it heard of, and what became of them.
fn former_life(seeds_max: usize) -> Vec<u8> {
    let profile = |name: &str| Profile::new(name, b"").unwrap();
    let identity = |name: &str, at: &str, epoch| Identity {
        id: NodeId::from_name(name),
        addr: addr(at),
        epoch,
        profile: profile(name),
    };
    let mut config = Config::local("c");
    config.seeds_max = seeds_max;
    let mut node = Node::new(identity("web-1", "10.0.0.1:1", 41), config.clone(), 1, Instant::ORIGIN).unwrap();
    let mut out = [0; 1_400];
    for i in 2..10 {
        let name = format!("db-{i}");
        let me = identity(&name, &format!("10.0.0.{i}:1"), 1);
        let from = me.addr;
        let mut other = Node::new(me, config.clone(), i, Instant::ORIGIN).unwrap();
        let tell = |other: &mut Node, node: &mut Node, command: Command<'_>| {
            other.handle(Instant::ORIGIN, Input::Command(command));
            let mut said = sent(other);
            while let Some(bytes) = said.pop() {
                node.handle(Instant::ORIGIN, Input::Datagram { from, bytes: &bytes });
                // Of all that is answered, only what has to be shown before it is believed.
                let asks = |bytes: &Vec<u8>| Frame::parse(bytes).is_ok_and(|frame| frame.cookie.is_some());
                for bytes in sent(node).into_iter().filter(asks) {
                    other.handle(Instant::ORIGIN, Input::Datagram { from: addr("10.0.0.1:1"), bytes: &bytes });
                    said.extend(sent(other));
                }
            }
        };
        tell(&mut other, &mut node, Command::Join(&[addr("10.0.0.1:1")]));
        if i == 9 {
            tell(&mut other, &mut node, Command::Leave);
        }
    }
    // The second is found dead; nobody else has had its turn.
    while node.members().all(|m| m.state() != State::Dead) {
        let now = node.poll_timeout().expect("others are there to be probed");
        node.handle(now, Input::Timeout);
        while node.poll_event().is_some() || node.poll_transmit(&mut out).is_some() {}
    }
    node.snapshot()
}

/// All that a node has to send.
fn sent(node: &mut Node) -> Vec<Vec<u8>> {
    let (mut out, mut all) = ([0; 1_400], Vec::new());
    while let Some(tx) = node.poll_transmit(&mut out) {
        all.push(out[..tx.len].to_vec());
    }
    while node.poll_event().is_some() {}
    all
}

#[test]
fn a_later_life_asks_those_that_the_former_one_knew() {
    let snapshot = former_life(64);
    let mut s = setup();
    s.rng_seed = Some(1);
    let resumed = |s: Setup, at| s.resume(&snapshot, addr(at), Instant::from_millis(5)).unwrap();
    let (handle, mut pump) = resumed(s.clone(), "10.0.0.1:1");
    assert!(handle.view().me().incarnation().epoch() > 1_700_000_000, "the clock's, when it is ahead");
    assert_eq!(pump.node().members().len(), 1, "nobody is a member before it has answered");
    s.epoch = Some(7);
    assert_eq!(resumed(s.clone(), "10.0.0.1:1").0.view().me().incarnation().epoch(), 42, "past the former life");

    pump.command(Instant::from_millis(5));
    let mut asked: Vec<SocketAddr> = Vec::new();
    let mut out = [0; 1_400];
    while let Some(tx) = pump.poll_transmit(&mut out) {
        asked.push(tx.to);
    }
    let former = Node::restore(&snapshot).unwrap();
    let state = |at: &SocketAddr| former.members().find(|m| m.addr() == *at).unwrap().state();
    let states: Vec<State> = asked.iter().map(state).collect();
    assert_eq!(asked.len(), 6, "everybody but itself and who is dead or has left: {asked:?}");
    assert!(states.is_sorted() && states.iter().all(|state| state.is_live()), "{states:?}");

    // At another address, its own former one is nobody's.
    let (_handle, mut pump) = resumed(s, "10.0.0.99:1");
    pump.command(Instant::from_millis(5));
    while let Some(tx) = pump.poll_transmit(&mut out) {
        assert_ne!(tx.to, addr("10.0.0.1:1"));
    }
}

#[test]
fn a_snapshot_leaves_room_for_seeds_that_are_named() {
    let snapshot = former_life(64);
    for (seeds_max, asked) in [(1, 0), (6, 3), (64, 6)] {
        let mut s = setup();
        s.config.seeds_max = seeds_max;
        let (_handle, mut pump) = s.resume(&snapshot, addr("10.0.0.1:1"), Instant::ORIGIN).unwrap();
        pump.command(Instant::ORIGIN);
        let mut out = [0; 1_400];
        let sent = std::iter::from_fn(|| pump.poll_transmit(&mut out)).count();
        assert_eq!(sent, asked, "of {seeds_max}");
    }
}

#[test]
fn where_all_are_dead_the_dead_are_asked() {
    let mut node = Node::restore(&former_life(64)).unwrap();
    let mut out = [0; 1_400];
    while node.live_count() > 1 {
        let now = node.poll_timeout().expect("others are there to be probed");
        node.handle(now, Input::Timeout);
        while node.poll_event().is_some() || node.poll_transmit(&mut out).is_some() {}
    }
    let (_handle, mut pump) = setup().resume(&node.snapshot(), addr("10.0.0.1:1"), Instant::ORIGIN).unwrap();
    pump.command(Instant::ORIGIN);
    assert_eq!(std::iter::from_fn(|| pump.poll_transmit(&mut out)).count(), 7);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let e = setup().resume(b"not a snapshot", addr("10.0.0.1:1"), Instant::ORIGIN).unwrap_err();
    assert!(matches!(e, SetupError::Restore(_)) && std::error::Error::source(&e).is_some());
    assert!(e.to_string().ends_with(": start without it"), "{e}");
}
