//! The scenarios of the crate `conformance` on real sockets, on both flavours of tokio's runtime:
//! `cargo test -p bind-tokio --test conformance current_thread::a3_`.

use std::io;
use std::net::SocketAddr;

use bind_tokio::{Setup, bind};
use conformance::{Binding, Layer, Ready, Real};
use tokio::runtime::Builder;

/// The driver is polled on the thread of the runtime.
mod current_thread {
    use super::*;

    struct CurrentThread;

    impl Binding for CurrentThread {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let Some(driver) = ready.tell(bind(addr, setup).await) else { return Ok(()) };
                driver.map_socket(|socket| layer.around(socket)).await
            })
        }
    }

    conformance::suite!(Real<CurrentThread>);
    conformance::suite_faults!(Real<CurrentThread>);
}

/// The driver is a task that wanders between two threads.
mod multi_thread {
    use super::*;

    struct MultiThread;

    impl Binding for MultiThread {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let Some(driver) = ready.tell(bind(addr, setup).await) else { return Ok(()) };
                let driver = driver.map_socket(|socket| layer.around(socket));
                tokio::spawn(driver).await.expect("a driver does not panic")
            })
        }
    }

    conformance::suite!(Real<MultiThread>);
    conformance::suite_faults!(Real<MultiThread>);
}
