//! What is tokio's own; all else is in `conformance.rs`, which plays the suite on this binding.

use std::future::ready;
use std::net::SocketAddr;
use std::time::Duration;

use bind_tokio::swim_core::{Config, Event, Profile, State};
use bind_tokio::swim_driver::Events;
use bind_tokio::{Driver, Handle, Setup, bind};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

fn setup(name: &str) -> Setup {
    Setup::new(name, Config::local("test"))
}

async fn spawned(addr: &str, setup: Setup) -> (Handle, JoinHandle<std::io::Result<()>>) {
    let (handle, driver) = bind(addr.parse().unwrap(), setup).await.unwrap();
    (handle, tokio::spawn(driver))
}

async fn sees_two(handle: &Handle) {
    let two = handle.view_when(|view| view.live_count() == 2);
    assert!(timeout(LONG, two).await.expect("they find each other").is_some());
}

#[test]
fn what_an_embedder_spawns_and_shares() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    fn spawnable<T: Future<Output = std::io::Result<()>> + Send + Unpin + 'static>() {}
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

#[tokio::test]
async fn over_ipv6_and_both_at_once() {
    for (a_at, b_at) in [("[::1]:0", "[::1]:0"), ("127.0.0.1:0", "[::]:0")] {
        let (a, task_a) = spawned(a_at, setup("a")).await;
        let (b, task_b) = spawned(b_at, setup("b").join([a.addr()])).await;
        sees_two(&a).await;
        sees_two(&b).await;
        assert_eq!(a.view().member(b.id()).unwrap().addr(), b.addr());
        drop((a, b));
        task_a.await.unwrap().unwrap();
        task_b.await.unwrap().unwrap();
    }
}

/// Waits that lose nearly every race: nothing is lost by it, and nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_loses_nothing() {
    let (a, task_a) = spawned("127.0.0.1:0", setup("a")).await;
    let mut patient = a.events();
    let raced = tokio::spawn({
        let (mut events, mut all, mut given_up) = (a.events(), Vec::new(), 0_u64);
        async move {
            loop {
                tokio::select! {
                    biased;
                    event = events.recv_async() => match event {
                        Ok(event) => all.push(event),
                        Err(_) => return (all, given_up),
                    },
                    () = tokio::task::yield_now() => given_up += 1,
                }
            }
        }
    });
    let watched = tokio::spawn({
        let a = a.clone();
        async move {
            let (mut seen, mut given_up) = (a.view().version(), 0_u64);
            loop {
                tokio::select! {
                    biased;
                    changed = a.changed(seen) => match changed {
                        Some(view) => seen = view.version(),
                        None => return (seen, given_up),
                    },
                    () = tokio::task::yield_now() => given_up += 1,
                }
            }
        }
    });
    let (b, task_b) = spawned("127.0.0.1:0", setup("b").join([a.addr()])).await;
    sees_two(&a).await;
    for n in 0..4_u8 {
        b.set_profile(Profile::new("b", &[n]).unwrap()).unwrap();
        let told = a.view_when(|view| view.member(b.id()).is_some_and(|row| row.meta() == [n]));
        timeout(LONG, told).await.expect("it is told").expect("it runs");
    }
    let id = b.id();
    b.leave().unwrap();
    timeout(LONG, b.closed()).await.expect("it leaves");
    let left = a.view_when(|view| view.member(id).is_some_and(|row| row.state() == State::Left));
    timeout(LONG, left).await.expect("it is told").expect("it runs");
    a.leave().unwrap();
    task_a.await.unwrap().unwrap();
    task_b.await.unwrap().unwrap();

    let (raced, given_up) = timeout(LONG, raced).await.expect("the events end").unwrap();
    let mut all = Vec::new();
    while let Ok(event) = patient.recv_async().await {
        all.push(event);
    }
    assert!(given_up > 20, "given up {given_up} times");
    assert_eq!(raced, all);
    assert!(all.iter().any(|e| matches!(e, Event::MemberDown { id: down, left: true, .. } if *down == id)), "{all:?}");
    let (seen, given_up) = timeout(LONG, watched).await.expect("the views end").unwrap();
    assert!(given_up > 20, "given up {given_up} times");
    assert_eq!(seen, a.view().version(), "the last one was seen");
}

/// It would never be told that there is something to read.
#[tokio::test]
async fn a_driver_whose_runtime_is_gone_ends() {
    let other = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(bind("127.0.0.1:0".parse().unwrap(), setup("a"))).unwrap()
    });
    let (a, driver) = other.join().unwrap();
    // What watched its socket went with that runtime.
    assert!(timeout(LONG, driver).await.expect("it does not go on in the dark").is_err());
    assert!(a.is_closed());
}

#[tokio::test]
async fn a_bind_that_is_given_up_leaves_nothing_behind() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let any = SocketAddr::from(([0, 0, 0, 0], port));
    let mut waiting = setup("a").join(["nobody.example:1".parse::<bind_tokio::Seed>().unwrap()]);
    // Keeps its queries, so the bind waits for ever.
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    waiting.resolver = bind_tokio::Resolver::new({
        let kept = std::sync::Arc::clone(&kept);
        move |query| kept.lock().unwrap().push(query)
    });
    tokio::select! {
        biased;
        _ = bind(any, waiting) => panic!("nobody has answered"),
        () = ready(()) => {}
    }
    assert_eq!(kept.lock().unwrap().len(), 1);
    drop(std::net::UdpSocket::bind(any).expect("the port is free again"));
    kept.lock().unwrap().clear();
}

/// A driver that is dropped is a node that was killed: its handles say so, and its port is free.
#[tokio::test]
async fn an_aborted_task_is_a_killed_node() {
    let (a, task) = spawned("127.0.0.1:0", setup("a")).await;
    let mut events = a.events();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(a.is_closed() && a.leave().is_err() && a.changed(a.view().version()).await.is_none());
    while let Ok(event) = events.recv_async().await {
        assert_ne!(event, Event::Left);
    }
    let (again, task) = spawned(&a.addr().to_string(), setup("a")).await;
    again.leave().unwrap();
    task.await.unwrap().unwrap();
}

/// Whoever polls so often within one turn of its own is held back by tokio, and woken.
#[tokio::test]
async fn a_driver_that_is_polled_for_nothing_does_nothing() {
    conformance::polled_for_nothing(bind, tokio::task::yield_now).await;
}
