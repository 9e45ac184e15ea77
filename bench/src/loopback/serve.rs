//! The servers, each a process of its own, so that what it takes can be told from what the client does.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};

use clap::{Args, ValueEnum};
use swim_core::Config;
use swim_driver::Setup;

use super::guest::{CLUSTER, SERVER};
use crate::agents::{child, peers};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// A blocking `recv_from`, then a `send_to`, and nothing else.
    Plain,
    /// The same in a task of tokio.
    Tokio,
    BindMio,
    BindTokio,
    BindAsyncStd,
    Memberlist,
    Chitchat,
}

impl Server {
    pub(crate) const ALL: [Self; 7] = [
        Self::Plain,
        Self::Tokio,
        Self::BindMio,
        Self::BindTokio,
        Self::BindAsyncStd,
        Self::Memberlist,
        Self::Chitchat,
    ];
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain loop",
            Self::Tokio => "tokio echo",
            Self::BindMio => "bind-mio",
            Self::BindTokio => "bind-tokio",
            Self::BindAsyncStd => "bind-async-std, on smol",
            Self::Memberlist => "memberlist 0.8, on tokio",
            Self::Chitchat => "chitchat 0.13, on tokio",
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    server: Server,
    /// Bytes of each answer, of those that answer anything.
    #[arg(long, default_value_t = 1)]
    answer_len: usize,
    /// Where the node says that it is reached, of those that can be told.
    #[arg(long)]
    advertise: Option<SocketAddr>,
    /// Who gossips with it, of those that do not listen to strangers.
    #[arg(long)]
    seed: Option<SocketAddr>,
}

/// Prints the address that is served, and serves until the standard input ends.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Box<dyn Error>> {
    child::end_with_input();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    // The same as every other node of the cluster has.
    let setup = Setup::new(SERVER, Config::lan(CLUSTER));
    match args.server {
        Server::Plain => plain(&UdpSocket::bind(any)?, args.answer_len)?,
        Server::Tokio => peers::on_tokio(echo(any, args.answer_len))?,
        Server::BindMio => {
            let (handle, driver) = bind_mio::bind(any, setup)?;
            announce(handle.bound())?;
            driver.run()?;
        }
        Server::BindTokio => peers::on_tokio(async move {
            let (handle, driver) = bind_tokio::bind(any, setup).await?;
            announce(handle.bound())?;
            Ok(tokio::spawn(driver).await??)
        })?,
        Server::BindAsyncStd => smol::block_on(async move {
            let (handle, driver) = bind_async_std::bind(any, setup).await?;
            announce(handle.bound())?;
            Ok::<_, Box<dyn Error>>(driver.await?)
        })?,
        Server::Memberlist => peers::on_tokio(async {
            let node = peers::memberlist::start(SERVER, any).await?;
            announce(*node.advertise_address())?;
            std::future::pending().await
        })?,
        Server::Chitchat => peers::on_tokio(async move {
            let bound = peers::free_port()?;
            let node = peers::chitchat::start(SERVER, bound, args.advertise.unwrap_or(bound), args.seed).await?;
            announce(bound)?;
            _ = node;
            std::future::pending().await
        })?,
    }
    Ok(())
}

fn announce(addr: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{addr}")?;
    out.flush()
}

fn plain(socket: &UdpSocket, answer_len: usize) -> io::Result<()> {
    announce(socket.local_addr()?)?;
    let mut buf = vec![0; DATAGRAM_MAX];
    loop {
        let (_, from) = socket.recv_from(&mut buf)?;
        socket.send_to(&buf[..answer_len], from)?;
    }
}

async fn echo(any: SocketAddr, answer_len: usize) -> Result<(), Box<dyn Error>> {
    let socket = tokio::net::UdpSocket::bind(any).await?;
    announce(socket.local_addr()?)?;
    let echoes: tokio::task::JoinHandle<io::Result<()>> = tokio::spawn(async move {
        let mut buf = vec![0; DATAGRAM_MAX];
        loop {
            let (_, from) = socket.recv_from(&mut buf).await?;
            socket.send_to(&buf[..answer_len], from).await?;
        }
    });
    Ok(echoes.await??)
}

/// What our own nodes are ready for.
const DATAGRAM_MAX: usize = 65_535;
