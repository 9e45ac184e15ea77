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
            "the socket is bound to 0.0.0.0:7946, which is no address that others could send to: set",
        ),
        (|_| {}, "[::]:7946", "the socket is bound to [::]:7946, which is no address that others could send to: set"),
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
