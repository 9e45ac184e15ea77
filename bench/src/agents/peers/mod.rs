//! Nodes of other implementations, as small as their crates let one be: what is around the crate is ours.
//!
//! Each is one UDP socket (memberlist: a TCP listener, too) on a runtime of tokio with one thread, in the configuration
//! that its crate has for a local network: with a period of one second as ours, but for memberlist, which has half a
//! second.

pub(crate) mod chitchat;
pub(crate) mod foca;
pub(crate) mod memberlist;
pub(crate) mod swim;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::child;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Our own node, packed as the others are: on tokio, in this program.
    Swim,
    Foca,
    /// The same without its periodic gossip and announcements: what is then left is probes, as with ours.
    FocaQuiet,
    Memberlist,
    Chitchat,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swim => "bind-tokio",
            Self::Foca => "foca 2.0",
            Self::FocaQuiet => "foca 2.0, nothing periodic but probes",
            Self::Memberlist => "memberlist 0.8 (its period: 500 ms)",
            Self::Chitchat => "chitchat 0.13",
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    peer: Peer,
    /// Where it listens.
    bind: SocketAddr,
    /// How many members there will be, itself included.
    members: usize,
    /// Through whom it joins.
    #[arg(long)]
    seed: Option<SocketAddr>,
}

/// What a node prints when others can join through it.
const LISTENING: &str = "listening";
/// What it prints when it sees all the others.
pub(crate) const ALL_THERE: &str = "all there";

/// Runs one until the standard input ends.
pub(crate) fn run(args: &PeerArgs) -> Result<(), Box<dyn Error>> {
    child::end_with_input();
    match args.peer {
        Peer::Swim => on_tokio(swim::run(args.bind, args.seed, args.members)),
        Peer::Foca => on_tokio(foca::run(args.bind, args.seed, args.members, true)),
        Peer::FocaQuiet => on_tokio(foca::run(args.bind, args.seed, args.members, false)),
        Peer::Memberlist => on_tokio(memberlist::run(args.bind, args.seed, args.members)),
        Peer::Chitchat => on_tokio(chitchat::run(args.bind, args.seed, args.members)),
    }
}

/// On this thread alone.
pub(crate) fn on_tokio(node: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(node)
}

/// A port of 127.0.0.1 that was free a moment ago, for those who have to be told one.
pub(crate) fn free_port() -> io::Result<SocketAddr> {
    UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.local_addr()
}

fn tell(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Asks now and then until all are there, and then never again: what a node costs afterwards is its own.
async fn until_all_there(mut there: impl AsyncFnMut() -> usize, members: usize) -> io::Result<()> {
    while there().await < members {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tell(ALL_THERE)
}
