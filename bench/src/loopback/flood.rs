//! Pings a server as fast as it answers, with a bounded number of pings under way.

use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
use crate::agents::usage::cpu;

/// Who pings: what it sends, what of all that comes is an answer, and what it has to do besides to stay a member.
pub(crate) trait Client {
    fn ping(&self) -> &[u8];

    /// Whether this is an answer to a ping. What is not, is dealt with.
    fn hears(&mut self, datagram: &[u8], socket: &UdpSocket) -> io::Result<bool>;

    /// Does what is due.
    fn tend(&mut self, socket: &UdpSocket) -> io::Result<()>;

    /// Bytes of a ping, and of the last answer.
    fn sizes(&self) -> (usize, usize);
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) time: Duration,
    /// Of all threads of the server.
    pub(crate) cpu: Duration,
}

impl Round {
    /// Pings answered per second of the clock.
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.time.as_secs_f64()
    }

    /// Pings answered per second that the server has used a core.
    pub(crate) fn per_core(&self) -> f64 {
        self.answered as f64 / self.cpu.as_secs_f64()
    }
}

/// A client on its socket, which is connected to the server and does not block.
pub(crate) struct Flood<'a> {
    pub(crate) client: &'a mut dyn Client,
    pub(crate) socket: &'a UdpSocket,
    pub(crate) window: usize,
}

impl Flood<'_> {
    /// After a short one that is not counted, floods the server with this process id for so long.
    pub(crate) fn round(&mut self, server: u32, time: Duration) -> io::Result<Round> {
        let mut batch = Batch::new(self.window);
        let mut state = Window { under_way: 0, heard: Instant::now(), answered: 0, lost: 0 };
        self.run(&mut batch, &mut state, WARM_UP)?;
        (state.answered, state.lost) = (0, 0);
        let (cpu_before, start) = (cpu(server)?, Instant::now());
        self.run(&mut batch, &mut state, time)?;
        let (time, cpu) = (start.elapsed(), cpu(server)?.saturating_sub(cpu_before));
        Ok(Round { answered: state.answered, lost: state.lost, time, cpu })
    }

    fn run(&mut self, batch: &mut Batch, state: &mut Window, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        let mut tended = Instant::now();
        loop {
            if state.under_way <= self.window / 2 {
                state.under_way += batch.send(self.socket, self.client.ping(), self.window - state.under_way)?;
            }
            let got = batch.receive(self.socket)?;
            let mut answers = 0;
            for at in 0..got {
                answers += usize::from(self.client.hears(batch.datagram(at), self.socket)?);
            }
            state.answered += answers as u64;
            state.under_way = state.under_way.saturating_sub(answers);
            let now = Instant::now();
            if answers > 0 {
                state.heard = now;
            } else if now - state.heard > PATIENCE {
                state.lost += state.under_way as u64;
                (state.under_way, state.heard) = (0, now);
            } else if now - state.heard > IMPATIENCE {
                // The server has perhaps no core: then it may have this one.
                thread::yield_now();
            }
            if now - tended > TEND_EVERY {
                tended = now;
                self.client.tend(self.socket)?;
            }
            if now > end {
                return Ok(());
            }
        }
    }
}

struct Window {
    under_way: usize,
    /// When an answer came last.
    heard: Instant,
    answered: u64,
    lost: u64,
}

const WARM_UP: Duration = Duration::from_millis(200);
const TEND_EVERY: Duration = Duration::from_millis(2);
/// Much longer than an answer takes. Who gives its core away sooner is back late, and the server sleeps meanwhile.
const IMPATIENCE: Duration = Duration::from_millis(2);
/// Whatever is not answered by then is lost: in a full buffer, for example.
const PATIENCE: Duration = Duration::from_millis(200);
