//! The nodes: each in the configuration that its crate has for a local network, with all times of it scaled by one
//! factor, so that the period is the one that is asked for.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bind_tokio::swim_core::{Config, Event};
use bind_tokio::{Setup, bind};
use memberlist::Options;
use memberlist::proto::MaybeResolvedAddress;
use tokio::net::UdpSocket;

use super::node::{Teller, What};
use crate::agents::peers;
use crate::tuning::Tuning;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Swim,
    Memberlist,
    Foca,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swim => "ours",
            Self::Memberlist => "memberlist 0.8",
            Self::Foca => "foca 2.0",
        })
    }
}

/// The nodes of one cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) kind: Kind,
    pub(super) nodes: usize,
    pub(super) period: Duration,
    /// Of ours.
    pub(super) tuning: Tuning,
}

impl Spec {
    /// Runs one that joins through this one, and tells whom it sees.
    pub(super) async fn run(self, seed: Option<SocketAddr>, teller: Teller) -> Result<(), Box<dyn Error>> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        match self.kind {
            Kind::Swim => swim(any, ours(self.period, self.tuning), seed, teller).await,
            Kind::Memberlist => memberlist(any, theirs(self.period), seed, teller).await,
            Kind::Foca => {
                let socket = UdpSocket::bind(any).await?;
                teller.tell(What::Listens(socket.local_addr()?));
                let config = foca(self.nodes, self.period)?;
                peers::foca::serve(socket, config, seed, move |of, is_up| teller.tell(What::Sees(of, is_up))).await
            }
        }
    }
}

async fn swim(any: SocketAddr, config: Config, seed: Option<SocketAddr>, teller: Teller) -> Result<(), Box<dyn Error>> {
    let (handle, driver) = bind(any, Setup::new(format!("node-{}", teller.node), config).join(seed)).await?;
    let mut events = handle.events();
    teller.tell(What::Listens(handle.bound()));
    // It ends with the runtime that it is spawned on, and so without a goodbye.
    tokio::task::spawn_local(driver);
    loop {
        let (id, is_up) = match events.recv_async().await? {
            Event::MemberUp { id, .. } => (id, true),
            Event::MemberDown { id, .. } => (id, false),
            Event::Lagged { missed } => return Err(format!("{missed} events are lost").into()),
            _ => continue,
        };
        // A view is there before the events that explain it.
        let addr = handle.view().member(id).map(|member| member.addr()).ok_or("whom an event names is in the view")?;
        teller.tell(What::Sees(addr, is_up));
    }
}

async fn memberlist(
    any: SocketAddr,
    options: Options,
    seed: Option<SocketAddr>,
    teller: Teller,
) -> Result<(), Box<dyn Error>> {
    let name = format!("node-{}", teller.node);
    let mut tries = 0;
    // The port that the system picks for TCP may be another's for UDP.
    let node = loop {
        let hears = teller.clone();
        let told = move |of, is_up| hears.tell(What::Sees(of, is_up));
        match peers::memberlist::start_telling(&name, any, options.clone(), told).await {
            Err(_) if tries < TRIES => tries += 1,
            node => break node?,
        }
    };
    teller.tell(What::Listens(*node.advertise_address()));
    if let Some(seed) = seed {
        node.join(MaybeResolvedAddress::resolved(seed)).await?;
    }
    std::future::pending().await
}

const TRIES: usize = 10;

/// What is tuned is so at a period of a second, and scaled as well.
fn ours(period: Duration, tuning: Tuning) -> Config {
    let mut config = tuning.config();
    let scale = scale(period, config.probe_interval);
    for time in [
        &mut config.probe_interval,
        &mut config.probe_timeout,
        &mut config.gossip_interval,
        &mut config.tombstone_ttl,
        &mut config.join_retry,
        &mut config.join_retry_max,
        &mut config.sync_patience,
        &mut config.sync_backoff_max,
        &mut config.rumor_ttl,
    ] {
        *time = scale(*time);
    }
    config
}

/// memberlist's own period is half a second, whatever is written beside it, and its time-out of a ping a second.
fn theirs(period: Duration) -> Options {
    let lan = Options::lan();
    let scale = scale(period, lan.probe_interval());
    Options::lan()
        .with_timeout(scale(lan.timeout()))
        .with_push_pull_interval(scale(lan.push_pull_interval()))
        .with_probe_interval(period)
        .with_probe_timeout(scale(lan.probe_timeout()))
        .with_gossip_interval(scale(lan.gossip_interval()))
        .with_gossip_to_the_dead_time(scale(lan.gossip_to_the_dead_time()))
}

fn foca(nodes: usize, period: Duration) -> Result<foca::Config, Box<dyn Error>> {
    let mut config = peers::foca::lan(nodes)?;
    let scale = scale(period, config.probe_period);
    for time in [&mut config.probe_period, &mut config.probe_rtt, &mut config.suspect_to_down_after]
        .into_iter()
        .chain(&mut config.remove_down_after)
        .chain(config.periodic_announce.as_mut().map(|periodic| &mut periodic.frequency))
        .chain(config.periodic_announce_to_down_members.as_mut().map(|periodic| &mut periodic.frequency))
        .chain(config.periodic_gossip.as_mut().map(|periodic| &mut periodic.frequency))
    {
        *time = scale(*time);
    }
    Ok(config)
}

/// What a time becomes where this period takes the place of that one.
fn scale(period: Duration, own: Duration) -> impl Fn(Duration) -> Duration {
    let factor = period.as_secs_f64() / own.as_secs_f64();
    move |time| time.mul_f64(factor)
}
