//! The scenarios of the crate `conformance` on real sockets, with the loop that blocks its thread and with one in a poll of
//! the embedder's: `cargo test -p bind-mio --test conformance blocking::a3_`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bind_mio::{Setup, Turn, bind};
use conformance::{Binding, Layer, Ready, Real};
use mio::{Events, Poll, Token, Waker};

/// The driver runs by itself.
mod blocking {
    use super::*;

    struct Blocking;

    impl Binding for Blocking {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let Some(driver) = ready.tell(bind(addr, setup)) else { return Ok(()) };
            driver.map_socket(|socket| layer.around(socket)).run()
        }
    }

    conformance::suite!(Real<Blocking>);
    conformance::suite_faults!(Real<Blocking>);
}

/// The driver is a guest in a poll.
mod registered {
    use super::*;

    struct Registered;

    impl Binding for Registered {
        fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()> {
            let Some(driver) = ready.tell(bind(addr, setup)) else { return Ok(()) };
            let mut driver = driver.map_socket(|socket| layer.around(socket));
            let mut poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), Token(7))?);
            driver.register(poll.registry(), Token(5), waker)?;
            let mut events = Events::with_capacity(8);
            while let Turn::Wait(timeout) = driver.turn()? {
                match poll.poll(&mut events, timeout) {
                    // A signal.
                    Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                    _ => {}
                }
            }
            Ok(())
        }
    }

    conformance::suite!(Real<Registered>);
    conformance::suite_faults!(Real<Registered>);
}
