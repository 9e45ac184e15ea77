//! Independent jobs on several threads, whose results do not depend on how many.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// The results of jobs 0, 1, ... in that order, whoever did which; on at least one thread. The first result of which `ends`
/// holds is the last.
pub(crate) fn in_parallel<T: Send>(
    threads: usize,
    jobs: u64,
    work: impl Fn(u64) -> T + Sync,
    ends: impl Fn(&T) -> bool + Sync,
) -> Vec<T> {
    let (next, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::new());
    let worker = || {
        // Jobs are handed out in their order, so all those before one that ends it are done.
        while !ended.load(Ordering::Relaxed) {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                return;
            }
            let result = work(job);
            ended.fetch_or(ends(&result), Ordering::Relaxed);
            done.lock().expect("no job panics while it adds its result").push((job, result));
        }
    };
    thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let mut done = done.into_inner().expect("no job panics while it adds its result");
    done.sort_unstable_by_key(|&(job, _)| job);
    let mut results: Vec<T> = done.into_iter().map(|(_, result)| result).collect();
    if let Some(last) = results.iter().position(&ends) {
        results.truncate(last + 1);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_once_and_their_results_are_in_order() {
        for threads in [0, 1, 3] {
            let doubled = in_parallel(threads, 100, |job| job * 2, |_| false);
            assert_eq!(doubled, (0..100).map(|job| job * 2).collect::<Vec<_>>());
            let until = in_parallel(threads, 1_000, |job| job, |&job| job >= 40 && job % 20 == 0);
            assert_eq!(until, (0..=40).collect::<Vec<_>>());
        }
        assert!(in_parallel(2, 0, |job| job, |_| false).is_empty());
    }
}
