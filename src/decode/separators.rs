//! Where a line's separators stand, found 64 bytes at a time: a bit for each byte, then the bits one by one.
//!
//! A call of `memchr` for each of 29 fields costs more than to look at all bytes of the line once, by words of eight.

/// Bytes that one mask stands for.
const BLOCK: usize = 64;

/// Calls `each` with the place of every space and tab, in their order.
#[inline]
pub(super) fn spaces(line: &[u8], mut each: impl FnMut(usize)) {
    let (blocks, rest) = line.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        bits(mask(block), number * BLOCK, &mut each);
    }
    if !rest.is_empty() {
        let mut last = [0; BLOCK];
        if let Some(head) = last.get_mut(..rest.len()) {
            head.copy_from_slice(rest);
        }
        bits(mask(&last), blocks.len() * BLOCK, &mut each);
    }
}

#[inline]
fn bits(mut mask: u64, base: usize, each: &mut impl FnMut(usize)) {
    while mask != 0 {
        each(base + mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

/// A bit for each byte that is a space or a tab, the lowest for the first byte.
#[inline]
fn mask(block: &[u8; BLOCK]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const SEVENS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The high bit of each byte that is 0, and of no other: the sum does not carry from byte to byte.
    let zeros = |word: u64| !(((word & SEVENS) + SEVENS) | word | SEVENS);
    let (words, _) = block.as_chunks::<8>();
    words.iter().enumerate().fold(0, |mask, (at, word)| {
        let word = u64::from_le_bytes(*word);
        let found = (zeros(word ^ (ONES * u64::from(b' '))) | zeros(word ^ (ONES * u64::from(b'\t')))) >> 7;
        // One bit of each byte → eight bits together: byte n's goes to bit 56 + n.
        mask | ((found.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(line: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        spaces(line, |at| found.push(at));
        found
    }

    fn one_by_one(line: &[u8]) -> Vec<usize> {
        (0..line.len()).filter(|at| matches!(line[*at], b' ' | b'\t')).collect()
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=255 {
            for length in [1, 7, 8, 15, 16, 63, 64, 65, 128, 130] {
                for at in 0..length {
                    let mut line = vec![b'x'; length];
                    line[at] = byte;
                    assert_eq!(found(&line), one_by_one(&line), "{byte:#04x} at {at} of {length}");
                }
            }
            let block = [byte; BLOCK];
            assert_eq!(mask(&block), if matches!(byte, b' ' | b'\t') { u64::MAX } else { 0 });
        }
        assert!(found(b"").is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(line in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'\t'), Just(0x21), Just(0x08), Just(0xa0), any::<u8>()], 0..300)) {
            prop_assert_eq!(found(&line), one_by_one(&line));
        }
    }
}
