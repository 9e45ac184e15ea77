//! From an address and a set-up to a node on a socket: what all bindings do first.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use socket2::SockRef;

use crate::advertise::{NoRoute, route};
use crate::bind_error::BindError;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::handle::Handle;
use crate::setup::{Setup, SetupError};
use crate::socket::{Speaks, open};

/// Binds a UDP socket and starts a node on it, which a binding puts into a socket of its runtime
/// ([`Engine::try_map_socket`]). Nothing runs until it is run.
///
/// It waits for one thing only: for the names of seeds to be resolved, as long as the resolver takes, when the socket is bound
/// to the unspecified address, [`Setup::advertise`] is not set, and no seed is the address of another machine. Given up
/// meanwhile, it leaves nothing behind but the resolver's work.
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
pub async fn bind(addr: SocketAddr, setup: Setup) -> Result<(Handle, Engine<UdpSocket>), BindError> {
    let socket = open(addr, &setup.socket).map_err(|source| BindError::Bind { addr, source })?;
    bind_on(socket, setup).await
}

/// The same on a socket that is bound already: one that another process has handed over, for example, or one with options that
/// [`SocketOptions`](crate::SocketOptions) does not have. It is made to never block.
///
/// # Errors
/// As [`bind`].
pub async fn bind_on(socket: UdpSocket, mut setup: Setup) -> Result<(Handle, Engine<UdpSocket>), BindError> {
    let bound = socket.local_addr().and_then(|bound| socket.set_nonblocking(true).map(|()| bound));
    let bound = bound.map_err(BindError::Socket)?;
    // What the socket does counts: it may have been made elsewhere, or by a system that has its own way.
    if let (true, Ok(only)) = (bound.is_ipv6(), SockRef::from(&socket).only_v6()) {
        setup.socket.only_v6 = only;
    }
    if setup.advertise.is_none() && bound.ip().to_canonical().is_unspecified() {
        let speaks = Speaks::of(bound, &setup.socket);
        // Of more, the start will say that they are too many; they need not be resolved for that.
        let most = setup.seeds.len().min(setup.config.seeds_max);
        match route(&setup.seeds[..most], &setup.resolver, speaks).await {
            Ok(source) => setup.advertise = Some(source),
            // What is wrong with that, the start says.
            Err(NoRoute::None) => {}
            Err(NoRoute::Unresolved) => {
                return Err(BindError::Setup(SetupError::Unresolved { seed: setup.seeds.swap_remove(0) }));
            }
        }
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
    wait_for(bind(addr, setup))
}

/// [`bind_on`] for a program without tasks.
///
/// # Errors
/// As [`bind`].
pub fn bind_on_blocking(socket: UdpSocket, setup: Setup) -> Result<(Handle, Engine<UdpSocket>), BindError> {
    wait_for(bind_on(socket, setup))
}

fn wait_for<T>(bound: impl Future<Output = T>) -> T {
    let (waker, mut bound) = (Waker::from(Arc::new(Unpark(thread::current()))), pin!(bound));
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
