//! What is this binding's own; all else is in `conformance.rs`, which plays the suite on both runtimes.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bind_async_std::swim_core::{Config, Event, Profile};
use bind_async_std::swim_driver::Events;
use bind_async_std::{Driver, Handle, Setup, bind};
use smol::future::FutureExt as _;

const LONG: Duration = Duration::from_secs(20);

fn setup(name: &str) -> Setup {
    Setup::new(name, Config::local("test"))
}

async fn bound(addr: &str, setup: Setup) -> (Handle, Driver) {
    bind(addr.parse().unwrap(), setup).await.unwrap()
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    let late = async {
        smol::Timer::after(LONG).await;
        panic!("not within {LONG:?}");
    };
    what.or(late).await
}

async fn sees(handle: &Handle, live: usize) {
    assert!(within(handle.view_when(|view| view.live_count() == live)).await.is_some());
}

#[test]
fn what_an_embedder_spawns_and_shares() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    fn spawnable<T: Future<Output = io::Result<()>> + Send + Unpin + 'static>() {}
    fn is_send<T: Send>(_: T) {}
    everywhere::<Handle>();
    spawnable::<Driver>();
    // The futures of all async methods.
    is_send(bind(SocketAddr::from(([127, 0, 0, 1], 0)), setup("a")));
    let _ = |handle: &Handle| {
        is_send(handle.changed(0));
        is_send(handle.view_when(|_| true));
        is_send(handle.closed());
    };
    let _ = |events: &mut Events| is_send(events.recv_async());
}

/// One cluster, whose nodes run on different executors, over IPv6.
#[test]
fn smol_async_std_and_a_thread_that_only_polls() {
    let (a, driver_a) = smol::block_on(bound("[::1]:0", setup("a")));
    let (b, driver_b) = async_std::task::block_on(bound("[::1]:0", setup("b").join([a.addr()])));
    let (c, driver_c) = async_io::block_on(bound("[::]:0", setup("c").join([a.addr()])));
    let (task_a, task_b) = (smol::spawn(driver_a), async_std::task::spawn(driver_b));
    let thread_c = std::thread::spawn(move || async_io::block_on(driver_c));
    smol::block_on(async {
        for node in [&a, &b, &c] {
            sees(node, 3).await;
        }
        drop((a, b, c));
        within(task_a).await.unwrap();
        within(task_b).await.unwrap();
    });
    thread_c.join().unwrap().unwrap();
}

/// A socket that is bound to all addresses speaks to both kinds.
#[test]
fn ipv4_and_ipv6_at_once() {
    smol::block_on(async {
        let (a, driver_a) = bound("127.0.0.1:0", setup("a")).await;
        let (b, driver_b) = bound("[::]:0", setup("b").join([a.addr()])).await;
        let tasks = [driver_a, driver_b].map(smol::spawn);
        sees(&a, 2).await;
        sees(&b, 2).await;
        assert_eq!(a.view().member(b.id()).unwrap().addr(), b.addr());
        drop((a, b));
        for task in tasks {
            within(task).await.unwrap();
        }
    });
}

/// Waits that lose nearly every race: nothing is lost by it, and nothing comes twice.
#[test]
fn what_is_given_up_loses_nothing() {
    smol::block_on(async {
        let (a, driver) = bound("127.0.0.1:0", setup("a")).await;
        let (mut events, mut patient) = (a.events(), a.events());
        let task_a = smol::spawn(driver);
        let raced = smol::spawn(async move {
            let (mut all, mut given_up) = (Vec::new(), 0_u64);
            loop {
                match async { Some(events.recv_async().await) }.or(yields()).await {
                    Some(Ok(event)) => all.push(event),
                    Some(Err(_)) => return (all, given_up),
                    None => given_up += 1,
                }
            }
        });
        let handle = a.clone();
        let watched = smol::spawn(async move {
            let (mut seen, mut given_up) = (handle.view().version(), 0_u64);
            loop {
                match async { Some(handle.changed(seen).await) }.or(yields()).await {
                    Some(Some(view)) => seen = view.version(),
                    Some(None) => return (seen, given_up),
                    None => given_up += 1,
                }
            }
        });
        let (b, driver) = bound("127.0.0.1:0", setup("b").join([a.addr()])).await;
        let task_b = smol::spawn(driver);
        sees(&a, 2).await;
        for n in 0..4_u8 {
            b.set_profile(Profile::new("b", &[n]).unwrap()).unwrap();
            let told = a.view_when(|view| view.member(b.id()).is_some_and(|row| row.meta() == [n]));
            within(told).await.expect("it runs");
        }
        let id = b.id();
        b.leave().unwrap();
        within(b.closed()).await;
        within(a.view_when(|view| view.live_count() == 1)).await.expect("it runs");
        a.leave().unwrap();
        within(task_a).await.unwrap();
        within(task_b).await.unwrap();

        let (raced, given_up) = within(raced).await;
        let mut all = Vec::new();
        while let Ok(event) = patient.recv_async().await {
            all.push(event);
        }
        assert!(given_up > 20, "given up {given_up} times");
        assert_eq!(raced, all);
        let left = |e: &Event| matches!(e, Event::MemberDown { id: down, left: true, .. } if *down == id);
        assert!(all.iter().any(left), "{all:?}");
        let (seen, given_up) = within(watched).await;
        assert!(given_up > 20, "given up {given_up} times");
        assert_eq!(seen, a.view().version(), "the last one was seen");
    });
}

/// Nothing, after others had their turn.
async fn yields<T>() -> Option<T> {
    smol::future::yield_now().await;
    None
}

#[test]
fn a_bind_that_is_given_up_leaves_nothing_behind() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let any = SocketAddr::from(([0, 0, 0, 0], port));
    let mut waiting = setup("a").join(["nobody.example:1".parse::<bind_async_std::Seed>().unwrap()]);
    // Keeps its queries, so the bind waits for ever.
    let (keep, kept) = std::sync::mpsc::channel();
    waiting.resolver = bind_async_std::Resolver::new(move |query| keep.send(query).unwrap());
    smol::block_on(async {
        let mut binding = Box::pin(bind(any, waiting));
        assert!(poll_fn(|cx| Poll::Ready(pin!(&mut binding).poll(cx).is_pending())).await);
        assert!(std::net::UdpSocket::bind(any).is_err(), "it has its port already");
    });
    drop(std::net::UdpSocket::bind(any).expect("the port is free again"));
    assert!(kept.try_recv().is_ok());
}

/// A driver that is dropped is a node that was killed: its handles say so, and its port is free.
#[test]
fn a_cancelled_task_is_a_killed_node() {
    smol::block_on(async {
        let (a, driver) = bound("127.0.0.1:0", setup("a")).await;
        let mut events = a.events();
        assert!(smol::spawn(driver).cancel().await.is_none());
        assert!(a.is_closed() && a.leave().is_err() && a.changed(a.view().version()).await.is_none());
        while let Ok(event) = events.recv_async().await {
            assert_ne!(event, Event::Left);
        }
        let (again, driver) = bound(&a.addr().to_string(), setup("a")).await;
        again.leave().unwrap();
        within(driver).await.unwrap();
    });
}

#[test]
fn a_driver_that_is_polled_for_nothing_does_nothing() {
    smol::block_on(conformance::polled_for_nothing(bind, smol::future::yield_now));
}
