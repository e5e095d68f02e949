//! One pass over a window of text → where every value and every line ends, and which lines are plain.
//!
//! 64 bytes become masks of 64 bits, a bit for each byte; by AVX2 where the processor has it, else by words of eight bytes. A
//! plain line is bytes 0x21 to 0x7f with single spaces between its values and none around them: what AWS delivers. Its values
//! need no further look; all other lines go through [`super::records`] byte by byte.

use super::columns::{Cell, Cells};

/// Bytes that one mask stands for.
const BLOCK: usize = 64;

/// What was found in a window.
#[derive(Debug, Default)]
pub struct Marks {
    /// Where the byte before the window is, then places of spaces and line breaks: the ends of values.
    places: Vec<u32>,
    /// Lines, and how many of these places are such.
    lines: Vec<Ended>,
    ended: usize,
}

/// The place of the byte before a window: the next is 0.
const BEFORE: u32 = u32::MAX;

/// A line that ends in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    /// Ends of values up to this line's last one.
    values: u32,
    is_plain: bool,
}

/// A line of a window.
#[derive(Debug)]
pub struct Line<'a> {
    /// The line without its end.
    pub raw: &'a [u8],
    /// Its values, if it is plain.
    pub plain: Option<Plain<'a>>,
}

/// The values of a plain line.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    /// The line with its end. Every other byte is one from 0x20 to 0x7f, which [`Marks::lines`] vouches for.
    line: &'a [u8],
    /// Where the line starts in the window.
    start: u32,
    /// Where its values end in the window.
    ends: &'a [u32],
}

impl Plain<'_> {
    /// Returns the number of values.
    #[inline]
    pub fn count(&self) -> usize {
        self.ends.len()
    }
}

impl Cells for Plain<'_> {
    #[inline]
    #[expect(unsafe_code, reason = "to look at all text once more for UTF-8 would cost as much as to find the values")]
    fn cell(&self, at: usize) -> Cell<'_> {
        let place = |end: &u32| (*end - self.start) as usize;
        let Some(to) = self.ends.get(at).map(place) else { return Cell::Null };
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| place(end) + 1);
        match self.line.get(from..to) {
            // SAFETY: only `Marks::found` makes values of this type, of lines of the window in which `Marks::lines` has just looked
            // at every byte and seen none outside 0x20..0x80 but the line's end, and a value ends before that. ASCII is UTF-8.
            Some(value) => Cell::Text(unsafe { std::str::from_utf8_unchecked(value) }),
            None => Cell::Null,
        }
    }
}

/// Plain lines with as many values each: a table of values.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    window: &'a [u8],
    /// Of each line, where the byte before it is, then where its values end.
    places: &'a [u32],
    width: usize,
    /// From a line's first place to the next one's: where lines follow one another, the end of one is the place before the next.
    stride: usize,
}

/// A value of a plain line: one byte or more, each from 0x21 to 0x7f, which [`Marks::lines`] vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// The window from the value on.
    rest: &'a [u8],
    len: usize,
}

/// Bytes of a [`Word::head`].
pub const HEAD: usize = 16;

/// Returns what [`Word::head`] is for these bytes.
#[inline]
pub fn head_of(bytes: &[u8]) -> u128 {
    let mut head = [0; HEAD];
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u128::from_le_bytes(head)
}

/// Returns the same for the first so many bytes of these.
#[inline]
pub fn head_within(bytes: &[u8], len: usize) -> u128 {
    /// For each length, the bytes of a head that are the value's.
    const KEPT: [u128; HEAD + 1] = {
        let mut kept = [u128::MAX; HEAD + 1];
        let mut len = 0;
        while len < HEAD {
            kept[len] = (1 << (8 * len)) - 1;
            len += 1;
        }
        kept
    };
    match bytes.first_chunk::<HEAD>() {
        Some(chunk) => u128::from_le_bytes(*chunk) & KEPT.get(len).unwrap_or(&u128::MAX),
        None => head_of(bytes.get(..len).unwrap_or(bytes)),
    }
}

impl<'a> Word<'a> {
    /// The value.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.rest.get(..self.len).unwrap_or_default()
    }

    /// Returns the number of its bytes.
    #[inline]
    pub fn length(&self) -> usize {
        self.len
    }

    /// Returns its first sixteen bytes, the first lowest, and zeros: a shorter value is this number, and no other is.
    #[inline]
    pub fn head(&self) -> u128 {
        head_within(self.rest, self.len)
    }

    /// Returns its head if it has no more than eight bytes, else a number that no such value is.
    #[inline]
    pub fn short(&self) -> u64 {
        let shift = 64_u32.wrapping_sub(8 * self.len as u32) % 64;
        if self.len > 8 { 0 } else { self.first_eight() << shift >> shift }
    }

    /// Returns the eight bytes from its first one on, the first lowest: its own, and whatever follows.
    #[inline]
    pub fn first_eight(&self) -> u64 {
        match self.rest.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => head_of(self.rest) as u64,
        }
    }

    /// Returns whether it stands for a missing value.
    #[inline]
    pub fn is_missing(&self) -> bool {
        self.len == 1 && self.first_eight() as u8 == b'-'
    }
}

impl<'a> Run<'a> {
    /// Returns the number of lines.
    #[inline]
    pub fn count(&self) -> usize {
        self.places.len() / self.stride
    }

    /// Returns the bytes of the lines with their ends, if they follow one another.
    pub fn text_len(&self) -> usize {
        let (first, last) = (self.places.first().copied().unwrap_or(BEFORE), self.places.last().copied().unwrap_or(BEFORE));
        last.wrapping_sub(first) as usize
    }

    /// Returns a column, line by line.
    #[inline]
    pub fn column(self, column: usize) -> impl ExactSizeIterator<Item = Word<'a>> + Clone {
        // Up to the last value's end: a chunk for each line, which starts with the places around its value.
        let end = column + (self.count() * self.stride + 2).saturating_sub(self.stride);
        let places = self.places.get(column..end).filter(|_| column < self.width).unwrap_or_default();
        places.chunks(self.stride).map(move |places| {
            let [before, to, ..] = places else { return Word { rest: &[], len: 0 } };
            let from = before.wrapping_add(1);
            Word { rest: self.window.get(from as usize..).unwrap_or_default(), len: to.wrapping_sub(from) as usize }
        })
    }

    /// Returns a line's values.
    pub fn line(&self, line: usize) -> Option<Line<'a>> {
        let [before, ends @ ..] = self.places.get(line * self.stride..=line * self.stride + self.width)? else { return None };
        let start = before.wrapping_add(1);
        let line = self.window.get(start as usize..*ends.last()? as usize + 1)?;
        Some(Line { raw: line.get(..line.len() - 1)?, plain: Some(Plain { line, start, ends }) })
    }

    /// Returns the lines.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        (0..self.count()).map_while(move |line| self.line(line))
    }

    /// Returns some of the lines, whose places are put into `places`.
    pub fn only<'b>(&self, lines: &[usize], places: &'b mut Vec<u32>) -> Run<'b>
    where
        'a: 'b,
    {
        places.clear();
        for line in lines {
            places.extend_from_slice(self.places.get(line * self.stride..=line * self.stride + self.width).unwrap_or_default());
        }
        Run { window: self.window, places, width: self.width, stride: self.width + 1 }
    }
}

/// Lines of a window.
#[derive(Debug)]
pub struct Lines<'a> {
    marks: &'a Marks,
    window: &'a [u8],
    /// Lines that were handed on, and their values.
    at: usize,
    values: usize,
}

impl<'a> Lines<'a> {
    /// Returns the next lines, if they are plain and have so many values each, two or more.
    pub fn run(&mut self, width: usize) -> Option<Run<'a>> {
        // A value lies between two places of its line.
        if width < 2 {
            return None;
        }
        let rest = self.marks.lines.get(self.at..self.marks.ended)?;
        let is_next = |(line, ended): &(usize, &Ended)| ended.is_plain && ended.values as usize == self.values + (line + 1) * width;
        let lines = rest.iter().enumerate().take_while(is_next).count();
        let values = self.values + lines * width;
        let places = self.marks.places.get(self.values..=values).filter(|_| lines > 0)?;
        (self.at, self.values) = (self.at + lines, values);
        Some(Run { window: self.window, places, width, stride: width })
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        let ended = self.marks.lines.get(..self.marks.ended)?.get(self.at)?;
        let [before, ends @ ..] = self.marks.places.get(self.values..=ended.values as usize)? else { return None };
        (self.at, self.values) = (self.at + 1, ended.values as usize);
        let start = before.wrapping_add(1);
        let line = self.window.get(start as usize..*ends.last()? as usize + 1)?;
        let plain = ended.is_plain.then_some(Plain { line, start, ends });
        Some(Line { raw: line.get(..line.len() - 1)?, plain })
    }
}

impl Marks {
    /// Looks through a window, which starts with a line, and returns the lines that end in it.
    pub fn lines<'a>(&'a mut self, window: &'a [u8]) -> Lines<'a> {
        self.find(window);
        self.found(window)
    }

    fn find(&mut self, window: &[u8]) {
        // Places are numbers of 32 bits.
        let window = window.get(..u32::MAX as usize).unwrap_or(window);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            #[expect(unsafe_code, reason = "a function for processors with AVX2")]
            // SAFETY: the processor has what the function is compiled for.
            unsafe {
                x86::find(self, window);
            }
            return;
        }
        self.find_with(window, portable);
    }

    /// The lines of the window that was looked through, and of no other.
    fn found<'a>(&'a self, window: &'a [u8]) -> Lines<'a> {
        Lines { marks: self, window, at: 0, values: 0 }
    }

    #[inline(always)]
    fn find_with(&mut self, window: &[u8], masks: impl Fn(&[u8; BLOCK]) -> Masks) {
        // Room for a value and a line in every byte, and for what is written past the last one.
        if self.places.len() < 1 + window.len() + 2 * BLOCK {
            self.places.resize(1 + window.len() + 2 * BLOCK, BEFORE);
            self.lines.resize(window.len() + BLOCK, Ended { values: 0, is_plain: false });
        }
        let mut state = State { values: 0, lines: 0, is_plain: true, after_white: 1 };
        let (blocks, rest) = window.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            self.block(masks(block), (number * BLOCK) as u32, &mut state);
        }
        if let Some(room) = Some([b'x'; BLOCK]).filter(|_| !rest.is_empty()) {
            let mut last = room;
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.block(masks(&last), (blocks.len() * BLOCK) as u32, &mut state);
        }
        self.ended = state.lines;
    }

    #[inline(always)]
    fn block(&mut self, masks: Masks, base: u32, state: &mut State) {
        let Masks { white, breaks, odd } = masks;
        // White after white is an empty value, an empty line, or a space at either end of one.
        let mut unusual = odd | (white & (white << 1 | state.after_white));
        state.after_white = white >> (BLOCK - 1);
        let mut end_line = |open: u64, is_plain, lines: usize| {
            // All bits up to this line break.
            let here = open ^ open.wrapping_sub(1);
            if let Some(line) = self.lines.get_mut(lines) {
                *line = Ended { values: state.values + (white & here).count_ones(), is_plain };
            }
            here
        };
        if unusual == 0 && state.is_plain && breaks & breaks.wrapping_sub(1) == 0 {
            // As a rule all is plain, and whether a line ends here is not asked but counted.
            end_line(breaks, true, state.lines);
            state.lines += usize::from(breaks != 0);
        } else {
            let mut open = breaks;
            while open != 0 {
                let here = end_line(open, state.is_plain && unusual & (open ^ (open - 1)) == 0, state.lines);
                state.lines += 1;
                (unusual, state.is_plain) = (unusual & !here, true);
                open &= open - 1;
            }
            state.is_plain &= unusual == 0;
        }
        let Some(room) = self.places.get_mut(1 + state.values as usize..).and_then(|room| room.first_chunk_mut::<{ BLOCK + 8 }>()) else {
            return;
        };
        // Eight places for each eight bytes, of which the next ones overwrite those that are none: to ask how many there are costs more.
        let (mut at, mut base) = (0, base);
        for byte in white.to_le_bytes() {
            let Some(eight) = room.get_mut(at..).and_then(|room| room.first_chunk_mut::<8>()) else { return };
            eight.iter_mut().zip(&PLACES[usize::from(byte)]).for_each(|(to, place)| *to = base + place);
            at += byte.count_ones() as usize;
            base += 8;
        }
        state.values += white.count_ones();
    }
}

/// Where the bits of a byte are that are set, and zeros.
static PLACES: [[u32; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Between two blocks.
struct State {
    values: u32,
    lines: usize,
    /// Whether the line has been plain so far.
    is_plain: bool,
    /// 1 where the byte before the block is white, or there is none.
    after_white: u64,
}

/// A bit for each byte of a block, the lowest for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    /// Spaces and line breaks.
    white: u64,
    /// Line breaks.
    breaks: u64,
    /// Other controls, and what is not ASCII.
    odd: u64,
}

/// The masks by words of eight bytes.
fn portable(block: &[u8; BLOCK]) -> Masks {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const SEVENS: u64 = !HIGHS;
    // The high bit of each byte that is 0, and of no other: the sum does not carry from byte to byte.
    let zeros = |word: u64| !(((word & SEVENS) + SEVENS) | word | SEVENS);
    // One bit of each byte → eight bits together: byte n's goes to bit 56 + n.
    let gathered = |highs: u64| (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let (words, _) = block.as_chunks::<8>();
    words.iter().enumerate().fold(Masks { white: 0, breaks: 0, odd: 0 }, |masks, (at, word)| {
        let word = u64::from_le_bytes(*word);
        let breaks = zeros(word ^ (ONES * u64::from(b'\n')));
        let white = breaks | zeros(word ^ (ONES * u64::from(b' ')));
        // A byte under 0x20 does not reach the high bit with 0x60 added.
        let odd = (word | !((word & SEVENS) + ONES * 0x60)) & HIGHS & !breaks;
        Masks {
            white: masks.white | gathered(white) << (8 * at),
            breaks: masks.breaks | gathered(breaks) << (8 * at),
            odd: masks.odd | gathered(odd) << (8 * at),
        }
    })
}

/// The masks by AVX2.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "loads of whole registers; nothing else")]
mod x86 {
    use super::{BLOCK, Marks, Masks};
    use std::arch::x86_64::{__m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8};

    /// [`Marks::find_with`], compiled for these processors.
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn find(marks: &mut Marks, window: &[u8]) {
        marks.find_with(window, |block| masks(block));
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
        let (halves, _) = block.as_chunks::<{ BLOCK / 2 }>();
        halves.iter().enumerate().fold(Masks { white: 0, breaks: 0, odd: 0 }, |masks, (at, half)| {
            // SAFETY: 32 bytes are read from an array of 32; the load asks for no alignment.
            let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast::<__m256i>()) };
            let bits = |lanes| u64::from(_mm256_movemask_epi8(lanes).cast_unsigned()) << (at * BLOCK / 2);
            let breaks = bits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\n'.cast_signed())));
            let spaces = bits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b' '.cast_signed())));
            // As signed numbers, what is not ASCII is below the controls.
            let low = bits(_mm256_cmpgt_epi8(_mm256_set1_epi8(b' '.cast_signed()), bytes));
            Masks { white: masks.white | breaks | spaces, breaks: masks.breaks | breaks, odd: masks.odd | (low & !breaks) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line: its bytes, and its values if it is plain.
    type Found = (Vec<u8>, Option<Vec<String>>);

    fn found(marks: &Marks, window: &[u8]) -> Vec<Found> {
        let values = |plain: Plain<'_>| {
            let value = |at| match plain.cell(at) {
                Cell::Text(text) => text.to_owned(),
                other => panic!("{other:?}"),
            };
            assert!((0..3).all(|more| matches!(plain.cell(plain.count() + more), Cell::Null)), "there is no value behind the last");
            (0..plain.count()).map(value).collect()
        };
        marks.found(window).map(|line| (line.raw.to_vec(), line.plain.map(values))).collect()
    }

    /// What the words above say, a byte at a time.
    fn one_by_one(window: &[u8]) -> Vec<Found> {
        let lines = window.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        let is_plain = |line: &[u8]| {
            let values: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            values.iter().all(|value| !value.is_empty() && value.iter().all(|byte| (0x21..0x80).contains(byte)))
        };
        let values = |line: &[u8]| line.split(|byte| *byte == b' ').map(|value| String::from_utf8(value.to_vec()).unwrap()).collect();
        lines.map(|line| (line.to_vec(), is_plain(line).then(|| values(line)))).collect()
    }

    fn check(window: &[u8]) {
        let wanted = one_by_one(window);
        let mut marks = Marks::default();
        marks.find(window);
        assert_eq!(found(&marks, window), wanted);
        // Once more over what was found before, the other way.
        marks.find_with(window, portable);
        assert_eq!(found(&marks, window), wanted);
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=255 {
            for at in (0..140).chain([190, 191, 192, 193]) {
                let mut window = b"aa bb-cc d eeeee\nf g h\n0123456789abcdef 0123456789abcdef\n".repeat(4);
                window[at] = byte;
                check(&window);
            }
            check(&[byte; 3 * BLOCK + 1]);
        }
        check(b"");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn both_ways_make_the_same_masks() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        for byte in 0..=255u8 {
            for at in 0..BLOCK {
                let mut block: [u8; BLOCK] = std::array::from_fn(|other| (other as u8).wrapping_mul(37).wrapping_add(byte));
                block[at] = byte;
                #[expect(unsafe_code, reason = "a function for processors with AVX2")]
                // SAFETY: the processor has AVX2, and none has that without the others.
                let masks = unsafe { x86::masks(&block) };
                assert_eq!(masks, portable(&block), "{byte:#04x} at {at}");
            }
        }
    }

    /// A window that ends where memory ends: whoever reads on is killed.
    #[test]
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "pages without access are asked of the system")]
    fn nothing_is_read_beyond_the_window() {
        const PAGE: usize = 1 << 16;
        // SAFETY: new pages of the system's choice, of which the second loses its access; no one else knows them.
        let pages = unsafe {
            let pages = libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(pages, libc::MAP_FAILED);
            assert_eq!(libc::mprotect(pages.byte_add(PAGE), PAGE, libc::PROT_NONE), 0);
            std::slice::from_raw_parts_mut(pages.cast::<u8>(), PAGE)
        };
        let text = b"2 123456789010 eni-1235b8ca 172.31.16.139  -\n\n \nx\xff ACCEPT OK\n";
        pages.iter_mut().enumerate().for_each(|(at, byte)| *byte = text[at % text.len()]);
        for len in 0..=3 * BLOCK {
            let (_, window) = pages.split_at(PAGE - len);
            check(window);
        }
        // SAFETY: the pages from above, which nothing refers to any more.
        unsafe { libc::munmap(pages.as_mut_ptr().cast(), 2 * PAGE) };
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(window in proptest::collection::vec(prop_oneof![4 => Just(b' '), 2 => Just(b'\n'), 9 => 0x21..0x7fu8, 1 => any::<u8>()], 0..700)) {
            check(&window);
        }

        #[test]
        fn mostly_plain(lines in proptest::collection::vec("[!-~]{1,20}( [!-~]{1,20}){0,30}[ \\t\u{7f}é]?", 0..12)) {
            check(lines.join("\n").as_bytes());
        }
    }
}
