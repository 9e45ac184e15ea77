//! The scenarios of the crate `conformance` on real sockets, on async-std:
//! `cargo test -p bind-async-std --test conformance_on_async_std a3_`.

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

/// On the thread that blocks for it; async-std's own executor has a few threads for all, and a node that stands still
/// would hold up the others.
mod on_async_std {
    use conformance::{Binding, Real};

    use super::*;

    struct AsyncStd;

    impl Binding for AsyncStd {
        // All nodes of the process have one reactor, which every thread that blocks drives by turns, with pauses of up to
        // 10 ms: of a hundred threads and more, each would wait for the others most of the time.
        const AT_A_TIME: usize = 8;

        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            async_std::task::block_on(node(addr, setup, layer, ready))
        }
    }

    conformance::suite!(Real<AsyncStd>);
    conformance::suite_faults!(Real<AsyncStd>);
}
