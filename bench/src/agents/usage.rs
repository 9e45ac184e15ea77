//! What a running process takes, as the system counts it.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time of all threads of the process so far, those included that have ended.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let process = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut clock = libc::clockid_t::default();
    // SAFETY: the call writes one clock id to where the pointer leads, which is `clock`.
    let failed = unsafe { libc::clock_getcpuclockid(process, &mut clock) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one time to where the pointer leads, which is `time`.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
}

/// In KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident: what is shared with others is in it, code above all.
    pub(crate) resident: u64,
    /// The same, what is shared divided by how many share it: added up over all processes, it is what they take.
    pub(crate) proportional: u64,
    /// What nobody else has: heap, stacks, data that was written to.
    pub(crate) private: u64,
}

pub(crate) fn memory(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next());
        value.and_then(|value| value.parse::<u64>().ok()).ok_or_else(|| io::Error::other(format!("no {name} is told")))
    };
    let private = field("Private_Clean")? + field("Private_Dirty")?;
    Ok(Memory { resident: field("Rss")?, proportional: field("Pss")?, private })
}

pub(crate) fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}
