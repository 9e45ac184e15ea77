//! The scenarios of the crate `conformance` on real sockets, on async-std:
//! `cargo test -p bind-async-std --test conformance_on_async_std a3_`.

use std::io;
use std::net::SocketAddr;

use bind_async_std::{Setup, bind};
use conformance::{Binding, Layer, Ready, Real};

/// On the thread that blocks for it; async-std's own executor has a few threads for all, and a node that stands still would
/// hold up the others.
struct AsyncStd;

impl Binding for AsyncStd {
    // All nodes of the process have one reactor, which every thread that blocks drives by turns, with pauses of up to 10 ms: of
    // a hundred threads and more, each would wait for the others most of the time.
    const AT_A_TIME: usize = 16;

    fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
        async_std::task::block_on(async {
            let Some(driver) = ready.tell(bind(addr, setup).await) else { return Ok(()) };
            driver.map_socket(|socket| layer.around(socket)).await
        })
    }
}

conformance::suite!(Real<AsyncStd>);
conformance::suite_faults!(Real<AsyncStd>);
