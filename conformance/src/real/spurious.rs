//! A driver that its runtime polls though nothing has happened, as combinators of futures do with all that they hold.

use std::future::Future as _;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use swim_core::Config;
use swim_driver::{BindError, Engine, Handle, Reactor, Setup};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A node whose seed does not answer, and that asks it again in some minutes.
fn patient(seed: SocketAddr) -> Setup {
    let (long, mut config) = (Duration::from_secs(300), Config::local("test"));
    (config.probe_interval, config.gossip_interval, config.tombstone_ttl) = (long, long, long * 1_000);
    (config.join_retry, config.join_retry_max) = (long, long);
    (config.sync_patience, config.sync_backoff_max) = (long, long);
    Setup::new("a", config).join([seed])
}

/// Polls the driver that this binds a thousand times for nothing, letting `others` on the runtime have their turn in between:
/// it does nothing, says nothing, and does not wake itself.
///
/// # Panics
/// When it does.
pub async fn polled_for_nothing<S: Reactor + Unpin>(
    bind: impl AsyncFnOnce(SocketAddr, Setup) -> Result<(Handle, Engine<S>), BindError>,
    others: impl AsyncFn(),
) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let silent = UdpSocket::bind(any).expect("a loopback socket");
    silent.set_nonblocking(true).expect("a socket need not block");
    let seed = silent.local_addr().expect("it is bound");
    let (_handle, mut driver) = bind(any, patient(seed)).await.expect("a loopback socket");
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let done = |driver: &Engine<S>| (driver.pump().stats(), *driver.pump().node().stats());
    let mut first = None;
    for _ in 0..1_000 {
        others().await;
        assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(&waker)).is_pending());
        first.get_or_insert_with(|| done(&driver));
    }
    assert_eq!(first.map(|(driver, node)| (driver.datagrams_sent, node.datagrams_sent)), Some((1, 1)), "to its seed");
    assert_eq!(first, Some(done(&driver)));
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    let heard = || silent.recv_from(&mut [0; 2_000]).is_ok();
    assert_eq!([heard(), heard()], [true, false]);
}
