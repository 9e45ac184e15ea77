//! The scenarios of the crate `conformance` on real sockets, on smol: `cargo test -p bind-async-std --test conformance a3_`.
//! `conformance_on_async_std.rs` plays them on async-std.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use bind_async_std::{BindError, Handle, Setup, bind};
use conformance::Layer;

type Ready = Sender<Result<Handle, BindError>>;

/// A node behind this layer, from its beginning to its end.
async fn node(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
    // When nobody waits for it, dropping the handle ends the driver.
    match bind(addr, setup).await {
        Ok((handle, driver)) => {
            let driver = driver.map_socket(|socket| layer.around(socket));
            let _ = ready.send(Ok(handle));
            driver.await
        }
        Err(e) => {
            let _ = ready.send(Err(e));
            Ok(())
        }
    }
}

/// On an executor of smol's. The reactor has the thread of its own that it has where nobody lends it one.
mod on_smol {
    use conformance::{Binding, Real};
    use smol::LocalExecutor;

    use super::*;

    struct Smol;

    impl Binding for Smol {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let executor = LocalExecutor::new();
            smol::future::block_on(executor.run(executor.spawn(node(addr, setup, layer, ready))))
        }
    }

    conformance::suite!(Real<Smol>);
    conformance::suite_faults!(Real<Smol>);
}
