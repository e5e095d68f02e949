//! Local ports of one address, never used twice within the longest aggregation interval.
//!
//! A 5-tuple that appears again within 600 s would be one connection to any reader of flow logs, so the plan avoids it.

const SHORT_FIRST: u16 = 32_768;
const LONG_FIRST: u16 = 49_152;
const LONG_LAST: u16 = 60_999;
const CHUNK: u16 = 1_024;
const CHUNKS: usize = 16;
/// AWS's longest aggregation interval; a port rests for longer than that.
const REST_S: i64 = 600;

/// The ports of one address: 16,384 for short connections, used in turn, and 11,848 for long ones, each used once.
#[derive(Clone)]
pub(crate) struct Ports {
    short: u16,
    long: u16,
    /// Last second in which a port of the chunk was in use.
    used_until: [i64; CHUNKS],
}

impl Ports {
    /// Returns ports that start at a chunk chosen by `salt`, so that not all addresses count alike.
    pub(crate) fn new(salt: u64) -> Ports {
        Ports { short: (salt % CHUNKS as u64) as u16 * CHUNK, long: LONG_FIRST, used_until: [i64::MIN / 2; CHUNKS] }
    }

    /// Returns a port for a connection that lives inside the window `from..=until`; none while all rest.
    pub(crate) fn short(&mut self, from: i64, until: i64) -> Option<u16> {
        let chunk = usize::from(self.short / CHUNK);
        if self.short.is_multiple_of(CHUNK) && from - self.used_until[chunk] <= REST_S {
            return None;
        }
        self.used_until[chunk] = until;
        let port = SHORT_FIRST + self.short;
        self.short = (self.short + 1) % (CHUNK * CHUNKS as u16);
        Some(port)
    }

    /// Returns a port for a connection of any length; none when all were used.
    pub(crate) fn long(&mut self) -> Option<u16> {
        let port = self.long;
        if port > LONG_LAST {
            return None;
        }
        self.long += 1;
        Some(port)
    }
}
