//! What the papers print, as they print it.

use super::demers::Rumor;

/// One row of a table of Demers et al.: residue, traffic, mean and last delay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demers {
    pub(super) s: f64,
    pub(super) m: f64,
    pub(super) t_ave: Option<f64>,
    pub(super) t_last: f64,
}

/// The number of sites in all three tables.
pub(super) const DEMERS_NODES: u32 = 1000;

/// Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987, section 1.4: tables 1, 2 and 3.
pub(super) fn demers(rumor: Rumor, k: u32) -> Option<Demers> {
    let (s_m_t_last, t_ave): (&[[f64; 3]], &[f64]) = match rumor {
        Rumor::PushCounter => (
            &[[0.18, 1.7, 16.8], [0.037, 3.3, 16.9], [0.011, 4.5, 17.4], [0.0036, 5.6, 17.5], [0.0012, 6.7, 17.7]],
            &[11.0, 12.1, 12.5, 12.7, 12.8],
        ),
        Rumor::PushCoin => (
            &[[0.96, 0.04, 38.0], [0.20, 1.6, 33.0], [0.060, 2.8, 32.0], [0.021, 3.9, 32.0], [0.008, 4.9, 32.0]],
            &[19.0, 17.0, 15.0, 14.1, 13.8],
        ),
        Rumor::PullCounter => (&[[3.1e-2, 2.7, 17.6], [5.8e-4, 4.5, 15.4], [4.0e-6, 6.1, 14.0]], &[]),
    };
    let row = (k as usize).checked_sub(1)?;
    let &[s, m, t_last] = s_m_t_last.get(row)?;
    Some(Demers { s, m, t_ave: t_ave.get(row).copied(), t_last })
}
