//! The scenarios of the crate `conformance` on real sockets, with the loop that blocks its thread and with one in a poll of
//! the embedder's: `cargo test -p bind-mio --test conformance blocking::a3_`.

/// The driver runs by itself.
mod blocking {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::mpsc::Sender;

    use bind_mio::{BindError, Handle, Setup, bind};
    use conformance::{Binding, Layer, Real};

    struct Blocking;

    impl Binding for Blocking {
        fn run(
            addr: SocketAddr,
            setup: Setup,
            layer: Layer,
            ready: Sender<Result<Handle, BindError>>,
        ) -> io::Result<()> {
            match bind(addr, setup) {
                Ok((handle, driver)) => {
                    let driver = driver.map_socket(|socket| layer.around(socket));
                    // When nobody waits for it, dropping the handle ends the driver.
                    let _ = ready.send(Ok(handle));
                    driver.run()
                }
                Err(e) => {
                    let _ = ready.send(Err(e));
                    Ok(())
                }
            }
        }
    }

    conformance::suite!(Real<Blocking>);
    conformance::suite_faults!(Real<Blocking>);
}

/// The driver is a guest in a poll.
mod registered {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::mpsc::Sender;

    use bind_mio::{BindError, Handle, Setup, Turn, bind};
    use conformance::{Binding, Layer, Real};
    use mio::{Events, Poll, Token, Waker};

    struct Registered;

    impl Binding for Registered {
        fn run(
            addr: SocketAddr,
            setup: Setup,
            layer: Layer,
            ready: Sender<Result<Handle, BindError>>,
        ) -> io::Result<()> {
            let (handle, driver) = match bind(addr, setup) {
                Ok(bound) => bound,
                Err(e) => {
                    let _ = ready.send(Err(e));
                    return Ok(());
                }
            };
            let mut driver = driver.map_socket(|socket| layer.around(socket));
            let mut poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), Token(7))?);
            driver.register(poll.registry(), Token(5), waker)?;
            let _ = ready.send(Ok(handle));
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
