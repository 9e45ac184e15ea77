//! The embedder's end: one type for all bindings.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swim_core::{Config, NodeId, Profile};

use crate::advertise;
use crate::alerts::Alerts;
use crate::events::Events;
use crate::mailbox::{CommandError, Due, Order};
use crate::pump::Ends;
use crate::recorder::Recorder;
use crate::rumors::Rumors;
#[cfg(feature = "aead")]
use crate::seal::Keyring;
use crate::seed::Seed;
use crate::stats::Counters;
use crate::sync::{Arc as SharedArc, deadline, lock};
use crate::view::View;
use crate::watch::Watch;

/// What an embedder holds of its node: commands in, views and events out. Clone it into every thread that wants one.
///
/// No method waits for the driver unless its name says so, and no lock is held while foreign code runs.
///
/// # What becomes of a command
/// `Ok` means accepted: the node is given the command, after all commands accepted before it, exactly once. That holds
/// over the regular end of the driver too, which delivers what was accepted before it ends. The one exception is a
/// driver that is dropped, or fails, while commands wait: then it is closed, and [`Self::undelivered`] counts how many of
/// the last accepted ones the node was never given. An error means that the node will never hear of the command. A keyring
/// overtakes everything, and a newer one takes its place.
///
/// # Application data
/// Every node has a small map of its own, its *state*, which all others can read; and it can tell everybody something once,
/// a *rumor*. State is for what is so (a role, a version, a load), and whoever comes late finds it; a rumor is for what happens.
///
/// ```
/// # fn show(handle: &swim_driver::Handle) -> Result<(), Box<dyn std::error::Error>> {
/// use swim_driver::Change;
///
/// handle.put("role", b"primary")?;
/// handle.broadcast("deploys", b"v17 is out")?;
/// let mut roles = handle.watch("role");
/// while let Ok(change) = roles.recv() {
///     match change {
///         Change::Set { member, entry } => println!("{member}: {:?}", entry.value()),
///         Change::Deleted { member, last } => println!("{member}: no {} any more", last.key()),
///         Change::Resync => println!("some values were too quick for us"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # The end
/// Dropping the last handle asks the node to leave, behind everything that was accepted. Once the leave is handed out the
/// driver ends: commands return [`CommandError::Closed`], events run out, the view stays as it was last. To come back,
/// bind again.
#[derive(Clone)]
pub struct Handle {
    inner: SharedArc<Inner>,
}

struct Inner {
    id: NodeId,
    addr: SocketAddr,
    bound: SocketAddr,
    /// What commands must fit.
    limits: Config,
    ends: Ends,
    recorder: Option<Recorder>,
    /// It was started with a keyring.
    #[cfg_attr(not(feature = "aead"), allow(dead_code, reason = "nobody is"))]
    is_sealed: bool,
}

impl Handle {
    pub(crate) fn new(
        (id, addr, bound): (NodeId, SocketAddr, SocketAddr),
        limits: Config,
        ends: Ends,
        recorder: Option<Recorder>,
        is_sealed: bool,
    ) -> Self {
        Self { inner: SharedArc::new(Inner { id, addr, bound, limits, ends, recorder, is_sealed }) }
    }

    /// Contacts these seeds until one answers: socket addresses, or [`Seed`]s, which may be names. The node's own
    /// addresses among them are ignored, so every node can be given the same list. What earlier calls have named counts
    /// on.
    ///
    /// Addresses are contacted at once, and names when they are resolved ([`crate::Resolver`]), by all their addresses.
    /// A name that cannot be resolved is tried again without end, and one whose resolution takes longer than
    /// `Config::join_retry` does not keep the others waiting. Names are resolved anew while no seed has answered, while
    /// the node is alone, and, at a slower pace, while some of their addresses are no live member's: so a seed may move.
    ///
    /// ```
    /// # fn join(handle: &swim_driver::Handle) -> Result<(), Box<dyn std::error::Error>> {
    /// handle.join(&["10.0.0.1:7946".parse::<std::net::SocketAddr>()?])?;
    /// handle.join(&["db.example:7946".parse::<swim_driver::Seed>()?])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted. More than `Config::seeds_max` seeds are
    /// [`CommandError::TooManySeeds`]; a seed on another machine, when this node advertises a loopback address, is
    /// [`CommandError::OnlyHere`].
    pub fn join<S: Clone + Into<Seed>>(&self, seeds: &[S]) -> Result<(), CommandError> {
        let max = self.inner.limits.seeds_max;
        if seeds.len() > max {
            return Err(CommandError::TooManySeeds { seeds: seeds.len(), max });
        }
        let (mut addrs, mut names) = (Vec::new(), Vec::new());
        for seed in seeds.iter().cloned() {
            match seed.into().into_name() {
                Ok(name) => names.push(name),
                Err(addr) => addrs.push(addr),
            }
        }
        advertise::check(self.inner.addr, &addrs).map_err(CommandError::OnlyHere)?;
        self.inner.ends.mailbox.push(Order::Join { addrs: addrs.into(), names: names.into() })
    }

    /// Says goodbye. The driver ends once the leave is handed out; [`Self::wait_closed`] waits for it.
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted.
    pub fn leave(&self) -> Result<(), CommandError> {
        self.inner.ends.mailbox.push(Order::Leave)
    }

    /// Says this about the node from now on: at once, or when a second has passed since it changed last. Of what is set
    /// meanwhile the last one stands, also in [`Self::view`].
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted.
    pub fn set_profile(&self, profile: Profile) -> Result<(), CommandError> {
        self.inner.ends.mailbox.push(Order::SetProfile(profile))
    }

    /// Tells everybody this, once, and this node's own subscribers, too ([`Self::rumors`]). Members that are reached get it
    /// within some gossip intervals, and for `Config::rumor_ttl` those who missed it get it by the sync behind. Nothing says who
    /// has got it.
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted; [`CommandError::TooLong`] when it does not fit into a datagram.
    pub fn broadcast(&self, topic: &str, payload: &[u8]) -> Result<(), CommandError> {
        self.inner.limits.check_rumor(topic, payload).map_err(CommandError::TooLong)?;
        self.inner.ends.mailbox.push(Order::Broadcast { topic: topic.into(), payload: payload.into() })
    }

    /// Writes an entry of this node's own state, in the place of the one with this key, if there is one. It is there until it is
    /// deleted, or this process ends; everybody finds it in his view ([`crate::MemberView::get`]). The value that is there
    /// already changes nothing.
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted. [`CommandError::TooLong`] names a limit that this entry is beyond, and
    /// [`CommandError::StateFull`] says that all entries accepted so far leave no room for it.
    pub fn put(&self, key: &str, value: &[u8]) -> Result<(), CommandError> {
        self.put_for(key, value, None)
    }

    /// The same, for a while: the entry vanishes everywhere when so much time has passed since it was last put.
    ///
    /// # Errors
    /// As [`Self::put`]; the longest time is `Config::TTL_MAX`.
    pub fn put_with_ttl(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), CommandError> {
        self.put_for(key, value, Some(ttl))
    }

    pub(crate) fn put_for(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), CommandError> {
        let Ends { own, mailbox, .. } = &self.inner.ends;
        self.inner.limits.check_put(key, value, ttl).map_err(CommandError::TooLong)?;
        own.put(mailbox, key, value, ttl).map(Due::wake)
    }

    /// Deletes an entry of this node's own state, if it is there.
    ///
    /// # Errors
    /// [`CommandError`] when the command is not accepted.
    pub fn delete(&self, key: &str) -> Result<(), CommandError> {
        let Ends { own, mailbox, .. } = &self.inner.ends;
        self.inner.limits.check_key(key).map_err(CommandError::TooLong)?;
        own.delete(mailbox, key).map(Due::wake)
    }

    /// This node's identity.
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// The address that this node advertises.
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr
    }

    /// The address that its socket is bound to, with the port that the system has picked if it was to.
    pub fn bound(&self) -> SocketAddr {
        self.inner.bound
    }

    /// Everybody the node knows, as of now, or this node alone where [`crate::Setup::publish_members`] says so. Cheap: no
    /// row is copied.
    pub fn view(&self) -> Arc<View> {
        self.inner.ends.view.get()
    }

    /// What happens from now on. To miss nothing, subscribe first and read the view then.
    pub fn events(&self) -> Events {
        Events::new(&self.inner.ends.events)
    }

    /// Rumors of this topic, or of all, from now on, those that this node broadcasts included.
    pub fn rumors(&self, topic: Option<&str>) -> Rumors {
        Rumors::new(&self.inner.ends.rumors, topic)
    }

    /// What comes that should not, from now on: datagrams that somebody else seals, forges or plays back.
    pub fn alerts(&self) -> Alerts {
        Alerts::new(&self.inner.ends.alerts)
    }

    /// Opens and seals with this ring from now on, in place of the one before. What is sealed with a key that is not in it is not
    /// heard any more, whoever has sent it. Another key in use is another session: others ask once for its proof.
    ///
    /// A ring takes the place of one that the node was not given yet, which [`Self::undelivered`] counts.
    ///
    /// To exchange a key without a loss, take each step on all nodes before the next: [`Keyring::add`], [`Keyring::use_key`],
    /// [`Keyring::remove`]. Who still seals with the one that is to be removed, is in [`Counters::keys`].
    ///
    /// # Errors
    /// [`CommandError::Closed`], or [`CommandError::NotSealed`] when the node was started without a keyring.
    #[cfg(feature = "aead")]
    pub fn set_keyring(&self, ring: Keyring) -> Result<(), CommandError> {
        if !self.inner.is_sealed {
            return Err(CommandError::NotSealed);
        }
        self.inner.ends.mailbox.put_keyring(ring)
    }

    /// What is in the states of all members under keys that begin so, and every change of it from now on. An empty prefix is
    /// that of all keys. It shows what [`Self::view`] does: this node alone where [`crate::Setup::publish_members`] says so.
    pub fn watch(&self, prefix: &str) -> Watch {
        Watch::new(&self.inner.ends.view, prefix)
    }

    /// Blocks the thread until there is a view of another version than `seen`, and returns it. `None` when there is none
    /// within `timeout`, or when there will be none because the driver has ended.
    pub fn wait_changed(&self, seen: u64, timeout: Duration) -> Option<Arc<View>> {
        self.inner.ends.view.wait_view(timeout, |view| view.version() != seen)
    }

    /// Waits until there is a view of another version than `seen`, and returns it; `None` when there will be none because
    /// the driver has ended.
    ///
    /// May be given up at any time, in a `select!` for example: nothing is lost, the next call sees the same.
    pub async fn changed(&self, seen: u64) -> Option<Arc<View>> {
        self.inner.ends.view.view_when(|view| view.version() != seen).await
    }

    /// Waits until the view is as wanted, and returns it; `None` when it never will be because the driver has ended.
    ///
    /// May be given up at any time.
    pub async fn view_when(&self, wanted: impl Fn(&View) -> bool) -> Option<Arc<View>> {
        // Asked when no lock is held: it is foreign code.
        let mut view = self.view();
        loop {
            if wanted(&view) {
                return Some(view);
            }
            view = self.changed(view.version()).await?;
        }
    }

    /// Waits until the driver has ended. The socket is closed when the driver is dropped, which for one that runs as a task
    /// is when that task has ended.
    ///
    /// May be given up at any time. It does not keep the node from leaving: that begins with [`Self::leave`], or with the
    /// drop of the last handle, and this is a use of one.
    pub async fn closed(&self) {
        self.inner.ends.view.closed().await;
    }

    /// Blocks the thread until the view is as wanted, and returns it. `None` when it is not within `timeout`, or when it never
    /// will be because the driver has ended.
    pub fn wait_view(&self, timeout: Duration, wanted: impl Fn(&View) -> bool) -> Option<Arc<View>> {
        let end = deadline(timeout);
        let mut view = self.view();
        loop {
            if wanted(&view) {
                return Some(view);
            }
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            view = self.wait_changed(view.version(), left)?;
        }
    }

    /// Blocks the thread until the driver has ended; `false` when it has not within `timeout`. The socket is closed when
    /// the driver is dropped, which for a driver that runs by itself is just after.
    pub fn wait_closed(&self, timeout: Duration) -> bool {
        self.inner.ends.view.wait_closed(timeout)
    }

    /// Whether the driver has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.ends.view.is_closed()
    }

    /// What node and driver have counted, for a metrics endpoint for example: all, but for what the driver is handling just
    /// now.
    pub fn counters(&self) -> Counters {
        *lock(&self.inner.ends.counters)
    }

    /// The node's flight recorder, where [`crate::Setup::record`] asks for one.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.inner.recorder.as_ref()
    }

    /// How many accepted commands the node was never given: the last ones, because the driver was dropped before, and keyrings that
    /// a newer one has replaced.
    pub fn undelivered(&self) -> usize {
        self.inner.ends.mailbox.undelivered()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ends.mailbox.goodbye();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("addr", &self.addr()).finish_non_exhaustive()
    }
}
