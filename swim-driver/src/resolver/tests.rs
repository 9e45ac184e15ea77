use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn query(host: &str, speaks: Speaks, mailbox: &SharedArc<Mailbox>) -> Query {
    Query::new((3, Name { host: host.into(), port: 7 }), speaks, SharedArc::clone(mailbox))
}

/// Asks for this name, and waits until the mailbox is woken for the answer.
fn asked(resolver: &Resolver, host: &str) -> Vec<SocketAddr> {
    asked_for(resolver, host, Speaks::Both)
}

fn asked_for(resolver: &Resolver, host: &str, speaks: Speaks) -> Vec<SocketAddr> {
    let mailbox = SharedArc::new(Mailbox::new());
    let (wake, woken) = mpsc::channel();
    mailbox.set_waker(Arc::new(move || wake.send(()).unwrap_or_default()));
    resolver.ask(query(host, speaks, &mailbox));
    woken.recv_timeout(LONG).expect("every query is answered");
    assert!(!mailbox.is_empty());
    let answer = mailbox.take_answer().expect("that is what it was woken for");
    assert!(mailbox.is_empty() && mailbox.take_answer().is_none());
    assert_eq!(answer.at, 3, "it is the answer for that name");
    answer.addrs.into()
}

#[test]
fn the_system_knows_this_machine() {
    let addrs = asked(&Resolver::default(), "localhost");
    assert!(!addrs.is_empty() && addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 7), "{addrs:?}");
}

#[test]
fn every_way_to_fail_is_an_answer() {
    let refuses = Resolver::blocking(|_, _| Err(io::ErrorKind::NotFound.into()));
    assert_eq!(asked(&refuses, "x"), []);
    assert_eq!(asked(&Resolver::new(drop), "x"), [], "nobody has answered");
    let panics = Resolver::blocking(|host, _| match host {
        "x" => panic!("on purpose"),
        _ => Ok(Vec::new()),
    });
    assert_eq!(asked(&panics, "x"), []);
}

#[test]
fn what_may_block_does_so_on_a_thread_of_its_own() {
    let here = thread::current().id();
    let resolver = Resolver::blocking(move |host, port| {
        assert_eq!((thread::current().id() == here, host), (false, "many"));
        Ok((1..1_000).map(|n| (Ipv4Addr::from_bits(n), port).into()).collect())
    });
    let addrs = asked(&resolver, "many");
    assert_eq!((addrs.len(), addrs[63]), (Query::ADDRS_MAX, "0.0.0.64:7".parse().unwrap()), "the first ones");
}

#[test]
fn what_cannot_be_sent_to_takes_nobodys_place() {
    let v6 = |n: u128| SocketAddr::from((Ipv6Addr::from_bits(1 << 120 | n), 7));
    let resolver = Resolver::new(move |query| {
        let useless =
            [(Ipv4Addr::UNSPECIFIED, 7).into(), (Ipv6Addr::UNSPECIFIED, 7).into(), "10.0.0.2:0".parse().unwrap()];
        let mapped = "[::ffff:10.0.0.1]:7".parse().unwrap();
        query.answer(Ok(useless.into_iter().chain((0..100).map(v6)).chain([mapped]).collect()));
    });
    assert_eq!(
        asked_for(&resolver, "x", Speaks::V4),
        ["10.0.0.1:7".parse().unwrap()],
        "a socket that speaks IPv4 only"
    );
    let dual = asked_for(&resolver, "x", Speaks::Both);
    assert_eq!((dual.len(), dual[0], dual[63]), (Query::ADDRS_MAX, v6(0), v6(63)));
}

#[test]
fn who_has_closed_is_not_told() {
    let mailbox = SharedArc::new(Mailbox::new());
    let late = query("x", Speaks::Both, &mailbox);
    mailbox.close();
    late.answer(Ok(vec![(Ipv4Addr::LOCALHOST, 7).into()]));
    assert!(mailbox.is_empty() && mailbox.take_answer().is_none());

    let mailbox = SharedArc::new(Mailbox::new());
    drop(query("x", Speaks::Both, &mailbox));
    mailbox.close();
    assert!(mailbox.is_empty(), "nor is an answer kept that came just before");
    assert_eq!(mailbox.undelivered(), 0, "and it is no command that was cut off");
}
