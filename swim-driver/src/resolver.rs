//! How the names of seeds become addresses, away from the loop.
//!
//! The pump asks, and goes on; the answer comes back through the mailbox, whenever and from whatever thread. Invariant: a
//! query is answered exactly once, by its drop if by nothing else, so a resolver that gives up, panics or gets no thread
//! counts as a failure and is asked again; and what is answered is bounded, and can be sent to.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use crate::mailbox::{Answer, Mailbox};
use crate::seed::{Name, canonical, is_reachable};
use crate::socket::Speaks;
use crate::sync::Arc as SharedArc;

/// Resolves the names among the seeds. [`Resolver::system`] is the default; another is set in [`crate::Setup`].
///
/// A node asks for one name after the other: for the next when the last was answered, or was not within
/// `Config::join_retry`. A name that was not answered is not asked for again before it is, so at most one query for each
/// name is under way, `Config::seeds_max` in all. Nothing is asked while nothing is to resolve.
#[derive(Clone)]
pub struct Resolver {
    ask: Arc<dyn Fn(Query) + Send + Sync>,
}

impl Resolver {
    /// Hands each query to this function, which is called on the driver's loop and must not block: it may answer at once
    /// from what it knows, or pass the query on to whoever answers it later.
    pub fn new(ask: impl Fn(Query) + Send + Sync + 'static) -> Self {
        Self { ask: Arc::new(ask) }
    }

    /// Calls this function, which may block, with host and port of each query on a thread that ends with it. A driver
    /// that ends meanwhile does not wait for that thread.
    pub fn blocking(resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        let resolve = Arc::new(resolve);
        Self::new(move |query| {
            let resolve = Arc::clone(&resolve);
            // When there is no thread to be had, the query is dropped, which answers it.
            let _ = thread::Builder::new().name("swim-resolver".into()).spawn(move || {
                let answer = resolve(query.host(), query.port());
                query.answer(answer);
            });
        })
    }

    /// What the operating system says, its hosts file and name servers.
    pub fn system() -> Self {
        Self::blocking(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    pub(crate) fn ask(&self, query: Query) {
        (self.ask)(query);
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// A name that a node wants to know the addresses of. Dropped without an answer, it has failed.
pub struct Query {
    /// Which of the node's names this is.
    at: usize,
    name: Name,
    /// What the node's socket can send to.
    speaks: Speaks,
    /// Taken by the answer. A mailbox that is closed meanwhile takes none, and keeps nobody alive.
    mailbox: Option<SharedArc<Mailbox>>,
}

impl Query {
    /// Most addresses of one name that count: the first ones that the node's socket can send to.
    pub const ADDRS_MAX: usize = 64;

    pub(crate) fn new((at, name): (usize, Name), speaks: Speaks, mailbox: SharedArc<Mailbox>) -> Self {
        Self { at, name, speaks, mailbox: Some(mailbox) }
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.name.host
    }

    /// The port, which is to be that of every address in the answer.
    pub fn port(&self) -> u16 {
        self.name.port
    }

    /// All addresses of the host, however late. An error, or no address that the node's socket can send to, is a failure:
    /// then those that were known last stay, and the node asks again later.
    pub fn answer(mut self, addrs: io::Result<Vec<SocketAddr>>) {
        self.send(addrs.unwrap_or_default());
    }

    fn send(&mut self, addrs: Vec<SocketAddr>) {
        let Some(mailbox) = self.mailbox.take() else { return };
        let sendable = |addr: &SocketAddr| is_reachable(*addr) && self.speaks.reaches(*addr);
        // What cannot be sent to takes nobody's place.
        let addrs = addrs.into_iter().map(canonical).filter(sendable).take(Self::ADDRS_MAX).collect();
        mailbox.answer(Answer { at: self.at, addrs });
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        self.send(Vec::new());
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("host", &self.host()).field("port", &self.port()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
