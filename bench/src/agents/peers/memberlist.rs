//! memberlist on TCP and UDP, as its crate has it for a local network.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use memberlist::Options;
use memberlist::delegate::{CompositeDelegate, EventDelegate, VoidDelegate};
use memberlist::net::NetTransportOptions;
use memberlist::proto::{MaybeResolvedAddress, NodeState};
use memberlist::tokio::{TokioNetTransport, TokioSocketAddrResolver, TokioTcp};
use smol_str::SmolStr;

type Transport = TokioNetTransport<SmolStr, TokioSocketAddrResolver, TokioTcp>;
type Nothing = VoidDelegate<SmolStr, SocketAddr>;
/// One that tells whom it sees come and go.
type Telling<T> = CompositeDelegate<SmolStr, SocketAddr, Nothing, Nothing, Told<T>>;

pub(crate) type Memberlist = memberlist::Memberlist<Transport>;

/// Is told of each member that comes or goes: where it is, and whether it is there.
pub(crate) struct Told<T>(T);

impl<T: Fn(SocketAddr, bool) + Send + Sync + 'static> EventDelegate for Told<T> {
    type Id = SmolStr;
    type Address = SocketAddr;

    async fn notify_join(&self, node: Arc<NodeState<SmolStr, SocketAddr>>) {
        (self.0)(*node.address(), true);
    }

    async fn notify_leave(&self, node: Arc<NodeState<SmolStr, SocketAddr>>) {
        (self.0)(*node.address(), false);
    }

    async fn notify_update(&self, _: Arc<NodeState<SmolStr, SocketAddr>>) {}
}

fn transport(name: &str, addr: SocketAddr) -> NetTransportOptions<SmolStr, TokioSocketAddrResolver, TokioTcp> {
    NetTransportOptions::new(name.into()).with_bind_addresses([addr].into_iter().collect())
}

pub(crate) async fn start(name: &str, addr: SocketAddr) -> Result<Memberlist, Box<dyn Error>> {
    Ok(Memberlist::new(transport(name, addr), Options::lan()).await?)
}

/// The same in another configuration, which tells whom it sees.
pub(crate) async fn start_telling<T: Fn(SocketAddr, bool) + Send + Sync + 'static>(
    name: &str,
    addr: SocketAddr,
    options: Options,
    told: T,
) -> Result<memberlist::Memberlist<Transport, Telling<T>>, Box<dyn Error>> {
    let delegate = CompositeDelegate::new().with_event_delegate(Told(told));
    Ok(memberlist::Memberlist::with_delegate(delegate, transport(name, addr), options).await?)
}

pub(crate) async fn run(addr: SocketAddr, seed: Option<SocketAddr>, members: usize) -> Result<(), Box<dyn Error>> {
    let node = start(&addr.to_string(), addr).await?;
    super::tell(super::LISTENING)?;
    if let Some(seed) = seed {
        node.join(MaybeResolvedAddress::resolved(seed)).await?;
    }
    super::until_all_there(async || node.num_online_members().await, members).await?;
    std::future::pending().await
}
