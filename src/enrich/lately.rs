//! What the rows of a batch asked lately: a small table that forgets, in front of look-ups that cost more.
//!
//! The texts of a batch are told by their views ([`crate::decode::text_column::Texts`]), which say nothing in the next one.

/// Answers by what was asked, one for each slot.
#[derive(Debug)]
pub struct Lately<K, V> {
    /// Of which batch, what was asked, and the answer.
    slots: Vec<Option<(u32, K, V)>>,
    batch: u32,
}

impl<K, V> Lately<K, V> {
    /// Makes a table of two to the power of `bits` slots.
    pub fn new(bits: u32) -> Lately<K, V> {
        Lately { slots: std::iter::repeat_with(|| None).take(1 << bits).collect(), batch: 0 }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        match self.batch.checked_add(1) {
            Some(next) => self.batch = next,
            None => *self = Lately::new(self.slots.len().ilog2()),
        }
    }

    /// Returns the slot for what is told by these bits.
    #[inline]
    pub fn place(&self, bits: u128) -> usize {
        let mixed = (bits as u64 ^ (bits >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.slots.len() - 1)
    }

    /// Returns what was asked last of all that share the slot, and the answer.
    #[inline]
    pub fn get(&mut self, place: usize) -> Option<(&mut K, &mut V)> {
        match self.slots.get_mut(place) {
            Some(Some((batch, asked, answer))) if *batch == self.batch => Some((asked, answer)),
            _ => None,
        }
    }

    /// Remembers an answer.
    #[inline]
    pub fn put(&mut self, place: usize, asked: K, answer: V) {
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some((self.batch, asked, answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_put_last() {
        let mut lately: Lately<u128, u32> = Lately::new(2);
        for asked in 0..64 {
            let place = lately.place(asked);
            assert!(lately.get(place).is_none_or(|(known, answer)| *known < asked && *answer == *known as u32 + 1));
            lately.put(place, asked, asked as u32 + 1);
            assert_eq!(lately.get(place), Some((&mut { asked }, &mut (asked as u32 + 1))));
        }
        let is_known =
            |lately: &mut Lately<u128, u32>, asked: u128| lately.get(lately.place(asked)).is_some_and(|(known, _)| *known == asked);
        assert!((1..=4).contains(&(0..64).filter(|asked| is_known(&mut lately, *asked)).count()));
        lately.clear();
        assert!(!(0..64).any(|asked| is_known(&mut lately, asked)));
    }
}
