//! What a node knows of its cluster, as an immutable value.
//!
//! Invariant: a view holds exactly the node's rows as they stood at the end of one drain, itself and tombstones included,
//! or its own row alone where it was set up so; two views of the same version are equal.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use swim_core::{Event, Evidence, Fact, Incarnation, Member, Node, NodeId, Profile, State, Status};

use crate::rows::Rows;
use crate::state::{EntryView, MemberState};

/// Everybody a node knows, at one moment. Immutable, and cheap to get and to keep: views share what did not change
/// between them.
///
/// Each row has its member's state, too ([`MemberView::get`]).
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
    state: MemberState,
    /// `None` when there is nothing to tell, so that a healthy cluster pays for no list.
    evidence: Option<Arc<[Evidence]>>,
}

impl View {
    /// The view of a node that nothing has been published of yet.
    pub(crate) fn of(node: &Node, shown: Shown) -> Self {
        let mut view = Self { version: 0, me: node.me().id(), shown, live: 0, rows: Rows::default() };
        let others = if shown == Shown::All { node.members().len() } else { 0 };
        for member in node.members().take(others).chain([node.me()]) {
            let state = state_of(node, member.id(), &MemberState::default(), 0, false);
            view.put(member.id(), Some(MemberView::of(member, node, state)));
        }
        view
    }

    /// A view that the next is compared with, so that all of it is new.
    pub(crate) fn before(&self) -> Self {
        Self { version: 0, me: self.me, shown: self.shown, live: 0, rows: Rows::default() }
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
            *this = Arc::new(this.afresh(node));
            return true;
        }
        let mut changed = false;
        let me = node.me().id();
        let named = events.iter().filter_map(|event| Some((event.member()?, is_of_state(event))));
        for (id, is_state) in named.filter(|&(id, _)| all || id == me).chain([(me, false)]) {
            let former = this.member(id).map(|row| &row.state);
            let row = node.member(id).map(|member| {
                // A state is as large as its owner likes, so only a change of its own is a reason to read it.
                let state = match former {
                    Some(former) if !is_state => former.clone(),
                    former => state_of(node, id, former.unwrap_or(&MemberState::default()), this.version + 1, false),
                };
                MemberView::of(member, node, state)
            });
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

    /// The next view, where it is not known which rows have changed, nor how often.
    fn afresh(&self, node: &Node) -> Self {
        let mut view = Self { version: self.version + 1, ..self.before() };
        for member in node.members() {
            let none = MemberState::default();
            let former = self.member(member.id()).map_or(&none, |row| &row.state);
            let state = state_of(node, member.id(), former, view.version, true);
            view.put(member.id(), Some(MemberView::of(member, node, state)));
        }
        view
    }

    /// Calls for every member whose state is not the same in both views: who, then and now. Costs by the change.
    pub(crate) fn states_differing(&self, now: &Self, mut tell: impl FnMut(NodeId, MemberState, MemberState)) {
        self.rows.differing(&now.rows, &mut |then, now| {
            let state = |row: Option<&MemberView>| row.map_or_else(MemberState::default, |row| row.state.clone());
            let (then_state, now_state) = (state(then), state(now));
            if let (Some(row), false) = (then.or(now), then_state.is(&now_state)) {
                tell(row.id, then_state, now_state);
            }
        });
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
    fn of(member: Member<'_>, node: &Node, state: MemberState) -> Self {
        // A long profile shares its bytes with the node's own row.
        let profile = member.profile().clone();
        let evidence = worth_keeping(node, member.id());
        Self { id: member.id(), addr: member.addr(), status: member.status(), profile, state, evidence }
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

    /// The value of this key in its state: what it has last put there in its present life, as far as it is known here. That
    /// of a dead member can still be read, until it is forgotten.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.state.find(key).map(EntryView::value)
    }

    /// Its state, in the order of the keys.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &EntryView> + Clone {
        self.state.entries().iter()
    }

    /// The version of its state when something was last seen to change in it: 0 while nothing of it is known. Greater with every
    /// write in the same life.
    pub fn state_version(&self) -> u32 {
        self.state.version()
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

/// A member's state as the node has it; what did not change since `former` is shared with it.
fn state_of(node: &Node, id: NodeId, former: &MemberState, publication: u64, skipped: bool) -> MemberState {
    MemberState::of(node.state_version(id), node.state(id), former, publication, skipped)
}

fn is_of_state(event: &Event) -> bool {
    matches!(event, Event::StateChanged { .. })
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
            state: MemberState::default(),
            evidence: None,
        }
    }

    pub(crate) fn with_state(self, state: MemberState) -> Self {
        Self { state, ..self }
    }

    #[cfg(not(loom))]
    pub(crate) fn kept_state(&self) -> &MemberState {
        &self.state
    }
}

#[cfg(test)]
impl View {
    /// A view of these rows, for tests of what reads views. This node is the first.
    pub(crate) fn sample(version: u64, rows: impl IntoIterator<Item = MemberView>) -> Self {
        let rows: Vec<_> = rows.into_iter().collect();
        let mut view = Self { version, me: rows[0].id, shown: Shown::All, live: 0, rows: Rows::default() };
        rows.into_iter().for_each(|row| view.put(row.id, Some(row)));
        view
    }

    /// The next view, with another state of this member, which it may be without.
    pub(crate) fn with(this: &Arc<Self>, id: u64, entries: Option<&[(&str, &str, u32)]>) -> Arc<Self> {
        let mut next = Self::clone(this);
        next.version += 1;
        let id = NodeId::new(id);
        let row = entries.map(|entries| {
            let version = entries.iter().map(|entry| entry.2).max().unwrap_or(0);
            let entries =
                entries.iter().map(|&(key, value, version)| swim_core::Entry { key, value: value.as_bytes(), version });
            let none = MemberState::default();
            let former = this.member(id).map_or(&none, |row| &row.state);
            MemberView::sample(id.as_u64(), 0).with_state(MemberState::of(
                version,
                entries,
                former,
                next.version,
                false,
            ))
        });
        next.put(id, row);
        Arc::new(next)
    }
}
