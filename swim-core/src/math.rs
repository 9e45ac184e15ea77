//! Logarithms without floating point, so that every machine takes the same decision.

/// log2(x) in units of 2^-16, truncated; 0 for x ≤ 1. By repeated squaring: bit k of the fraction is set when the
/// square of the mantissa passes 2.
pub(crate) const fn log2_q16(x: u64) -> u64 {
    if x <= 1 {
        return 0;
    }
    let whole = 63 - x.leading_zeros() as u64;
    // The mantissa in [1, 2) with 31 fractional bits; its square fits 64 bits.
    let mut m = if whole >= 31 { x >> (whole - 31) } else { x << (31 - whole) };
    let mut fraction = 0;
    let mut bit = 1 << 15;
    while bit > 0 {
        m = (m * m) >> 31;
        if m >= 1 << 32 {
            m >>= 1;
            fraction |= bit;
        }
        bit >>= 1;
    }
    (whole << 16) | fraction
}

/// ⌈percent/100 · ln(n+1)⌉: how often an update is sent (SWIM §4.1 with λ = percent/100).
pub(crate) const fn retransmit_limit(percent: u64, n: u64) -> u64 {
    // ln 2 in Q16, times Q16, times 100.
    const LN2_Q16: u64 = 45_426;
    (percent * ((log2_q16(n.saturating_add(1)) * LN2_Q16) >> 16)).div_ceil(100 << 16)
}

/// max(1, log10(n)) in units of 2^-16: how a suspicion time-out grows with the cluster (Lifeguard §III-B).
pub(crate) const fn log10_scale_q16(n: u64) -> u64 {
    const LOG10_2_Q16: u64 = 19_728;
    let v = (log2_q16(n) * LOG10_2_Q16) >> 16;
    if v < 1 << 16 { 1 << 16 } else { v }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log2_agrees_with_floats() {
        for x in (1..100_000_u64).chain([1 << 31, 1 << 32, u64::MAX / 3, u64::MAX]) {
            let want = (x as f64).log2() * 65_536.0;
            let got = log2_q16(x) as f64;
            assert!((got - want).abs() < 2.0, "log2({x}): {got} for {want}");
        }
    }

    #[test]
    fn golden() {
        assert_eq!([0, 1, 2, 3, 10, 1000].map(log2_q16), [0, 0, 65_536, 103_872, 217_705, 653_117]);
        assert_eq!([1, 2, 10, 100, 1_000, 100_000].map(|n| retransmit_limit(300, n)), [3, 4, 8, 14, 21, 35]);
        assert_eq!([1, 2, 10, 100, 1_000].map(|n| log10_scale_q16(n) >> 13), [8, 8, 8, 15, 23]);
    }
}
