//! Seeds by name, over the loopback interface. Everything is awaited; the time-outs only bound a failure.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bind_mio::swim_core::{Config, Event};
use bind_mio::{Handle, Resolver, Seed, Setup, bind};

const LONG: Duration = Duration::from_secs(60);

fn spawned(name: &str, resolver: Resolver) -> (Handle, JoinHandle<io::Result<()>>) {
    let mut setup = Setup::new(name, Config::local("test"));
    setup.resolver = resolver;
    let (handle, driver) = bind("127.0.0.1:0".parse().unwrap(), setup).expect("a loopback socket");
    (handle, thread::spawn(move || driver.run()))
}

fn await_live(handle: &Handle, live: usize) {
    let mut view = handle.view();
    while view.live_count() != live {
        view = handle.wait_changed(view.version(), LONG).expect("the view becomes what is wanted");
    }
}

fn named(host: &str, addr: SocketAddr) -> Seed {
    format!("{host}:{}", addr.port()).parse().unwrap()
}

/// A resolver that blocks until the test ends, and tells when it begins to.
fn hanging() -> (Resolver, Receiver<()>, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let ended = std::sync::Mutex::new(ended);
    let resolver = Resolver::blocking(move |_, _| {
        tell.send(()).expect("the test waits for it");
        let _ = ended.lock().unwrap().recv();
        Err(io::ErrorKind::TimedOut.into())
    });
    (resolver, told, end)
}

#[test]
fn a_node_is_joined_by_its_hosts_name() {
    let (a, thread_a) = spawned("a", Resolver::system());
    let (b, thread_b) = spawned("b", Resolver::system());
    let mut events = b.events();
    b.join(&[named("localhost", a.addr())]).unwrap();
    await_live(&a, 2);
    await_live(&b, 2);
    while !matches!(events.recv_timeout(LONG).expect("it has joined"), Event::Joined { members: 2 }) {}
    drop((a, b));
    thread_a.join().unwrap().unwrap();
    thread_b.join().unwrap().unwrap();
}

/// While a name server says nothing, who is known by address is joined, and the node can leave or be dropped.
#[test]
fn a_resolver_that_hangs_holds_up_neither_join_nor_end() {
    let (a, thread_a) = spawned("a", Resolver::system());
    for drops in [true, false] {
        let (resolver, told, end) = hanging();
        let (b, thread_b) = spawned("b", resolver);
        b.join(&[named("hangs.example", a.addr()), a.addr().into()]).unwrap();
        told.recv_timeout(LONG).expect("it is asked for");
        await_live(&b, 2);
        if drops {
            drop(b);
        } else {
            b.leave().unwrap();
        }
        thread_b.join().unwrap().unwrap();
        assert!(told.try_recv().is_err(), "it was asked once, and still hangs");
        await_live(&a, 1);
        drop(end);
    }
    drop(a);
    thread_a.join().unwrap().unwrap();
}

/// One name server that says nothing keeps nobody from a name that another one knows.
#[test]
fn a_name_that_hangs_does_not_hold_up_another() {
    let (a, thread_a) = spawned("a", Resolver::system());
    let (end, ended) = mpsc::channel::<()>();
    let (addr, ended) = (a.addr(), std::sync::Mutex::new(ended));
    let resolver = Resolver::blocking(move |host, _| {
        if host == "hangs.example" {
            let _ = ended.lock().unwrap().recv();
        }
        Ok(vec![addr])
    });
    let (b, thread_b) = spawned("b", resolver);
    b.join(&[named("hangs.example", addr), named("known.example", addr)]).unwrap();
    await_live(&a, 2);
    await_live(&b, 2);
    drop((a, b));
    thread_a.join().unwrap().unwrap();
    thread_b.join().unwrap().unwrap();
    drop(end);
}

/// B4: the driver is woken by the answer, however late it comes; nothing else is due so soon.
#[test]
fn b4_a_late_answer_wakes_the_driver() {
    let (a, thread_a) = spawned("a", Resolver::system());
    let (tell, queries) = mpsc::channel();
    let (b, thread_b) = spawned("b", Resolver::new(move |query| tell.send(query).expect("the test waits for it")));
    b.join(&[named("late.example", a.addr())]).unwrap();
    let query = queries.recv_timeout(LONG).expect("it is asked for");
    assert_eq!((query.host(), query.port()), ("late.example", a.addr().port()));
    query.answer(Ok(vec![a.addr()]));
    await_live(&a, 2);
    await_live(&b, 2);
    drop((a, b));
    thread_a.join().unwrap().unwrap();
    thread_b.join().unwrap().unwrap();
}
