//! From an address and a set-up to a node on a socket: what all bindings do first.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::advertise::route;
use crate::bind_error::BindError;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::handle::Handle;
use crate::setup::Setup;
use crate::socket::open;

/// Binds a UDP socket and starts a node on it, which a binding puts into a socket of its runtime
/// ([`Engine::try_map_socket`]). Nothing runs until it is run.
///
/// It waits for one thing only: for the name of a seed to be resolved, when the socket is bound to the unspecified address,
/// [`Setup::advertise`] is not set, and no seed is an address. Given up meanwhile, it leaves nothing behind.
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
pub async fn bind(addr: SocketAddr, mut setup: Setup) -> Result<(Handle, Engine<UdpSocket>), BindError> {
    let failed = |source| BindError::Bind { addr, source };
    let socket = open(addr, &setup.socket).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    if setup.advertise.is_none() && bound.ip().to_canonical().is_unspecified() {
        setup.advertise = route(&setup.seeds, &setup.resolver, bound).await;
    }
    let clock = Clock::new();
    let (handle, pump) = setup.start(bound, clock.now()).map_err(BindError::Setup)?;
    Ok((handle, Engine::new(socket, clock, pump)))
}

/// The same for a program without tasks: it blocks the thread for what [`bind`] waits for.
///
/// # Errors
/// As [`bind`].
pub fn bind_blocking(addr: SocketAddr, setup: Setup) -> Result<(Handle, Engine<UdpSocket>), BindError> {
    let (waker, mut bound) = (Waker::from(Arc::new(Unpark(thread::current()))), pin!(bind(addr, setup)));
    let mut cx = Context::from_waker(&waker);
    loop {
        match bound.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
