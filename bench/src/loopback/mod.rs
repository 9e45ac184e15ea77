//! `bench loopback`: pings answered per second and core over 127.0.0.1, by nodes on sockets, beside loops that do
//! nothing but receive and send.
//!
//! Every server is a process of its own, started anew for every round; the client floods it with a bounded number of
//! pings under way, many per system call, so that the server always has something to read. What is counted is the CPU
//! time of the server's process alone. All runtimes have one thread.

mod batch;
mod echo;
mod flood;
mod guest;
mod serve;
mod strangers;

use std::error::Error;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;

use self::echo::Echo;
use self::flood::{Client, Flood, Round};
use self::guest::Guest;
pub(crate) use self::guest::{CLUSTER, SERVER};
pub(crate) use self::serve::{ServeArgs, Server, run as serve};
use self::strangers::{ChitchatGuest, MemberlistPing};
use crate::agents::child::Running;
use crate::agents::peers::free_port;
use crate::targets::Targets;

#[derive(Debug, Args)]
pub(crate) struct LoopbackArgs {
    /// How often each server has its turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long each is flooded in a round, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    round_ms: u64,
    /// Pings under way.
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Only these, beside the plain loop and tokio's echo.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Server>,
}

/// A server, what came of it so far, and the bytes of its pings and answers.
struct Measured {
    server: Server,
    rounds: Vec<Round>,
    sizes: (usize, usize),
}

impl Measured {
    /// The median of the ratios within a round.
    fn ratio(&self, base: Server, all: &[Self]) -> f64 {
        let base = all.iter().find(|of| of.server == base).expect("the loops are always measured");
        median(self.rounds.iter().zip(&base.rounds).map(|(one, base)| one.per_core() / base.per_core()))
    }
}

pub(crate) fn run(args: &LoopbackArgs) -> Result<(), Box<dyn Error>> {
    if args.window == 0 || args.window > WINDOW_MAX || args.rounds == 0 {
        return Err(format!("--window is 1 to {WINDOW_MAX}, and there is one round at least").into());
    }
    let wanted = |server: &Server| {
        matches!(server, Server::Plain | Server::Tokio) || args.only.is_empty() || args.only.contains(server)
    };
    // What the loops are to echo is as long as what our nodes say.
    let sizes = round(Server::BindMio, args, (0, 0), Duration::from_millis(50))?.1;
    let measured = |server| Measured { server, rounds: Vec::new(), sizes };
    let mut all: Vec<_> = Server::ALL.into_iter().filter(wanted).map(measured).collect();
    for number in 1..=args.rounds {
        for of in &mut all {
            let (round, its) = round(of.server, args, sizes, Duration::from_millis(args.round_ms))?;
            eprintln!(
                "{number}: {:<24} {:>9.0}/s, {:>9.0} per core, {} lost",
                of.server,
                round.per_second(),
                round.per_core(),
                round.lost
            );
            of.rounds.push(round);
            of.sizes = its;
        }
    }
    print(&all, args);
    Ok(())
}

/// Starts the server, becomes its guest where it wants one, and floods it.
fn round(
    server: Server,
    args: &LoopbackArgs,
    sizes: (usize, usize),
    time: Duration,
) -> io::Result<(Round, (usize, usize))> {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let mut arguments = vec!["serve".into(), clap_name(server), "--answer-len".into(), sizes.1.max(1).to_string()];
    // Where chitchat's own node is, whose gossip passes through here.
    let front = UdpSocket::bind(free_port()?)?;
    if server == Server::Chitchat {
        arguments.extend(["--advertise".into(), front.local_addr()?.to_string()]);
        arguments.extend(["--seed".into(), socket.local_addr()?.to_string()]);
    }
    let mut running = Running::own(&arguments, Stdio::piped())?;
    let addr: SocketAddr = running.first_line()?.parse().map_err(io::Error::other)?;
    socket.connect(addr)?;
    socket.set_nonblocking(true)?;
    let mut client: Box<dyn Client> = match server {
        Server::Plain | Server::Tokio => Box::new(Echo::new(sizes)),
        Server::BindMio | Server::BindTokio | Server::BindAsyncStd => Box::new(Guest::join(&socket, addr)?),
        Server::Memberlist => Box::new(MemberlistPing::new(socket.local_addr()?, addr)?),
        Server::Chitchat => Box::new(ChitchatGuest::join(&socket, front)?),
    };
    let mut flood = Flood { client: &mut *client, socket: &socket, window: args.window };
    let round = flood.round(running.pid(), time)?;
    running.check()?;
    if round.answered == 0 {
        return Err(io::Error::other(format!("{server} has answered nothing")));
    }
    Ok((round, client.sizes()))
}

fn clap_name(server: Server) -> String {
    use clap::ValueEnum as _;
    server.to_possible_value().expect("every server can be named").get_name().to_owned()
}

/// The middle one; of an even number, the lower of both.
fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_by(f64::total_cmp);
    of[(of.len() - 1) / 2]
}

/// Rates are medians of the rounds; a ratio is the median of those within a round.
fn print(all: &[Measured], args: &LoopbackArgs) {
    let (rounds, ms, window) = (args.rounds, args.round_ms, args.window);
    println!(
        "{rounds} rounds of {ms} ms in turns, {window} pings under way; medians. \"Per core\": per second of the server's CPU time.\n"
    );
    println!(
        "| server | bytes: ping, answer | answered/s | answered/s and core | CPU ns each | × plain loop | × tokio echo | lost |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for of @ Measured { server, rounds, sizes: (ping, answer) } in all {
        let per_core = median(rounds.iter().map(Round::per_core));
        println!(
            "| {server} | {ping}, {answer} | {:.0} | {per_core:.0} | {:.0} | {:.2} | {:.2} | {} |",
            median(rounds.iter().map(Round::per_second)),
            1e9 / per_core,
            of.ratio(Server::Plain, all),
            of.ratio(Server::Tokio, all),
            rounds.iter().map(|round| round.lost).sum::<u64>(),
        );
    }
    println!("\n{}", held(all).table());
}

/// What our bindings are held to, beside loops that do nothing else.
fn held(all: &[Measured]) -> Targets {
    let mut targets = Targets::new();
    for (ours, base, wanted) in [
        (Server::BindMio, Server::Plain, (0.75, 0.9)),
        (Server::BindTokio, Server::Tokio, (0.8, 0.9)),
        (Server::BindAsyncStd, Server::Tokio, (0.8, 0.9)),
    ] {
        if let Some(of) = all.iter().find(|of| of.server == ours) {
            targets.at_least(&format!("{ours}: answered per s and core, × {base}"), of.ratio(base, all), wanted);
        }
    }
    targets
}

/// The system cuts what is sent into no more; and so many small datagrams fit into the buffer that a socket has by
/// default.
const WINDOW_MAX: usize = 128;
