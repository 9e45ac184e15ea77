//! Nodes on sockets, each on a thread and a runtime of its own, so that one can be made to crash.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::kinds::Spec;

/// How a node crashes. None of both says a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Crash {
    /// As a process that is killed: its sockets are closed, and whoever connects is refused.
    End,
    /// As a process that is stopped, or a machine that is gone: its sockets are there, and nobody reads them.
    Hang,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "closed",
            Self::Hang => "open and unread",
        })
    }
}

/// What a node tells of itself, and when.
pub(super) struct Said {
    pub(super) cluster: usize,
    pub(super) node: usize,
    pub(super) at: Instant,
    pub(super) what: What,
}

pub(super) enum What {
    Listens(SocketAddr),
    /// Whom it sees come or go.
    Sees(SocketAddr, bool),
    Fails(String),
}

#[derive(Clone)]
pub(super) struct Teller {
    pub(super) cluster: usize,
    pub(super) node: usize,
    pub(super) to: mpsc::Sender<Said>,
}

impl Teller {
    pub(super) fn tell(&self, what: What) {
        // Nobody listens any more when all is over.
        _ = self.to.send(Said { cluster: self.cluster, node: self.node, at: Instant::now(), what });
    }
}

/// A node that runs, or has crashed. Dropped, it is gone.
pub(super) struct Node {
    crash: Option<oneshot::Sender<Crash>>,
    /// One that hangs does so until this is dropped.
    hangs: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub(super) fn start(spec: Spec, seed: Option<SocketAddr>, teller: Teller) -> io::Result<Self> {
        let (crash, crashes) = oneshot::channel();
        let (hangs, over) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            let own = teller.clone();
            if let Err(e) = run(spec, seed, teller, crashes, &over) {
                own.tell(What::Fails(e.to_string()));
            }
        })?;
        Ok(Self { crash: Some(crash), hangs: Some(hangs), thread: Some(thread) })
    }

    pub(super) fn crash(&mut self, how: Crash) {
        if let Some(crash) = self.crash.take() {
            // It has failed already, and has said so.
            _ = crash.send(how);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        (self.crash, self.hangs) = (None, None);
        if let Some(thread) = self.thread.take() {
            // One that has panicked has said so.
            _ = thread.join();
        }
    }
}

fn run(
    spec: Spec,
    seed: Option<SocketAddr>,
    teller: Teller,
    crashes: oneshot::Receiver<Crash>,
    over: &mpsc::Receiver<()>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let fails = teller.clone();
        tokio::task::spawn_local(async move {
            if let Err(e) = spec.run(seed, teller).await {
                fails.tell(What::Fails(e.to_string()));
            }
        });
        // All that it does is on this thread: what blocks it stops the node. What ends this drops it, and nothing of it
        // is asked any more, so nobody is told goodbye.
        if crashes.await == Ok(Crash::Hang) {
            _ = over.recv();
        }
    });
    Ok(())
}
