//! The example does what it says.

// As a program it has a `main`, which nobody calls here.
#[expect(dead_code)]
#[path = "../examples/worker.rs"]
mod worker;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use smol::future::FutureExt as _;

#[test]
fn the_workers_share_all_jobs_and_take_over() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let work = async {
        let (first, driver) = worker::start("a", any, Vec::new()).await.unwrap();
        let mut workers = vec![(first, smol::spawn(driver))];
        assert_eq!(worker::mine(&workers[0].0.view()).len() as u64, worker::JOBS, "alone it has all");
        for name in ["b", "c"] {
            let (node, driver) = worker::start(name, any, vec![workers[0].0.addr().into()]).await.unwrap();
            workers.push((node, smol::spawn(driver)));
        }
        let mut shares = Vec::new();
        for (node, _) in &workers {
            shares.push(worker::mine(&node.view_when(|view| view.live_count() == 3).await.expect("it runs")));
        }
        let all: BTreeSet<u64> = shares.iter().flatten().copied().collect();
        assert_eq!((all.len() as u64, shares.iter().map(BTreeSet::len).sum::<usize>() as u64), (100, worker::JOBS));
        assert!(shares.iter().all(|jobs| jobs.len() > 10), "{shares:?}");

        let (gone, task) = workers.pop().unwrap();
        gone.leave().unwrap();
        task.await.unwrap();
        for ((node, task), before) in workers.into_iter().zip(&shares) {
            let view = node.view_when(|view| view.live_count() <= 2).await.expect("it runs");
            assert!(worker::mine(&view).is_superset(before), "nobody loses a job by it");
            node.leave().unwrap();
            task.await.unwrap();
        }
    };
    smol::block_on(work.or(async {
        smol::Timer::after(Duration::from_secs(30)).await;
        panic!("not within half a minute");
    }));
}
