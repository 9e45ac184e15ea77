//! What a node knows of its cluster, as an immutable value.
//!
//! Invariant: a view holds exactly the node's rows as they stood at the end of one drain, itself and tombstones included,
//! or its own row alone where it was set up so; two views of the same version are equal.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use swim_core::{Event, Evidence, Fact, Incarnation, Member, Node, NodeId, Profile, State, Status};

use crate::rows::Rows;

/// Everybody a node knows, at one moment. Immutable, and cheap to get and to keep: views share what did not change
/// between them.
///
/// The views of two nodes are eventually the same, and need not be now. So a view is a hint, and never authority for
/// exclusive ownership.
#[derive(Clone, Debug)]
pub struct View {
    version: u64,
    me: NodeId,
    shown: Shown,
    live: usize,
    rows: Rows,
}

/// Whose rows a view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    /// This node's own, and no other.
    Me,
}

/// One member in a [`View`].
#[derive(Clone, PartialEq, Eq)]
pub struct MemberView {
    id: NodeId,
    addr: SocketAddr,
    status: Status,
    profile: Profile,
    /// `None` when there is nothing to tell, so that a healthy cluster pays for no list.
    evidence: Option<Arc<[Evidence]>>,
}

impl View {
    /// The view of a node that nothing has been published of yet.
    pub(crate) fn of(node: &Node, shown: Shown) -> Self {
        let mut view = Self { version: 0, me: node.me().id(), shown, live: 0, rows: Rows::default() };
        let others = if shown == Shown::All { node.members().len() } else { 0 };
        for member in node.members().take(others).chain([node.me()]) {
            view.put(member.id(), Some(MemberView::of(member, node)));
        }
        view
    }

    /// Counts the publications: 0 is the view before the first, and a change that is visible is a new version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Every member that is known, this node and tombstones (dead and left members) included, in no particular order.
    /// This node alone where [`crate::Setup::publish_members`] says so.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &MemberView> + Clone {
        self.rows.iter()
    }

    /// The member of this id, if it is known.
    pub fn member(&self, id: NodeId) -> Option<&MemberView> {
        self.rows.get(id)
    }

    /// This node itself.
    pub fn me(&self) -> &MemberView {
        self.rows.get(self.me).expect("a node's own row is there from the start and is never taken out")
    }

    /// Members that are alive or suspect, this node included; of those that the view shows.
    pub fn live_count(&self) -> usize {
        self.live
    }

    /// Brings the view to where the node is after these events; on whether anything has changed.
    pub(crate) fn follow(this: &mut Arc<Self>, node: &Node, events: &[Event]) -> bool {
        let all = this.shown == Shown::All;
        if all && events.iter().any(|event| matches!(event, Event::Lagged { .. })) {
            // Which rows have changed is not known.
            *this = Arc::new(Self { version: this.version + 1, ..Self::of(node, Shown::All) });
            return true;
        }
        let mut changed = false;
        let named = if all { events } else { &[] };
        for id in named.iter().filter_map(Event::member).chain([node.me().id()]) {
            let row = node.member(id).map(|member| MemberView::of(member, node));
            if this.member(id) != row.as_ref() {
                // Copies what somebody else still looks at, and only that.
                Self::put(Arc::make_mut(this), id, row);
                changed = true;
            }
        }
        if changed {
            Arc::make_mut(this).version += 1;
        }
        debug_assert!(
            !all || (this.rows.len(), this.live) == (node.members().len(), node.live_count()),
            "an event is missing"
        );
        changed
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn shows_all(&self) -> bool {
        self.shown == Shown::All
    }

    fn put(&mut self, id: NodeId, row: Option<MemberView>) {
        let live = row.as_ref().is_some_and(|row| row.state().is_live());
        let former = match row {
            Some(row) => self.rows.insert(row),
            None => self.rows.remove(id),
        };
        self.live -= usize::from(former.is_some_and(|row| row.state().is_live()));
        self.live += usize::from(live);
    }
}

impl MemberView {
    fn of(member: Member<'_>, node: &Node) -> Self {
        // A long profile shares its bytes with the node's own row.
        let profile = member.profile().clone();
        let evidence = worth_keeping(node, member.id());
        Self { id: member.id(), addr: member.addr(), status: member.status(), profile, evidence }
    }

    /// Who.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where it is reached.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is believed of it.
    pub fn state(&self) -> State {
        self.status.state()
    }

    /// Which life of it, and how often it has refuted in it.
    pub fn incarnation(&self) -> Incarnation {
        self.status.incarnation()
    }

    /// State and incarnation, as they are ordered.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What it says about itself.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The name in its profile.
    pub fn name(&self) -> &str {
        self.profile.name()
    }

    /// The metadata in its profile.
    pub fn meta(&self) -> &[u8] {
        self.profile.meta()
    }

    /// What led to its status, oldest first: what [`Node::why`] said when the last event named this member. Facts noted
    /// since come with the next one. Empty while all there is to tell is that it is there; bounded, so it may begin in
    /// the middle.
    ///
    /// Times are those of the driver's clock.
    pub fn evidence(&self) -> &[Evidence] {
        self.evidence.as_deref().unwrap_or_default()
    }
}

/// A copy of the facts about a member, unless they are none or merely that it is there.
fn worth_keeping(node: &Node, id: NodeId) -> Option<Arc<[Evidence]>> {
    let mut facts = node.why(id);
    match (facts.next()?.fact, facts.next()) {
        (Fact::Up { .. }, None) => None,
        _ => Some(node.why(id).copied().collect()),
    }
}

impl fmt::Debug for MemberView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.id, self.addr, self.status, self.profile)
    }
}

#[cfg(test)]
impl MemberView {
    /// A row for tests of what keeps rows.
    pub(crate) fn sample(id: u64, refutations: u32) -> Self {
        Self {
            id: NodeId::new(id),
            addr: ([10, 0, 0, 1], 7_946).into(),
            status: Status::alive(Incarnation::new(1, refutations)),
            profile: Profile::default(),
            evidence: None,
        }
    }
}
