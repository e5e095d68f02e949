//! Seeded pseudo-random numbers: xoshiro256++ (Blackman and Vigna, 2019), its state filled by SplitMix64.
//!
//! Not for secrets. Streams of one seed are told apart by a number, so that what one site, object or id draws
//! never depends on what another drew.

/// A stream of pseudo-random numbers.
pub(crate) struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// Returns the stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Rng {
        let mut mixer = seed ^ stream.wrapping_mul(0xD134_2543_DE82_EF95);
        let state = std::array::from_fn(|_| split_mix(&mut mixer));
        Rng { state }
    }

    /// Returns the next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c1, d1) = (c ^ a, d ^ b);
        self.state = [a ^ d1, b ^ c1, c1 ^ (b << 17), d1.rotate_left(45)];
        result
    }

    /// Returns a number in `0..n`; `n` is at least 1. The bias of the multiplication is below 2^-32 for our sizes.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// Returns a number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Returns one element.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Shuffles in place (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// Returns an AWS resource id: `prefix`, then `0` and 16 hexadecimal digits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}0{:016x}", self.next())
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let a = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    b ^ (b >> 31)
}
