//! chitchat on UDP, with the intervals of its documentation.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use chitchat::transport::UdpTransport;
use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};

/// One that listens here, and says that it is reached there.
pub(crate) async fn start(
    name: &str,
    addr: SocketAddr,
    advertise: SocketAddr,
    seed: Option<SocketAddr>,
) -> Result<ChitchatHandle, Box<dyn Error>> {
    let config = ChitchatConfig {
        chitchat_id: ChitchatId::new(name, 0, advertise),
        cluster_id: "bench".into(),
        gossip_interval: Duration::from_secs(1),
        listen_addr: addr,
        seed_nodes: seed.iter().map(SocketAddr::to_string).collect(),
        failure_detector_config: FailureDetectorConfig::default(),
        marked_for_deletion_grace_period: Duration::from_secs(3_600),
        catchup_callback: None,
        extra_liveness_predicate: None,
        protocol_version: ProtocolVersion::V1,
    };
    Ok(spawn_chitchat(config, Vec::new(), &UdpTransport).await?)
}

pub(crate) async fn run(addr: SocketAddr, seed: Option<SocketAddr>, members: usize) -> Result<(), Box<dyn Error>> {
    let node = start(&addr.to_string(), addr, addr, seed).await?;
    super::tell(super::LISTENING)?;
    super::until_all_there(async || node.with_chitchat(|node| node.live_nodes().count()).await, members).await?;
    std::future::pending().await
}
