//! Which allocations are looked at: every byte with the same small probability, so that sums over the sample are unbiased.
//!
//! The gaps between sampled bytes are exponentially distributed (a Poisson process over the bytes that are allocated). An
//! allocation of `s` bytes is sampled when it contains one at least, which has the probability `1 - exp(-s/mean)`; it then
//! stands for the inverse of that many blocks. The method of tcmalloc's heap profiler and of Go's.
//!
//! Own `exp` and `ln`: the library links no libm. Their errors (below one in ten thousand) are far below the sampling's own.

/// A random number generator of a thread: xorshift64*.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        // A state of zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn draw(&mut self) -> u64 {
        let mut x = self.0;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Bytes until the next sampled one.
pub fn gap(random: &mut Random, mean: u64) -> i64 {
    // In (0, 1].
    let u = ((random.draw() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    ((-ln(u) * mean as f64) as i64).max(1)
}

/// How many blocks, and how many bytes, a sampled block of `size` bytes stands for. Rounded up or down by chance, so that
/// the sum of many is right.
pub fn weight(random: &mut Random, size: u64, mean: u64) -> (u64, u64) {
    let size = size.max(1);
    let x = size as f64 / mean as f64;
    // For small x the difference 1 - exp(-x) would lose its digits: its series.
    let p = if x < 1e-3 { x * (1.0 - x / 2.0) } else { 1.0 - exp_neg(x) };
    let blocks = 1.0 / p;
    let rounding = (random.draw() >> 11) as f64 / (1u64 << 53) as f64;
    ((blocks + rounding) as u64, (blocks * size as f64 + 0.5) as u64)
}

/// exp(-x) for x ≥ 0: halved until small, its series, squared back.
fn exp_neg(x: f64) -> f64 {
    if x > 700.0 {
        return 0.0;
    }
    let mut y = x;
    let mut halved = 0;
    while y > 0.125 {
        y /= 2.0;
        halved += 1;
    }
    let mut e = 1.0 - y * (1.0 - y / 2.0 * (1.0 - y / 3.0 * (1.0 - y / 4.0 * (1.0 - y / 5.0))));
    for _ in 0..halved {
        e *= e;
    }
    e
}

/// The natural logarithm of u in (0, 1].
fn ln(u: f64) -> f64 {
    let bits = u.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    // The mantissa in [1, 2), then in [0.7, 1.42).
    let mut m = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let mut e = exponent as f64;
    if m > core::f64::consts::SQRT_2 {
        m /= 2.0;
        e += 1.0;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)).
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let series = 1.0 + t2 * (1.0 / 3.0 + t2 * (1.0 / 5.0 + t2 * (1.0 / 7.0 + t2 / 9.0)));
    e * core::f64::consts::LN_2 + 2.0 * t * series
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn own_functions_are_those_of_libm() {
        for i in 1..=100_000u32 {
            let u = f64::from(i) / 100_000.0;
            assert!((ln(u) - u.ln()).abs() < 1e-6, "ln {u}");
            let x = f64::from(i) / 1000.0;
            assert!((exp_neg(x) - (-x).exp()).abs() < 1e-5, "exp -{x}");
        }
    }

    #[test]
    fn estimates_are_unbiased() {
        let mean = 4096;
        let mut random = Random::new(1);
        for size in [16u64, 100, 1000, 5000, 100_000] {
            let (mut left, mut blocks, mut bytes) = (gap(&mut random, mean), 0, 0);
            let count = 40_000_000 / size;
            for _ in 0..count {
                left -= size as i64;
                if left < 0 {
                    let (b, s) = weight(&mut random, size, mean);
                    blocks += b;
                    bytes += s;
                    left = gap(&mut random, mean);
                }
            }
            let error = |estimate: u64, truth: u64| (estimate as f64 / truth as f64 - 1.0).abs();
            assert!(error(blocks, count) < 0.05, "{size}: {blocks} of {count} blocks");
            assert!(error(bytes, count * size) < 0.05, "{size}: {bytes} bytes");
        }
    }
}
