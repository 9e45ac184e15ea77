//! The example does what it says.

// As a program it has a `main`, which nobody calls here.
#[expect(dead_code)]
#[path = "../examples/guest.rs"]
mod guest;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

#[test]
fn the_guests_find_each_other_and_answer_for_it() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let a = guest::Server::start("a", any, Vec::new()).unwrap();
    let b = guest::Server::start("b", any, vec![a.node().addr().into()]).unwrap();
    let (node_a, node_b, addr) = (a.node().clone(), b.node().clone(), b.addr().unwrap());
    let threads = [a, b].map(|server| thread::spawn(move || server.run()));
    let mut view = node_b.view();
    while view.live_count() < 2 {
        view = node_b.wait_changed(view.version(), Duration::from_secs(20)).expect("they find each other");
    }
    let mut told = String::new();
    TcpStream::connect(addr).unwrap().read_to_string(&mut told).unwrap();
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    assert!(lines.len() == 2 && lines[0].starts_with("a Alive 127.0.0.1:"), "{told}");
    assert_eq!(lines[1], format!("b Alive {addr}"));
    node_a.leave().unwrap();
    node_b.leave().unwrap();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}
