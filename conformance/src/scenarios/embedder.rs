//! What an embedder's threads see: events in order and without silent gaps, and views that they explain.

use std::{panic, thread};

use swim_core::{Event, NodeId, State, Status};
use swim_driver::{Events, Handle, TryRecvError, View};

use super::common::*;
use super::data;
use crate::{Harness, Peer, Run, Spec};

/// Events that a subscriber may be behind before it misses the oldest, as `swim_driver::Events` says.
const KEPT: usize = 1_024;

/// Of two subscribers of a node one reads all along, the other not until the end, when it is more than 1024 events behind: it
/// is told how many it has missed, exactly, and is given the others in order. The node waits for neither, and its view is
/// right.
pub fn a_subscriber_that_never_reads_knows_what_it_missed<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let handle = h.handle(one);
    let (mut reader, mut sleeper) = subscribe_twice(&handle);
    let mut all = Vec::new();
    // More at a time would be too many for the reader, too, and for the mailbox.
    for batch in 0..3_u8 {
        for i in 0..200_u8 {
            [0, 1, 2].iter().for_each(|&j| data::put(&mut h, one, "count", &[batch, i, j]));
        }
        let taken = |h: &mut H| {
            all.extend(drain(&mut reader).0);
            h.view(one).me().get("count") == Some(&[batch, 199, 2])
        };
        h.until(soon(&h), taken).expect("the node takes all commands");
    }
    let known = |h: &mut H| {
        all.extend(drain(&mut reader).0);
        data::all_have(h, &nodes, one, "count", Some(&[2, 199, 2])) && h.is_whole(5)
    };
    h.until(soon(&h), known).expect("its own view is right, and so are all others");
    // After its end there are no events that only one of the two could have.
    h.leave(one);
    h.until(soon(&h), |_| handle.is_closed()).expect("the node leaves");
    let (rest, end) = drain(&mut reader);
    all.extend(rest);
    assert_eq!(end, TryRecvError::Closed);
    assert!(!all.iter().any(|e| matches!(e, Event::Lagged { .. })), "who reads misses nothing");
    assert!(all.iter().filter(|e| **e == Event::StateChanged { id: h.id(one) }).count() == 1_800, "{}", all.len());
    let (late, end) = drain(&mut sleeper);
    assert_eq!(end, TryRecvError::Closed);
    let missed = all.len() - KEPT;
    assert_eq!(late[0], Event::Lagged { missed: missed as u64 });
    assert!(late[1..] == all[missed..], "{} of {} events", late.len(), all.len());
}

/// Two subscriptions with the same beginning.
fn subscribe_twice(handle: &Handle) -> (Events, Events) {
    for _ in 0..1_000 {
        let (mut first, second) = (handle.events(), handle.events());
        // The first would have what came between the two.
        if first.try_recv() == Err(TryRecvError::Empty) {
            return (first, second);
        }
    }
    panic!("a cluster at rest reports all the time");
}

/// What befalls a cluster of five while one of them looks on.
struct Commotion {
    joins: Peer,
    writes: Peer,
    dies: Peer,
    leaves: Peer,
}

impl Commotion {
    /// All of it at once. `rest` are four that the onlooker is none of.
    fn begin<H: Harness>(h: &mut H, run: &mut Run, rest: &[Peer]) -> Self {
        let mut rest = rest.to_vec();
        let (writes, dies, leaves) = (run.take(&mut rest), run.take(&mut rest), run.take(&mut rest));
        h.kill(dies);
        h.set_meta(writes, b"written");
        h.leave(leaves);
        let joins = h.spawn(Spec::named("newcomer").meta(b"new"));
        h.join_through(joins, &rest);
        Self { joins, writes, dies, leaves }
    }

    /// Whether this view shows all of it.
    fn is_shown<H: Harness>(&self, h: &H, view: &View) -> bool {
        let row = |p| view.member(h.id(p)).map(|row| (row.state(), row.meta()));
        row(self.joins) == Some((State::Alive, b"new"))
            && row(self.writes) == Some((State::Alive, b"written"))
            && row(self.dies).is_some_and(|(state, _)| state == State::Dead)
            && row(self.leaves).is_some_and(|(state, _)| state == State::Left)
            && view.live_count() == 4
    }
}

/// An embedder that looks at the view only when all is over finds it right, and in the events that it has not read what has led
/// there; a view that it has held all along shows what it showed when it was got.
pub fn a_view_read_late_is_right<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let handle = h.handle(one);
    let mut events = handle.events();
    let early = handle.view();
    let commotion = Commotion::begin(&mut h, run, &others(&nodes, one));
    // Who comes later is taught nobody's death.
    let meanwhile = others(&others(&h.running(), one), commotion.joins);
    let over = |h: &mut H| meanwhile.iter().all(|&p| !h.is_running(p) || commotion.is_shown(h, &h.view(p)));
    h.until(detection(&h, 5), over).expect("the others know it all");
    h.until(soon(&h), |h| commotion.is_shown(h, &handle.view())).expect("and so does this one");
    let late = handle.view();
    assert!(late.version() > early.version());
    assert_eq!((early.live_count(), early.members().len()), (5, 5));
    assert!(nodes.iter().all(|&p| early.member(h.id(p)).is_some_and(|row| row.state() == State::Alive)));
    let (told, _) = drain(&mut events);
    assert!(!told.iter().any(|e| matches!(e, Event::Lagged { .. })), "there were few");
    let once = |hit: &dyn Fn(&Event) -> bool| told.iter().filter(|e| hit(e)).count() == 1;
    let down = |p, left| once(&|e| matches!(*e, Event::MemberDown { id, left: l, .. } if (id, l) == (h.id(p), left)));
    assert!(down(commotion.dies, false) && down(commotion.leaves, true), "{told:?}");
    assert!(once(&|e| matches!(*e, Event::MemberUp { id, .. } if id == h.id(commotion.joins))), "{told:?}");
    assert!(once(&|e| *e == Event::MemberUpdated { id: h.id(commotion.writes) }), "{told:?}");
}

/// A thread that waits for events finds the effect of each in the view at once: no view is behind an event that was told. And
/// in the end all that has led to the view is told.
pub fn a_view_is_never_behind_its_events<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let handle = h.handle(one);
    // Its own thread, where it may wait: it ends with the events, also when the scenario fails.
    let (mut events, clone) = (handle.events(), handle.clone());
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        while let Ok(event) = events.recv() {
            explained(&event, &clone.view());
            seen.push(event);
        }
        seen
    });
    let commotion = Commotion::begin(&mut h, run, &others(&nodes, one));
    h.until(detection(&h, 5), |h| commotion.is_shown(h, &handle.view())).expect("it comes to know it all");
    handle.leave().expect("it runs");
    h.until(soon(&h), |_| handle.is_closed()).expect("it leaves");
    let seen = reader.join().unwrap_or_else(|e| panic::resume_unwind(e));
    let told = |hit: fn(&Event) -> Option<NodeId>, p| seen.iter().filter_map(hit).any(|id| id == h.id(p));
    assert!(told(|e| if let Event::MemberUp { id, .. } = *e { Some(id) } else { None }, commotion.joins), "{seen:?}");
    assert!(told(|e| if let Event::MemberUpdated { id } = *e { Some(id) } else { None }, commotion.writes), "{seen:?}");
    for p in [commotion.dies, commotion.leaves] {
        assert!(told(|e| if let Event::MemberDown { id, .. } = *e { Some(id) } else { None }, p), "{seen:?}");
    }
    assert_eq!(seen.last(), Some(&Event::Left));
}

/// A view that is no older than this event has at least what it tells: what is believed of a member only ever grows.
fn explained(event: &Event, view: &View) {
    let status = |id| view.member(id).map(|row| row.status());
    let shown = match *event {
        Event::MemberUp { id, incarnation }
        | Event::MemberRestarted { id, incarnation }
        | Event::MemberRefuted { id, incarnation } => status(id) >= Some(Status::alive(incarnation)),
        Event::MemberSuspect { id, incarnation, .. } => status(id) >= Some(Status::new(incarnation, State::Suspect)),
        Event::MemberDown { id, incarnation, left } => {
            status(id) >= Some(Status::new(incarnation, if left { State::Left } else { State::Dead }))
        }
        // Each of those that write in these scenarios does so once.
        Event::MemberUpdated { id } => view.member(id).is_some_and(|row| !row.meta().is_empty()),
        Event::MemberMoved { id, from } => view.member(id).is_some_and(|row| row.addr() != from),
        Event::Refuted { incarnation } => view.me().incarnation() >= incarnation,
        Event::Left => view.me().state() == State::Left,
        Event::Joined { members } | Event::Converged { members } => view.members().len() >= members as usize,
        Event::Lagged { missed } => panic!("{missed} events missed by who reads all along"),
        _ => true,
    };
    assert!(shown, "{event:?}, and the view has {:?}", view.members().collect::<Vec<_>>());
}
