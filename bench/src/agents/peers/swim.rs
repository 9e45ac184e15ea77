//! Our node on tokio.

use std::error::Error;
use std::net::SocketAddr;

use bind_tokio::{Setup, bind, swim_core::Config};

pub(crate) async fn run(addr: SocketAddr, seed: Option<SocketAddr>, members: usize) -> Result<(), Box<dyn Error>> {
    let (handle, driver) = bind(addr, Setup::new(addr.to_string(), Config::lan("bench")).join(seed)).await?;
    super::tell(super::LISTENING)?;
    let driver = tokio::spawn(driver);
    handle.view_when(|view| view.live_count() == members).await.ok_or("the node has ended")?;
    super::tell(super::ALL_THERE)?;
    Ok(driver.await??)
}
