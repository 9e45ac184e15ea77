//! A service on tokio that knows its peers: it says who comes and goes, answers requests with what it knows, and leaves
//! when it is told to stop, so that nobody takes it for dead.
//!
//! `cargo run -p bind-tokio --example service -- a 127.0.0.1:7946`, then in another terminal
//! `cargo run -p bind-tokio --example service -- b 127.0.0.1:0 127.0.0.1:7946`; `nc` to the port that it prints; Ctrl-C.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use bind_tokio::swim_core::{Config, Event, State};
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
    // Where this service is to be found is what others want to know of it.
    let mut setup = Setup::new(name, Config::lan("services")).join(seeds);
    setup.meta = listener.local_addr()?.to_string().into_bytes();
    let (node, driver) = bind(addr, setup).await?;
    let mut events = node.events();
    let driver = tokio::spawn(driver);
    started(&node, listener.local_addr()?);

    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            event = events.recv_async() => match event? {
                Event::MemberUp { id, .. } => {
                    if let Some(row) = node.view().member(id) {
                        println!("{} is there, at {}", row.name(), String::from_utf8_lossy(row.meta()));
                    }
                }
                Event::MemberDown { id, left, .. } => {
                    println!("{id} {}", if left { "has left" } else { "is dead" });
                }
                _ => {}
            },
            client = listener.accept() => {
                let (mut client, _) = client?;
                let answer = peers(&node).join("\n");
                tokio::spawn(async move { client.write_all(answer.as_bytes()).await });
            }
        }
    }
    node.leave()?;
    // Ends when the goodbye is handed out.
    Ok(driver.await??)
}

/// The services that are up, this one first.
fn peers(node: &Handle) -> Vec<String> {
    let view = node.view();
    let mut rows: Vec<_> = view.members().filter(|row| row.state() == State::Alive).collect();
    rows.sort_by_key(|row| (row.id() != node.id(), row.name().to_owned()));
    rows.iter().map(|row| format!("{} {}", row.name(), String::from_utf8_lossy(row.meta()))).collect()
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
