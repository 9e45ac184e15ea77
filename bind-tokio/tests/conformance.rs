//! The scenarios of the crate `conformance` on real sockets, on both flavours of tokio's runtime:
//! `cargo test -p bind-tokio --test conformance current_thread::a3_`.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use bind_tokio::{BindError, Driver, Handle, Setup, bind};
use conformance::{Layer, Layered};

type Ready = Sender<Result<Handle, BindError>>;

/// A node behind this layer; none when it cannot be bound, which is told.
async fn bound(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> Option<Driver<Layered<bind_tokio::Udp>>> {
    // When nobody waits for it, dropping the handle ends the driver.
    match bind(addr, setup).await {
        Ok((handle, driver)) => {
            let driver = driver.map_socket(|socket| layer.around(socket));
            let _ = ready.send(Ok(handle));
            Some(driver)
        }
        Err(e) => {
            let _ = ready.send(Err(e));
            None
        }
    }
}

/// The driver is polled on the thread of the runtime.
mod current_thread {
    use conformance::{Binding, Real};

    use super::*;

    struct CurrentThread;

    impl Binding for CurrentThread {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match bound(addr, setup, layer, ready).await {
                    Some(driver) => driver.await,
                    None => Ok(()),
                }
            })
        }
    }

    conformance::suite!(Real<CurrentThread>);
    conformance::suite_faults!(Real<CurrentThread>);
}

/// The driver is a task that wanders between two threads.
mod multi_thread {
    use conformance::{Binding, Real};

    use super::*;

    struct MultiThread;

    impl Binding for MultiThread {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                match bound(addr, setup, layer, ready).await {
                    Some(driver) => tokio::spawn(driver).await.expect("a driver does not panic"),
                    None => Ok(()),
                }
            })
        }
    }

    conformance::suite!(Real<MultiThread>);
    conformance::suite_faults!(Real<MultiThread>);
}
