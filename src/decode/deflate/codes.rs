//! The codes of a block (RFC 1951 §3.2) as tables, in which the next bits are an index.

use std::io::{Error, ErrorKind, Result};

/// Longest code (§3.2.7).
const CODE_LEN_MAX: usize = 15;
/// Symbols of literals, ends and lengths; then of distances; then of code lengths, with those that must not occur.
pub(super) const LITLENS: usize = 288;
pub(super) const DISTS: usize = 32;
pub(super) const CODE_LENS: usize = 19;
pub(super) const END_OF_BLOCK: usize = 256;

/// Bits by which a first look into the tables goes; longer codes take a second one.
pub(super) const LITLEN_BITS: u32 = 11;
pub(super) const DIST_BITS: u32 = 8;
pub(super) const CODE_LEN_BITS: u32 = 7;
/// Room for the first look and all second ones, as powers of two, which make an index within bounds by a mask. Codes of 15 bits need at
/// most 2,342 and 402 (zlib's `examples/enough.c`).
pub(super) const LITLEN_ROOM: usize = 4_096;
pub(super) const DIST_ROOM: usize = 512;

/// What a code stands for. Bits 0 to 5: bits that it takes with those that follow it. Bits 8 to 11: bits of the code alone. Bits 16 to 30: a
/// literal, what is added to the bits that follow, or where the second look goes, whose number of bits is then in 8 to 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    pub(super) const LITERAL: u32 = 1 << 31;
    /// Neither literal nor length nor distance: an end, a code that must not occur, or the way to a second look.
    pub(super) const SPECIAL: u32 = 1 << 15;
    pub(super) const END: u32 = 1 << 14;
    pub(super) const INVALID: u32 = 1 << 13;

    /// Of a symbol with so many bits behind its code; [`Entry::of_code`] adds the code.
    pub(super) const fn new(value: u16, extra: u8) -> Entry {
        Entry((value as u32) << 16 | extra as u32)
    }

    pub(super) const fn of_code(self, len: u32) -> Entry {
        Entry((self.0 + len) | len << 8)
    }

    /// The way to a second look.
    const fn second(at: usize, bits: u32, first_bits: u32) -> Entry {
        Entry(Entry::SPECIAL | (at as u32) << 16 | bits << 8 | first_bits)
    }

    #[inline(always)]
    pub(super) const fn is(self, what: u32) -> bool {
        self.0 & what != 0
    }

    #[inline(always)]
    pub(super) const fn is_second(self) -> bool {
        self.0 & (Entry::SPECIAL | Entry::END | Entry::INVALID) == Entry::SPECIAL
    }

    /// The symbol of a code of code lengths.
    pub(super) const fn symbol(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// Bits that it takes.
    #[inline(always)]
    pub(super) const fn bits(self) -> u32 {
        self.0 & 63
    }

    #[inline(always)]
    pub(super) const fn literal(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Where the second look goes, by the bits after those of the first.
    #[inline(always)]
    pub(super) const fn at(self, bits: u64) -> usize {
        (self.0 >> 16 & 0x7fff) as usize + low(bits, self.0 >> 8 & 15) as usize
    }

    /// The length or distance, of the bits from the code on.
    #[inline(always)]
    pub(super) const fn value(self, bits: u64) -> usize {
        (self.0 >> 16) as usize + (low(bits, self.bits()) >> (self.0 >> 8 & 15)) as usize
    }
}

/// The lowest so many bits, fewer than 64.
#[inline(always)]
pub(super) const fn low(bits: u64, count: u32) -> u64 {
    bits & !(u64::MAX << count)
}

/// Lengths and distances by symbol (§3.2.5).
const LENGTH_ENTRIES: [Entry; 29] = {
    let mut entries = [Entry::new(258, 0); 29];
    let (mut symbol, mut base) = (0, 3);
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u8 / 4 - 1 };
        entries[symbol] = Entry::new(base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    entries
};
const DIST_ENTRIES: [Entry; 30] = {
    let mut entries = [Entry(0); 30];
    let (mut symbol, mut base) = (0, 1_u16);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol as u8 / 2 - 1 };
        entries[symbol] = Entry::new(base, extra);
        base = base.wrapping_add(1 << extra);
        symbol += 1;
    }
    entries
};

/// What a symbol of literals, ends and lengths is.
pub(super) fn litlen(symbol: usize) -> Entry {
    match symbol {
        0..END_OF_BLOCK => Entry(Entry::LITERAL | (symbol as u32) << 16),
        END_OF_BLOCK => Entry(Entry::SPECIAL | Entry::END),
        _ => LENGTH_ENTRIES.get(symbol - END_OF_BLOCK - 1).copied().unwrap_or(Entry(Entry::SPECIAL | Entry::INVALID)),
    }
}

/// What a symbol of distances is.
pub(super) fn dist(symbol: usize) -> Entry {
    DIST_ENTRIES.get(symbol).copied().unwrap_or(Entry(Entry::SPECIAL | Entry::INVALID))
}

pub(super) fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("corrupt deflate stream: {what}"))
}

/// Makes the table of codes of these lengths (§3.2.2), of which the first look takes so many bits.
///
/// # Errors
/// If the lengths make no code: too many, or too few but for none or a single one of one bit, which the symbols of literals and distances may have.
pub(super) fn build(lens: &[u8], bits: u32, table: &mut [Entry], entry: impl Fn(usize) -> Entry, is_single_allowed: bool) -> Result<()> {
    let mut counts = [0_usize; CODE_LEN_MAX + 1];
    for len in lens.iter().filter(|len| **len > 0) {
        counts[usize::from(*len) & CODE_LEN_MAX] += 1;
    }
    let len_max = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let left =
        counts.iter().skip(1).try_fold(1_usize, |left, count| (left * 2).checked_sub(*count)).ok_or_else(|| damaged("too many codes"))?;
    if left > 0 {
        if len_max > 1 || !is_single_allowed {
            return Err(damaged("too few codes"));
        }
        table.fill(Entry(Entry::SPECIAL | Entry::INVALID | 1));
    }
    // Symbols by length, then by number: as codes are given out.
    let mut symbols = [(0, 0); LITLENS];
    let given = lens.iter().zip(0_u16..).filter(|(len, _)| **len > 0);
    let coded = symbols.iter_mut().zip(given).map(|(place, (len, symbol))| *place = (*len, symbol)).count();
    let symbols = symbols.get_mut(..coded).unwrap_or_default();
    symbols.sort_unstable();
    let (first, mut free) = (1 << bits, 1 << bits);
    let (mut code, mut code_len) = (0_u32, 1);
    let mut second = (u32::MAX, 0, 0);
    for (len, symbol) in symbols {
        let (len, entry) = (u32::from(*len), entry(usize::from(*symbol)));
        code <<= len - code_len;
        code_len = len;
        // Codes are stored from their highest bit on, everything else from its lowest (§3.1.1).
        let reversed = code.reverse_bits() >> (32 - len);
        let (from, room, len_here, stored) = if len <= bits {
            (0, first, len, reversed)
        } else {
            let prefix = reversed & (first as u32 - 1);
            if second.0 != prefix {
                // As many bits as it takes until its codes are all there is.
                let mut more = len - bits;
                let mut room = (1_usize << more).saturating_sub(*counts.get(len as usize).unwrap_or(&0));
                while room > 0 && ((bits + more) as usize) < len_max {
                    more += 1;
                    room = (room * 2).saturating_sub(*counts.get((bits + more) as usize).unwrap_or(&0));
                }
                second = (prefix, free, 1 << more);
                if let Some(look) = table.get_mut(prefix as usize) {
                    *look = Entry::second(free, more, bits);
                }
                free += 1 << more;
            }
            (second.1, second.2, len - bits, reversed >> bits)
        };
        let places = table.get_mut(from..from + room).unwrap_or_default();
        places.iter_mut().skip(stored as usize).step_by(1 << len_here).for_each(|place| *place = entry.of_code(len_here));
        if let Some(count) = counts.get_mut(len as usize) {
            *count -= 1;
        }
        code += 1;
    }
    Ok(())
}
