//! Deflate (RFC 1951) as a stream: stored bytes in, text out, in windows that stay in the second level of the cache.
//!
//! Our own because none of the crates streams at libdeflate's speed, and libdeflate wants room for the whole text: 38 MB that go out to memory
//! and come back for every later look at them (docs/decisions/005). Tests hold it to zlib-rs and to libdeflate, a fuzz target to zlib-rs. The code
//! is safe but for the call of the same function compiled for other processors; that no index leaves the window is not taken on trust.

mod codes;

use codes::{
    CODE_LEN_BITS, CODE_LENS, DIST_BITS, DIST_ROOM, DISTS, END_OF_BLOCK, Entry, LITLEN_BITS, LITLEN_ROOM, LITLENS, build, damaged, dist,
    litlen, low,
};
use std::io::Result;

/// Text that later text may repeat (§2).
pub const HISTORY: usize = 32 << 10;
/// Text of a window beside its history. Larger ones leave the cache, smaller ones keep their history more often.
const TEXT: usize = 224 << 10;
/// History, text, slack. Of a length that is known, so that few indexes are looked at twice.
type Window = [u8; HISTORY + TEXT + SLACK];

/// Longest repeated text (§3.2.5).
const MATCH_MAX: usize = 258;
/// Text is repeated in pieces of so many bytes, the first three without a question: more than nine in ten are no longer.
const PIECE: usize = 32;
/// What may be written behind a window that has room for a byte: literals, a match, and the pieces that go beyond it.
const SLACK: usize = 3 + MATCH_MAX + 3 * PIECE;
/// Stored bytes that [`Stream::symbols`] wants to have before it: two words.
const AHEAD: usize = 16;

/// Stored bits that were read and not used yet.
#[derive(Debug, Default, Clone, Copy)]
struct Bits {
    /// The next bit lowest; above [`Bits::count`] zeros.
    hold: u64,
    count: u32,
}

impl Bits {
    /// Reads on, to 56 bits or more if there are as many.
    fn fill(&mut self, stored: &[u8], taken: &mut usize) {
        while self.count < 56
            && let Some(byte) = stored.get(*taken)
        {
            self.hold |= u64::from(*byte) << self.count;
            self.count += 8;
            *taken += 1;
        }
    }

    /// Takes so many bits, 32 at most, if they are there.
    fn take(&mut self, count: u32) -> Option<u32> {
        let left = self.count.checked_sub(count)?;
        let bits = low(self.hold, count) as u32;
        (self.hold, self.count) = (self.hold >> count, left);
        Some(bits)
    }
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a block.
    Block,
    /// Before the length of a block that is not compressed.
    StoredLen,
    /// In such a block, so many bytes before its end.
    Stored(usize),
    /// Before the counts of codes.
    Counts,
    /// Among the lengths of the codes of code lengths, of which so many are given.
    CodeLens(usize),
    /// Among the code lengths.
    Lens,
    /// Among the codes.
    Codes,
    /// Behind the last block.
    End,
}

/// Why a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The window is full.
    Full,
    /// All stored bytes are taken, and there are more.
    Starved,
    /// The stream is at its end.
    End,
}

/// Where a block's symbols stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// Room or stored bytes are too few.
    Scant,
    /// The block is at its end.
    EndOfBlock,
}

/// A deflate stream on its way to text.
pub struct Stream {
    at: At,
    is_last: bool,
    bits: Bits,
    /// How many code lengths there are: of literals and lengths, of distances.
    counts: (usize, usize),
    lens: [u8; LITLENS + DISTS],
    lens_read: usize,
    code_lens: [Entry; 1 << CODE_LEN_BITS],
    litlens: [Entry; LITLEN_ROOM],
    dists: [Entry; DIST_ROOM],
    /// Whether the tables are those of a block with fixed codes.
    is_fixed: bool,
    window: Box<Window>,
    /// Where the window is full.
    full: usize,
    /// Text that the last step made.
    from: usize,
    to: usize,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?}, {} bytes)", self.at, self.to - self.from)
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream::with_text(TEXT)
    }
}

impl Stream {
    /// Makes a stream with windows of so much text.
    fn with_text(text: usize) -> Stream {
        Stream {
            at: At::Block,
            is_last: false,
            bits: Bits::default(),
            counts: (0, 0),
            lens: [0; LITLENS + DISTS],
            lens_read: 0,
            code_lens: [Entry::new(0, 0); 1 << CODE_LEN_BITS],
            litlens: [Entry::new(0, 0); LITLEN_ROOM],
            dists: [Entry::new(0, 0); DIST_ROOM],
            is_fixed: false,
            window: Box::new([0; HISTORY + TEXT + SLACK]),
            full: HISTORY + text,
            from: 0,
            to: 0,
        }
    }

    /// Goes back to the beginning of a stream.
    pub fn reset(&mut self) {
        (self.at, self.bits, self.from, self.to) = (At::Block, Bits::default(), 0, 0);
    }

    /// Returns the text that the last step made.
    pub fn text(&self) -> &[u8] {
        self.window.get(self.from..self.to).unwrap_or_default()
    }

    /// Returns the next byte that was taken and is not the stream's, behind its end.
    pub fn left_over(&mut self) -> Option<u8> {
        // The end may be within a byte.
        self.bits.take(self.bits.count % 8)?;
        self.bits.take(8).map(|byte| byte as u8)
    }

    /// Inflates on until the window is full, the stored bytes are used up, or the stream ends. Returns how many of them were taken, and why
    /// it stopped; all are taken if it [is starved](Stop::Starved).
    ///
    /// # Errors
    /// If the stream is damaged; [`Stream::text`] is what stands before the damage.
    pub fn step(&mut self, stored: &[u8]) -> Result<(usize, Stop)> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
        {
            #[expect(unsafe_code, reason = "a function for processors with AVX2 and BMI2")]
            // SAFETY: the processor has what the function is compiled for.
            return self.step_with(stored, |stream, stored, taken| unsafe { symbols_avx2(stream, stored, taken) });
        }
        self.step_with(stored, Stream::symbols)
    }

    fn step_with(&mut self, stored: &[u8], symbols: impl Fn(&mut Stream, &[u8], &mut usize) -> Result<Pause>) -> Result<(usize, Stop)> {
        if self.to > HISTORY {
            self.window.copy_within(self.to - HISTORY..self.to, 0);
            self.to = HISTORY;
        }
        self.from = self.to;
        let mut taken = 0;
        loop {
            self.bits.fill(stored, &mut taken);
            let is_on = match self.at {
                At::Block => self.block()?,
                At::StoredLen => self.stored_len()?,
                At::Stored(left) => self.stored(left, stored, &mut taken),
                At::Counts => self.counts()?,
                At::CodeLens(read) => self.code_lens(read)?,
                At::Lens => self.lens()?,
                At::Codes => {
                    let mut pause = symbols(self, stored, &mut taken)?;
                    if pause == Pause::Scant {
                        pause = self.last_symbols(stored, &mut taken)?;
                    }
                    if pause == Pause::EndOfBlock {
                        self.at = self.next_block();
                    }
                    pause == Pause::EndOfBlock
                }
                At::End => return Ok((taken, Stop::End)),
            };
            if !is_on {
                return Ok((taken, if self.to >= self.full { Stop::Full } else { Stop::Starved }));
            }
        }
    }

    fn next_block(&self) -> At {
        if self.is_last { At::End } else { At::Block }
    }

    // Each of the following goes a step on, or says that it cannot.

    fn block(&mut self) -> Result<bool> {
        let Some(head) = self.bits.take(3) else { return Ok(false) };
        self.is_last = head & 1 == 1;
        self.at = match head >> 1 {
            0 => {
                self.bits.take(self.bits.count % 8);
                At::StoredLen
            }
            1 => {
                if !self.is_fixed {
                    // §3.2.6.
                    let lens: [u8; LITLENS + DISTS] = std::array::from_fn(|symbol| match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        LITLENS.. => 5,
                        _ => 8,
                    });
                    self.tables(&lens, LITLENS)?;
                    self.is_fixed = true;
                }
                At::Codes
            }
            2 => At::Counts,
            _ => return Err(damaged("a block of no known type")),
        };
        Ok(true)
    }

    fn stored_len(&mut self) -> Result<bool> {
        let Some(lens) = self.bits.take(32) else { return Ok(false) };
        let (len, inverted) = (lens & 0xffff, lens >> 16);
        if len ^ inverted != 0xffff {
            return Err(damaged("a stored block whose lengths differ"));
        }
        self.at = At::Stored(len as usize);
        Ok(true)
    }

    fn stored(&mut self, left: usize, stored: &[u8], taken: &mut usize) -> bool {
        let room = self.window.get_mut(self.to..self.full.max(self.to)).unwrap_or_default();
        let mut some = 0;
        // What was read by the bit comes first.
        for to in room.iter_mut().take(left) {
            let Some(byte) = self.bits.take(8) else { break };
            *to = byte as u8;
            some += 1;
        }
        let rest = stored.get(*taken..).unwrap_or_default();
        let more = rest.len().min(left - some).min(room.len() - some);
        if let (Some(to), Some(from)) = (room.get_mut(some..some + more), rest.get(..more)) {
            to.copy_from_slice(from);
            *taken += more;
            some += more;
        }
        self.to += some;
        self.at = if some == left { self.next_block() } else { At::Stored(left - some) };
        some == left
    }

    fn counts(&mut self) -> Result<bool> {
        let Some(counts) = self.bits.take(14) else { return Ok(false) };
        let (litlens, dists, code_lens) = (257 + (counts & 31), 1 + (counts >> 5 & 31), 4 + (counts >> 10));
        if litlens > 286 || dists > 30 {
            return Err(damaged("more codes than there are symbols"));
        }
        self.counts = (litlens as usize, dists as usize);
        // The lengths of their codes are read into the place of the others, which are read once these are used.
        self.lens = [0; LITLENS + DISTS];
        self.lens_read = code_lens as usize;
        self.at = At::CodeLens(0);
        Ok(true)
    }

    fn code_lens(&mut self, read: usize) -> Result<bool> {
        const ORDER: [u8; CODE_LENS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        if read < self.lens_read {
            let Some(len) = self.bits.take(3) else { return Ok(false) };
            if let Some(place) = ORDER.get(read).and_then(|symbol| self.lens.get_mut(usize::from(*symbol))) {
                *place = len as u8;
            }
            self.at = At::CodeLens(read + 1);
            return Ok(true);
        }
        let lens = self.lens.get(..CODE_LENS).unwrap_or_default();
        build(lens, CODE_LEN_BITS, &mut self.code_lens, |symbol| Entry::new(symbol as u16, 0), false)?;
        self.lens_read = 0;
        self.at = At::Lens;
        Ok(true)
    }

    fn lens(&mut self) -> Result<bool> {
        let (litlens, all) = (self.counts.0, self.counts.0 + self.counts.1);
        if self.lens_read < all {
            let entry = self.code_lens[low(self.bits.hold, CODE_LEN_BITS) as usize];
            let (symbol, extra, least) = match entry.symbol() {
                16 => (16, 2, 3),
                17 => (17, 3, 3),
                18 => (18, 7, 11),
                len => (len, 0, 1),
            };
            let Some(bits) = self.bits.take(entry.bits() + extra) else { return Ok(false) };
            let times = least + (bits >> entry.bits()) as usize;
            let before = self.lens_read.checked_sub(1).and_then(|before| self.lens.get(before)).copied();
            let len = match symbol {
                16 => before.ok_or_else(|| damaged("a code length that repeats none"))?,
                17 | 18 => 0,
                len => len as u8,
            };
            let end = self.lens_read + times;
            if end > all {
                return Err(damaged("more code lengths than there are codes"));
            }
            self.lens.get_mut(self.lens_read..end).unwrap_or_default().fill(len);
            self.lens_read = end;
            return Ok(true);
        }
        if self.lens[END_OF_BLOCK] == 0 {
            return Err(damaged("a block without an end"));
        }
        let lens = self.lens;
        self.is_fixed = false;
        self.tables(lens.get(..all).unwrap_or_default(), litlens)?;
        self.at = At::Codes;
        Ok(true)
    }

    fn tables(&mut self, lens: &[u8], litlens: usize) -> Result<()> {
        let (of_litlens, of_dists) = lens.split_at_checked(litlens).unwrap_or_default();
        build(of_litlens, LITLEN_BITS, &mut self.litlens, litlen, true)?;
        build(of_dists, DIST_BITS, &mut self.dists, dist, true)
    }

    /// Decodes symbols while there is room for a whole turn, and stored bytes for it.
    #[inline(always)]
    fn symbols(&mut self, stored: &[u8], taken: &mut usize) -> Result<Pause> {
        let (litlens, dists, window, full) = (&self.litlens, &self.dists, &mut *self.window, self.full);
        let (mut to, mut at) = (self.to, *taken);
        let Bits { mut hold, mut count } = self.bits;
        let is_scant = |to: usize, at: usize| to >= full || at + AHEAD > stored.len();
        // To at least 56 bits. Bits above the count are the next ones or zeros, so that to add them once more changes nothing.
        macro_rules! fill {
            () => {
                hold |= word(stored, at) << count;
                at += (63 - count) as usize / 8;
                count |= 56;
            };
        }
        macro_rules! take {
            ($bits:expr) => {
                hold >>= $bits;
                count -= $bits;
            };
        }
        macro_rules! look {
            ($table:expr, $bits:expr) => {
                $table[low(hold, $bits) as usize]
            };
        }
        let paused = 'symbols: {
            if is_scant(to, at) {
                break 'symbols Ok(Pause::Scant);
            }
            fill!();
            let mut entry = look!(litlens, LITLEN_BITS);
            loop {
                // Up to three literals take 33 bits, or two and a length 42.
                let mut here = hold;
                take!(entry.bits());
                if entry.is(Entry::LITERAL) {
                    put(window, to, entry.literal());
                    to += 1;
                    entry = look!(litlens, LITLEN_BITS);
                    here = hold;
                    take!(entry.bits());
                    if entry.is(Entry::LITERAL) {
                        put(window, to, entry.literal());
                        to += 1;
                        entry = look!(litlens, LITLEN_BITS);
                        here = hold;
                        take!(entry.bits());
                        if entry.is(Entry::LITERAL) {
                            put(window, to, entry.literal());
                            to += 1;
                            if is_scant(to, at) {
                                break 'symbols Ok(Pause::Scant);
                            }
                            entry = look!(litlens, LITLEN_BITS);
                            fill!();
                            continue;
                        }
                    }
                }
                if entry.is(Entry::SPECIAL) {
                    if entry.is_second() {
                        entry = litlens[entry.at(hold) % LITLEN_ROOM];
                        here = hold;
                        take!(entry.bits());
                        if entry.is(Entry::LITERAL) {
                            put(window, to, entry.literal());
                            to += 1;
                            if is_scant(to, at) {
                                break 'symbols Ok(Pause::Scant);
                            }
                            entry = look!(litlens, LITLEN_BITS);
                            fill!();
                            continue;
                        }
                    }
                    if entry.is(Entry::END) {
                        break 'symbols Ok(Pause::EndOfBlock);
                    }
                    if entry.is(Entry::INVALID) {
                        break 'symbols Err(damaged("a code of no symbol"));
                    }
                }
                let length = entry.value(here);
                let mut entry_of_dist = look!(dists, DIST_BITS);
                // A distance takes 28 bits, and the next look 11.
                if count < 28 + LITLEN_BITS {
                    fill!();
                }
                if entry_of_dist.is_second() {
                    take!(DIST_BITS);
                    entry_of_dist = dists[entry_of_dist.at(hold) % DIST_ROOM];
                }
                if entry_of_dist.is(Entry::SPECIAL) {
                    break 'symbols Err(damaged("a code of no distance"));
                }
                let back = entry_of_dist.value(hold);
                take!(entry_of_dist.bits());
                let Some(from) = to.checked_sub(back) else { break 'symbols Err(damaged("a distance beyond the text")) };
                let is_last = at + AHEAD > stored.len();
                // The next look before the copy: it does not wait for it.
                entry = look!(litlens, LITLEN_BITS);
                if !is_last {
                    fill!();
                }
                repeat(window, from, to, length);
                to += length;
                if is_last || to >= full {
                    break 'symbols Ok(Pause::Scant);
                }
            }
        };
        self.bits = Bits { hold: low(hold, count), count };
        (self.to, *taken) = (to, at);
        paused
    }

    /// Decodes symbols one by one, as long as all their bits are there: those at the end of the stored bytes.
    fn last_symbols(&mut self, stored: &[u8], taken: &mut usize) -> Result<Pause> {
        while self.to < self.full {
            // More than the 48 bits that a symbol takes, unless the stored bytes are at their end.
            self.bits.fill(stored, taken);
            let Bits { hold, count } = self.bits;
            let mut entry = self.litlens[low(hold, LITLEN_BITS) as usize];
            let (mut here, mut used) = (hold, 0);
            if entry.is_second() {
                (here, used) = (hold >> LITLEN_BITS, LITLEN_BITS);
                entry = self.litlens[entry.at(here) % LITLEN_ROOM];
            }
            used += entry.bits();
            if used > count {
                break;
            }
            if entry.is(Entry::INVALID) {
                return Err(damaged("a code of no symbol"));
            }
            if entry.is(Entry::LITERAL) {
                put(&mut self.window, self.to, entry.literal());
                self.to += 1;
            } else if !entry.is(Entry::END) {
                let length = entry.value(here);
                here = hold >> used;
                entry = self.dists[low(here, DIST_BITS) as usize];
                if entry.is_second() {
                    (here, used) = (here >> DIST_BITS, used + DIST_BITS);
                    entry = self.dists[entry.at(here) % DIST_ROOM];
                }
                used += entry.bits();
                if used > count {
                    break;
                }
                if entry.is(Entry::SPECIAL) {
                    return Err(damaged("a code of no distance"));
                }
                let from = self.to.checked_sub(entry.value(here)).ok_or_else(|| damaged("a distance beyond the text"))?;
                repeat(&mut self.window, from, self.to, length);
                self.to += length;
            }
            self.bits = Bits { hold: hold >> used, count: count - used };
            if entry.is(Entry::END) {
                return Ok(Pause::EndOfBlock);
            }
        }
        Ok(Pause::Scant)
    }
}

/// [`Stream::symbols`], compiled for these processors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn symbols_avx2(stream: &mut Stream, stored: &[u8], taken: &mut usize) -> Result<Pause> {
    stream.symbols(stored, taken)
}

/// Eight stored bytes.
#[inline(always)]
fn word(stored: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&stored[at..at + 8]);
    u64::from_le_bytes(word)
}

#[inline(always)]
fn put(window: &mut Window, at: usize, literal: u8) {
    window[at] = literal;
}

/// Copies a piece.
#[inline(always)]
fn copy<const LEN: usize>(window: &mut Window, from: usize, to: usize) {
    window.copy_within(from..from + LEN, to);
}

/// Repeats so much text from `from` on, which may be longer than what stands there. Bytes behind it are overwritten.
#[inline(always)]
fn repeat(window: &mut Window, from: usize, to: usize, len: usize) {
    let (back, end) = (to - from, to + len);
    if back >= PIECE {
        // Told one by one: of a range's `for_each` the compiler may make a function, which this is too short for.
        copy::<PIECE>(window, from, to);
        copy::<PIECE>(window, from + PIECE, to + PIECE);
        copy::<PIECE>(window, from + 2 * PIECE, to + 2 * PIECE);
        let mut at = to + 3 * PIECE;
        while at < end {
            copy::<PIECE>(window, at - back, at);
            at += PIECE;
        }
    } else if back == 1 {
        let byte = window[from];
        window[to..end].fill(byte);
    } else {
        // Of what is nearer than a word, each copy makes `back` more bytes right, until there is a word to repeat.
        let (mut at, mut back_here) = (to, back);
        while at < end {
            copy::<8>(window, at - back_here, at);
            if back_here < 8 {
                at += back;
                back_here += back;
            } else {
                at += 8;
            }
        }
    }
}

#[cfg(test)]
mod tests;
