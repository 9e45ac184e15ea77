//! memberlist on TCP and UDP, as its crate has it for a local network.

use std::error::Error;
use std::net::SocketAddr;

use memberlist::Options;
use memberlist::net::NetTransportOptions;
use memberlist::proto::MaybeResolvedAddress;
use memberlist::tokio::{TokioNetTransport, TokioSocketAddrResolver, TokioTcp};
use smol_str::SmolStr;

pub(crate) type Memberlist = memberlist::Memberlist<TokioNetTransport<SmolStr, TokioSocketAddrResolver, TokioTcp>>;

pub(crate) async fn start(name: &str, addr: SocketAddr) -> Result<Memberlist, Box<dyn Error>> {
    let net = NetTransportOptions::<SmolStr, TokioSocketAddrResolver, TokioTcp>::new(name.into())
        .with_bind_addresses([addr].into_iter().collect());
    Ok(Memberlist::new(net, Options::lan()).await?)
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
