//! A program with a mio loop of its own, a TCP server here, that takes the node in as a guest: one thread, one poll, no
//! runtime. Whoever connects is told who is there.
//!
//! `cargo run -p bind-mio --example guest -- a 127.0.0.1:7946`, then in another terminal
//! `cargo run -p bind-mio --example guest -- b 127.0.0.1:0 127.0.0.1:7946`; `nc` to the port that it prints.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bind_mio::swim_core::Config;
use bind_mio::swim_driver::MemberView;
use bind_mio::{Driver, Handle, Seed, Setup, Turn, bind};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

const SERVER: Token = Token(0);
const NODE: Token = Token(1);
const WAKE: Token = Token(2);

/// The embedder's program: a listener, and what it is asked for.
pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    node: Handle,
    driver: Driver,
}

impl Server {
    /// Listens, binds the node, and puts both into one poll.
    pub(crate) fn start(name: &str, addr: SocketAddr, seeds: Vec<Seed>) -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::new(addr.ip(), 0))?;
        poll.registry().register(&mut listener, SERVER, Interest::READABLE)?;
        // On which port this service is to be found, others want to know of it; at which address, the node says.
        let mut setup = Setup::new(name, Config::lan("guests")).join(seeds);
        setup.meta = listener.local_addr()?.port().to_string().into_bytes();
        let (node, mut driver) = bind(addr, setup)?;
        driver.register(poll.registry(), NODE, Arc::new(Waker::new(poll.registry(), WAKE)?))?;
        Ok(Self { poll, listener, node, driver })
    }

    /// The embedder's end of the node.
    pub(crate) fn node(&self) -> &Handle {
        &self.node
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The loop: ends when the node has left.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        // The node's turn comes after every poll, whatever that has returned for.
        while let Turn::Wait(timeout) = self.driver.turn()? {
            match self.poll.poll(&mut events, timeout) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if events.iter().any(|event| event.token() == SERVER) {
                self.serve();
            }
        }
        Ok(())
    }

    fn serve(&self) {
        loop {
            let mut client = match self.listener.accept() {
                Ok((client, _)) => client,
                // Who has hung up already is no reason to let the next one wait.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => return,
            };
            let view = self.node.view();
            let told = |row: &MemberView| {
                let port = String::from_utf8_lossy(row.meta()).into_owned();
                format!("{} {:?} {}:{port}\n", row.name(), row.state(), row.addr().ip())
            };
            let answer: String = view.members().map(told).collect();
            // A few lines fit into the buffer of a new connection; who does not read them has hung up.
            let _ = client.write_all(answer.as_bytes());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(addr)) = (args.next(), args.next()) else {
        return Err("usage: guest NAME ADDR [SEED]..., as in: guest a 127.0.0.1:7946".into());
    };
    let seeds = args.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    let server = Server::start(&name, addr.parse()?, seeds)?;
    println!("{name}: node at {}, service at {}", server.node().addr(), server.addr()?);
    Ok(server.run()?)
}
