use swim_core::Config;

use super::*;
use crate::{BindError, CommandError, Handle, Resolver, Setup, bind_blocking};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn setup() -> Setup {
    Setup::new("web-1", Config::local("c"))
}

fn advertised_by(bound: &str, setup: Setup) -> Result<SocketAddr, BindError> {
    bind_blocking(addr(bound), setup).map(|(handle, _)| handle.addr())
}

#[test]
fn the_route_to_the_first_seed_is_the_default() {
    let seed = addr("127.0.0.1:9");
    let here = advertised_by("0.0.0.0:0", setup().join([seed])).unwrap();
    assert!(here.ip().is_loopback() && here.port() != 0, "{here}");
    // What can't be reached is no route, and the next is asked.
    let here = advertised_by("0.0.0.0:0", setup().join([addr("[::1]:9"), seed])).unwrap();
    assert_eq!(here.ip(), seed.ip());
    let here = advertised_by("[::]:0", setup().join([seed])).unwrap();
    assert_eq!(here.ip().to_canonical(), seed.ip());
}

#[test]
fn what_is_set_or_bound_needs_no_route() {
    let seed = addr("127.0.0.1:9");
    let mut wanted = setup().join([seed]);
    wanted.advertise = Some(addr("192.0.2.7:4711"));
    assert_eq!(advertised_by("0.0.0.0:0", wanted).unwrap(), addr("192.0.2.7:4711"));
    assert_eq!(advertised_by("127.0.0.2:0", setup().join([seed])).unwrap().ip(), addr("127.0.0.2:0").ip());
}

#[test]
fn a_name_is_resolved_when_there_are_only_names() {
    let mut named = setup().join(["nobody.example:9".parse::<Seed>().unwrap(), "db.example:9".parse().unwrap()]);
    named.resolver = Resolver::blocking(|host, port| match host {
        "db.example" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
        _ => Err(io::ErrorKind::NotFound.into()),
    });
    assert!(advertised_by("0.0.0.0:0", named.clone()).unwrap().ip().is_loopback());
    named.seeds.truncate(1);
    let e = advertised_by("0.0.0.0:0", named).expect_err("nobody says where this is");
    assert!(matches!(e, BindError::Setup(SetupError::Unresolved { .. })), "{e}");
    assert!(e.to_string().contains("neither nobody.example:9 nor another could be resolved: set `advertise`"), "{e}");
    let e = advertised_by("0.0.0.0:0", setup()).expect_err("there is no seed");
    assert!(matches!(e, BindError::Setup(SetupError::Unspecified { .. })) && e.to_string().contains("set `advertise`"));
}

/// A seed list may begin with this machine itself, by an address that means nothing elsewhere.
#[test]
fn a_seed_elsewhere_says_more_than_one_here() {
    let (here, away) = (addr("127.0.0.1:9"), addr("192.0.2.7:9"));
    let own = source_for(away, Speaks::V4);
    let list = advertised_by("0.0.0.0:0", setup().join([here, away]));
    let mut named = setup().join(["here.example:9".parse::<Seed>().unwrap(), "away.example:9".parse().unwrap()]);
    named.resolver = Resolver::blocking(move |host, _| Ok(vec![if host == "here.example" { here } else { away }]));
    let names = advertised_by("0.0.0.0:0", named);
    match own {
        Ok(own) => assert_eq!([list.unwrap().ip(), names.unwrap().ip()], [own.ip(); 2]),
        // A machine that has no way elsewhere can't join there, and is told so; of names it finds out later.
        Err(_) => assert!(list.is_err() && names.unwrap().ip().is_loopback()),
    }
}

#[test]
fn a_socket_that_speaks_one_kind_only_asks_for_no_other() {
    let mut only = setup().join([addr("127.0.0.1:9")]);
    only.socket.only_v6 = true;
    assert!(advertised_by("[::]:0", only.clone()).is_err(), "an IPv4 address would be of no use");
    only.seeds.push(addr("[::1]:9").into());
    assert_eq!(advertised_by("[::]:0", only).unwrap().ip(), addr("[::1]:9").ip());
}

/// Who has made the socket does not matter, nor what is said of it.
#[test]
fn a_socket_from_elsewhere_says_itself_what_it_speaks() {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    socket.set_only_v6(true).unwrap();
    socket.bind(&addr("[::]:0").into()).unwrap();
    let e =
        crate::bind_on_blocking(socket.into(), setup().join([addr("127.0.0.1:9")])).expect_err("it has no way there");
    assert!(matches!(e, BindError::Setup(SetupError::Unspecified { .. })), "{e}");
}

#[test]
fn mapped_addresses_are_what_they_stand_for() {
    let mapped = addr("[::ffff:127.0.0.1]:9");
    for bound in ["0.0.0.0:0", "[::]:0"] {
        let (handle, _engine) = bind_blocking(addr(bound), setup().join([mapped])).unwrap();
        assert_eq!(
            (handle.addr().ip(), handle.view().me().addr()),
            (addr("127.0.0.1:9").ip(), handle.addr()),
            "{bound}"
        );
        assert_eq!(handle.bound(), SocketAddr::new(addr(bound).ip(), handle.addr().port()));
    }
}

#[test]
fn a_socket_that_is_bound_already_serves() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bound = socket.local_addr().unwrap();
    let (handle, mut engine) = crate::bind_on_blocking(socket, setup()).unwrap();
    assert_eq!((handle.addr(), handle.bound()), (bound, bound));
    assert!(engine.turn().is_ok(), "it does not block");
}

/// The others would probe themselves.
#[test]
fn a_loopback_address_is_no_good_to_other_machines() {
    let away = addr("192.0.2.7:7946");
    for bound in ["127.0.0.1:0", "[::1]:0"] {
        let e = advertised_by(bound, setup().join([addr("127.0.0.1:9"), away])).expect_err("nobody could answer");
        let text = e.to_string();
        assert!(text.contains("192.0.2.7:7946 is on another machine") && text.contains("set `advertise`"), "{text}");
    }
    let (handle, _engine): (Handle, _) = bind_blocking(addr("127.0.0.1:0"), setup()).unwrap();
    let refused = handle.join(&[away]).expect_err("nobody could answer");
    assert_eq!(refused, CommandError::OnlyHere(OnlyHere { advertise: handle.addr(), seed: away }));
    assert!(handle.join(&[addr("127.0.0.2:9"), addr("[::ffff:127.0.0.1]:9"), addr("0.0.0.0:9")]).is_ok());
    let mut elsewhere = setup().join([away]);
    elsewhere.advertise = Some(addr("192.0.2.1:0"));
    assert_eq!(advertised_by("127.0.0.1:0", elsewhere).unwrap().ip(), addr("192.0.2.1:0").ip());
}

/// What a name stands for is known later, and then nobody is there to be told: it is left out.
#[test]
fn names_of_other_machines_are_no_good_to_a_loopback_address_either() {
    let mut named = setup().join(["db.example:9".parse::<Seed>().unwrap(), "here.example:9".parse().unwrap()]);
    named.resolver = Resolver::new(|query| {
        let there = if query.host() == "db.example" { "192.0.2.7:9" } else { "127.0.0.1:9" };
        query.answer(Ok(vec![addr(there)]));
    });
    let (handle, mut engine) = bind_blocking(addr("127.0.0.1:0"), named).unwrap();
    while !engine.pump().mailbox().is_empty() || engine.pump().stats().resolutions < 2 {
        engine.turn().unwrap();
    }
    engine.turn().unwrap();
    let seen = handle.counters();
    assert_eq!((seen.driver.resolve_failures, seen.node.datagrams_sent, seen.driver.send_failures), (1, 1, 0));
}

/// A former life's acquaintances are hints; those that are of no use at a loopback address are left out.
#[test]
fn a_life_elsewhere_is_resumed_here() {
    let mut former = setup();
    former.epoch = Some(1);
    let now = swim_core::Instant::ORIGIN;
    let (other, mut pump) = former.start(addr("10.0.0.1:7946"), now).unwrap();
    other.join(&[addr("10.0.0.2:7946")]).unwrap();
    pump.command(now);
    let mut peer = Setup::new("web-2", Config::local("c"));
    peer.epoch = Some(1);
    let (second, mut greeter) = peer.start(addr("10.0.0.2:7946"), now).unwrap();
    second.join(&[addr("10.0.0.1:7946")]).unwrap();
    greeter.command(now);
    while pump.poll_transmit(&mut vec![0; 1_400]).is_some() {}
    // It is let in when it has shown where it is.
    for _ in 0..2 {
        let mut out = vec![0; greeter.datagram_max()];
        let len = greeter.poll_transmit(&mut out).unwrap().len;
        while greeter.poll_transmit(&mut vec![0; 1_400]).is_some() {}
        pump.datagram(now, addr("10.0.0.2:7946"), &mut out[..len]);
        let len = pump.poll_transmit(&mut out).unwrap().len;
        while pump.poll_transmit(&mut vec![0; 1_400]).is_some() {}
        greeter.datagram(now, addr("10.0.0.1:7946"), &mut out[..len]);
    }
    assert_eq!(pump.node().live_count(), 2);
    while pump.poll_transmit(&mut vec![0; 1_400]).is_some() {}
    let snapshot = pump.node().snapshot();
    let (here, resumed) = setup().resume(&snapshot, addr("127.0.0.1:7946"), now).expect("it starts all the same");
    assert!(resumed.mailbox().is_empty() && here.addr() == addr("127.0.0.1:7946"));
    let (_, elsewhere) = setup().resume(&snapshot, addr("10.0.0.1:7946"), now).unwrap();
    assert!(!elsewhere.mailbox().is_empty());
}

#[test]
fn seeds_of_the_setup_are_the_first_command() {
    let (_handle, engine) = bind_blocking(addr("127.0.0.1:0"), setup().join([addr("127.0.0.1:9")])).unwrap();
    assert!(!engine.pump().mailbox().is_empty());
    let most = setup().config.seeds_max as u16;
    let many = setup().join((1..=most + 1).map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
    let e = advertised_by("127.0.0.1:0", many).expect_err("so many are not kept");
    assert!(e.to_string().contains("seeds are named, and at most"), "{e}");
}
