//! A worker on smol: every job is for one of the workers that are up, and each works out by itself which are its own. When
//! a worker comes or goes, only its jobs change hands (rendezvous hashing).
//!
//! Who is up is a hint, never authority: for a moment two workers may both take a job, or none. Jobs have to bear that.
//!
//! `cargo run -p bind-async-std --example worker -- a 127.0.0.1:7946`, then in another terminal
//! `cargo run -p bind-async-std --example worker -- b 127.0.0.1:0 127.0.0.1:7946`.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;

use bind_async_std::swim_core::{Config, NodeId};
use bind_async_std::swim_driver::View;
use bind_async_std::{Driver, Handle, Seed, Setup, bind};

/// So many in all.
pub(crate) const JOBS: u64 = 100;

/// A worker's node.
pub(crate) async fn start(name: &str, addr: SocketAddr, seeds: Vec<Seed>) -> Result<(Handle, Driver), Box<dyn Error>> {
    Ok(bind(addr, Setup::new(name, Config::lan("workers")).join(seeds)).await?)
}

/// The jobs of this worker, as far as it knows who else is there.
pub(crate) fn mine(view: &View) -> BTreeSet<u64> {
    // The suspect keep theirs: most of them are only slow.
    let up: Vec<NodeId> = view.members().filter(|row| row.state().is_live()).map(|row| row.id()).collect();
    let me = view.me().id();
    (0..JOBS).filter(|&job| up.iter().max_by_key(|&&id| weight(id, job)) == Some(&me)).collect()
}

/// How much this worker is the one for this job: the same everywhere, and as good as random.
fn weight(id: NodeId, job: u64) -> (u64, NodeId) {
    let mut z = id.to_string().bytes().fold(job, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31), id)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(addr)) = (args.next(), args.next()) else {
        return Err("usage: worker NAME ADDR [SEED]..., as in: worker a 127.0.0.1:7946".into());
    };
    let seeds = args.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    smol::block_on(async {
        let (node, driver) = start(&name, addr.parse()?, seeds).await?;
        println!("node at {}; a line on standard input ends it", node.addr());
        // Whatever tells a program to stop: it says goodbye, so that its jobs change hands at once.
        let stop = node.clone();
        let line = smol::unblock(move || std::io::stdin().read_line(&mut String::new()));
        smol::spawn(async move {
            let _ = line.await;
            stop.leave()
        })
        .detach();
        let driver = smol::spawn(driver);
        let mut view = Some(node.view());
        while let Some(now) = view {
            println!("{} workers are up, {} of {JOBS} jobs are for {name}", now.live_count(), mine(&now).len());
            view = node.changed(now.version()).await;
        }
        Ok(driver.await?)
    })
}
