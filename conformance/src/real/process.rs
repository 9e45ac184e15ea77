//! One life of a node: the thread on which its driver runs, and what the harness holds of it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use swim_core::{Event, NodeId};
use swim_driver::{BindError, Events, Handle, Recorder, Setup, View};

use super::excuse::fail;
use super::faults::Faults;
use super::layer::{Counts, Killed, Layer, Order};
use super::{Binding, Ready};

/// A node's driver on a thread of its own.
pub(super) struct Process {
    id: NodeId,
    bound: SocketAddr,
    layer: Layer,
    handle: Option<Handle>,
    /// What it sees.
    recorder: Recorder,
    /// What was seen when the handle was let go.
    last: Option<Arc<View>>,
    events: RefCell<Events>,
    /// All events were received: the driver has ended.
    closed: Cell<bool>,
    paused: bool,
    killed: bool,
    thread: Option<JoinHandle<io::Result<()>>>,
    /// Nothing ever comes, but the sender is gone when the thread has ended.
    ends: Receiver<Infallible>,
}

impl Process {
    /// Starts a node at this address, and lets it go when nothing of what it tells can be missed.
    ///
    /// # Errors
    /// The address is taken.
    pub(super) fn start<B: Binding>(bound: SocketAddr, setup: Setup, poker: SocketAddr) -> io::Result<Self> {
        let layer = Layer::new(poker);
        let (name, theirs) = (setup.name.clone(), layer.clone());
        let ((ready, started), (alive, ends)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            let _alive: mpsc::Sender<Infallible> = alive;
            B::run(bound, setup, theirs, Ready(ready))
        })?;
        let handle = match started.recv_timeout(LONG) {
            Ok(Ok(handle)) => handle,
            Ok(Err(BindError::Bind { source, .. })) if source.kind() == ErrorKind::AddrInUse => return Err(source),
            Ok(Err(e)) => fail(&format!("{name} does not start: {e}")),
            Err(RecvTimeoutError::Timeout) => fail(&format!("{name} has not started after {LONG:?}")),
            Err(RecvTimeoutError::Disconnected) => fail(&format!("{name} does not start: {:?}", thread.join())),
        };
        let recorder = handle.recorder().unwrap_or_else(|| fail(&format!("{name} is not recorded"))).clone();
        let process = Self {
            id: handle.id(),
            bound,
            layer,
            last: None,
            events: RefCell::new(handle.events()),
            handle: Some(handle),
            recorder,
            closed: Cell::new(false),
            paused: false,
            killed: false,
            thread: Some(thread),
            ends,
        };
        process.layer.order(Order::Run);
        Ok(process)
    }

    /// Waits until the driver stands still.
    pub(super) fn pause(&mut self, poker: &UdpSocket) {
        self.paused = true;
        self.layer.order(Order::Stand);
        let deadline = Instant::now() + LONG;
        loop {
            self.poke(poker);
            if self.layer.await_standing(POKE_AGAIN) {
                return;
            }
            assert!(!self.has_ended(), "{} has ended and cannot be paused", self.id);
            if Instant::now() >= deadline {
                fail(&format!("{} does not stand still", self.id));
            }
        }
    }

    pub(super) fn resume(&mut self) {
        self.paused = false;
        self.layer.order(Order::Run);
    }

    /// Waits until the driver has told all that its view shows by now: its view comes first, and both before it reads again.
    pub(super) fn settle(&self, poker: &UdpSocket) {
        let (seen, deadline) = (self.layer.reads(), Instant::now() + LONG);
        while !(self.paused || self.closed.get() || self.has_ended()) {
            self.poke(poker);
            if self.layer.await_read(seen, POKE_AGAIN) {
                return;
            }
            if Instant::now() >= deadline {
                fail(&format!("{} does not read its socket", self.id));
            }
        }
    }

    /// The driver is to end without a goodbye; [`Self::await_end`] waits for it.
    pub(super) fn kill(&mut self, poker: &UdpSocket) {
        self.killed = true;
        self.layer.order(Order::End);
        self.poke(poker);
    }

    /// Waits until the thread has ended, which closes the socket.
    ///
    /// # Errors
    /// Why the driver failed, if it did and was not killed.
    pub(super) fn await_end(&mut self, poker: &UdpSocket) -> Result<(), String> {
        let deadline = Instant::now() + LONG;
        while let Err(RecvTimeoutError::Timeout) = self.ends.recv_timeout(POKE_AGAIN) {
            if Instant::now() >= deadline {
                // It is left behind: to wait for it would keep all other tests waiting.
                self.thread = None;
                return Err(format!("the driver of {} does not end", self.id));
            }
            self.poke(poker);
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(format!("the driver of {} panicked", self.id)),
            Some(Ok(Err(e))) if !e.get_ref().is_some_and(|e| e.is::<Killed>()) => {
                Err(format!("the driver of {} failed: {e}", self.id))
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Drops the harness's handle. What was seen last remains.
    pub(super) fn let_go(&mut self) {
        self.last = self.handle.take().map(|handle| handle.view());
    }

    /// Takes the events that have come since, if the driver has told any. When there will be more, the waker is called.
    pub(super) fn drain(&self, into: &mut Vec<Event>, waker: &Waker) {
        let (mut events, mut cx) = (self.events.borrow_mut(), Context::from_waker(waker));
        while !self.closed.get() {
            match events.poll_recv(&mut cx) {
                Poll::Ready(Ok(event)) => into.push(event),
                Poll::Ready(Err(_)) => self.closed.set(true),
                Poll::Pending => return,
            }
        }
    }

    /// Whether the thread has ended, and was not waited for yet.
    pub(super) fn is_to_be_joined(&self) -> bool {
        self.thread.is_some() && self.has_ended()
    }

    pub(super) fn is_joined(&self) -> bool {
        self.thread.is_none()
    }

    /// As of the last [`Self::drain`].
    pub(super) fn is_running(&self) -> bool {
        !self.closed.get() && !self.paused && !self.killed
    }

    pub(super) fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("the scenario has let go of this node")
    }

    pub(super) fn view(&self) -> Arc<View> {
        match (&self.handle, &self.last) {
            (None, Some(last)) => Arc::clone(last),
            _ => self.handle().view(),
        }
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    /// Where its own socket is, or was.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    pub(super) fn counts(&self) -> Counts {
        self.layer.counts()
    }

    pub(super) fn faults(&self) -> &Faults {
        self.layer.faults()
    }

    fn has_ended(&self) -> bool {
        self.ends.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Lets a driver that waits for its socket read it.
    fn poke(&self, poker: &UdpSocket) {
        // When the socket's buffer is full there is something to read already.
        let _ = poker.send_to(&[], self.bound);
    }
}

/// Nothing here takes a second, but on a machine that does other things.
const LONG: Duration = Duration::from_secs(30);
/// A poke may be lost when the buffer is full, and is not needed then; but the buffer may be read meanwhile.
const POKE_AGAIN: Duration = Duration::from_millis(50);
