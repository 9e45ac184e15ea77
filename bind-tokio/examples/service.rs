//! A service on tokio that knows its peers: it says who comes and goes, answers requests with what it knows, and leaves
//! when it is told to stop, so that nobody takes it for dead.
//!
//! `cargo run -p bind-tokio --example service -- a 127.0.0.1:7946`, then in another terminal
//! `cargo run -p bind-tokio --example service -- b 127.0.0.1:0 127.0.0.1:7946`; `nc` to the port that it prints; Ctrl-C.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use bind_tokio::swim_core::{Config, Event, State};
use bind_tokio::swim_driver::MemberView;
use bind_tokio::{Handle, Seed, Setup, bind};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

/// Runs until `stop` is ready, then leaves. `started` is given the node and the address of the service.
pub(crate) async fn serve(
    (name, addr, seeds): (String, SocketAddr, Vec<Seed>),
    started: impl FnOnce(&Handle, SocketAddr),
    stop: impl Future,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await?;
    // On which port this service is to be found, others want to know of it; at which address, the node says.
    let service = listener.local_addr()?;
    let mut setup = Setup::new(name, Config::lan("services")).join(seeds);
    setup.meta = service.port().to_string().into_bytes();
    let (node, driver) = bind(addr, setup).await?;
    let mut events = node.events();
    let driver = tokio::spawn(driver);
    started(&node, service);

    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            event = events.recv_async() => match event {
                Ok(Event::MemberUp { id, .. }) => {
                    if let Some(row) = node.view().member(id) {
                        println!("{}", told_of(row));
                    }
                }
                Ok(Event::MemberDown { id, left, .. }) => {
                    println!("{id} {}", if left { "has left" } else { "is dead" });
                }
                // Who is slow misses some; the view is always right.
                Ok(Event::Lagged { .. }) => peers(&node).iter().for_each(|peer| println!("{peer}")),
                Ok(_) => {}
                // The driver has ended; it says why below.
                Err(_) => break,
            },
            client = listener.accept() => {
                // Who hangs up at once, or finds too many files open, is no reason to end.
                let Ok((mut client, _)) = client else { continue };
                let answer = peers(&node).join("\n");
                tokio::spawn(async move { client.write_all(answer.as_bytes()).await });
            }
        }
    }
    // Closed is what it is to be.
    let _ = node.leave();
    // Ends when the goodbye is handed out.
    Ok(driver.await??)
}

/// The services that are up, this one first.
fn peers(node: &Handle) -> Vec<String> {
    let view = node.view();
    let mut rows: Vec<_> = view.members().filter(|row| row.state() == State::Alive).collect();
    rows.sort_by_key(|row| (row.id() != node.id(), row.name().to_owned()));
    rows.into_iter().map(told_of).collect()
}

/// A member's name, and where its service is.
fn told_of(row: &MemberView) -> String {
    format!("{} {}:{}", row.name(), row.addr().ip(), String::from_utf8_lossy(row.meta()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(addr)) = (args.next(), args.next()) else {
        return Err("usage: service NAME ADDR [SEED]..., as in: service a 127.0.0.1:7946".into());
    };
    let seeds = args.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    let started = |node: &Handle, service| println!("node at {}, service at {service}", node.addr());
    serve((name, addr.parse()?, seeds), started, tokio::signal::ctrl_c()).await
}
