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
    assert!(matches!(e, BindError::Setup(SetupError::Unspecified { .. })), "{e}");
    assert!(e.to_string().contains("set `advertise`"), "{e}");
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

#[test]
fn seeds_of_the_setup_are_the_first_command() {
    let (_handle, engine) = bind_blocking(addr("127.0.0.1:0"), setup().join([addr("127.0.0.1:9")])).unwrap();
    assert!(!engine.pump().mailbox().is_empty());
    let most = setup().config.seeds_max as u16;
    let many = setup().join((1..=most + 1).map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
    let e = advertised_by("127.0.0.1:0", many).expect_err("so many are not kept");
    assert!(e.to_string().contains("seeds are named, and at most"), "{e}");
}
