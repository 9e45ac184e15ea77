use loom::future::block_on;
use loom::thread;
use swim_core::Config;

use crate::cell::ViewCell;
use crate::mailbox::{CommandError, Due, Mailbox};
use crate::own_state::OwnState;
use crate::sync::Arc;
use crate::view::{MemberView, View};
use crate::watch::{Change, Watch};

fn is_set(change: &Change, wanted: &str) -> bool {
    matches!(change, Change::Set { entry, .. } if entry.value() == wanted.as_bytes())
}

/// Without an end that would wake whoever a change has not woken.
#[test]
fn no_change_is_slept_through() {
    loom::model(|| {
        let cell = Arc::new(ViewCell::new(View::sample(1, [MemberView::sample(1, 0)])));
        let (mut here, mut there) = (Watch::new(&cell, "a"), Watch::new(&cell, "a"));
        let task = thread::spawn(move || block_on(there.recv_async()));
        let pump = thread::spawn(move || {
            for entries in [&[("b", "", 1)][..], &[("a", "last", 2), ("b", "", 1)]] {
                cell.publish(|view| {
                    *view = View::with(view, 1, Some(entries));
                    true
                });
            }
        });
        assert!(is_set(&here.recv().unwrap(), "last") && is_set(&task.join().unwrap().unwrap(), "last"));
        pump.join().unwrap();
    });
}

/// There is room for one of two, and the mailbox has the one that was accepted; and what is deleted makes room for the next.
#[test]
fn two_share_the_room() {
    loom::model(|| {
        let mut config = Config::local("c");
        config.state_bytes = 30;
        let shared = Arc::new((OwnState::new(&config), Mailbox::new()));
        let other = Arc::clone(&shared);
        let put = |(own, mailbox): &(OwnState, Mailbox), key: &str| own.put(mailbox, key, &[7; 8], None).map(Due::wake);
        let thread = thread::spawn(move || {
            let done = put(&other, "a");
            other.0.delete(&other.1, "a").unwrap().wake();
            done.is_ok()
        });
        let done = match put(&shared, "b") {
            Ok(()) => true,
            Err(CommandError::StateFull { bytes: 50, max: 30 }) => false,
            Err(e) => panic!("{e}"),
        };
        assert!(thread.join().unwrap() || done);
        shared.0.check().unwrap();
        assert_eq!(shared.0.bytes(), if done { 25 } else { 0 });
        let orders = std::iter::from_fn(|| shared.1.take()).count();
        assert!(orders >= 2, "a put of either, and the deletion");
    });
}
