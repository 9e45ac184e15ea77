//! The scenarios of the crate `conformance` on real sockets, on smol: `cargo test -p bind-async-std --test conformance a3_`.
//! `conformance_on_async_std.rs` plays them on async-std.

use std::io;
use std::net::SocketAddr;

use bind_async_std::{Setup, bind};
use conformance::{Binding, Layer, Ready, Real};
use smol::LocalExecutor;

/// On an executor of smol's. The reactor has the thread of its own that it has where nobody lends it one.
struct Smol;

impl Binding for Smol {
    fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
        let executor = LocalExecutor::new();
        smol::future::block_on(executor.run(async {
            let Some(driver) = ready.tell(bind(addr, setup).await) else { return Ok(()) };
            executor.spawn(driver.map_socket(|socket| layer.around(socket))).await
        }))
    }
}

conformance::suite!(Real<Smol>);
conformance::suite_faults!(Real<Smol>);
