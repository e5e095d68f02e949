//! Instants, half-open ranges, and the injected clock.
//!
//! Flow logs carry Unix seconds (`start`, `end`), so an instant here is an `i64` of seconds, UTC. Nothing
//! below `main` reads the wall clock: relative times such as `now-7d` are resolved once against a [`Clock`].

use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike};

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixSeconds = i64;

/// Seconds in an hour: the unit of coverage and of the hourly summary.
pub const HOUR: i64 = 3_600;
/// Seconds in a day: the unit of key prefixes.
pub const DAY: i64 = 86_400;

/// Returns the earlier of two instants, of which one or both may be unknown.
#[inline]
pub fn earlier(a: Option<UnixSeconds>, b: Option<UnixSeconds>) -> Option<UnixSeconds> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Where "now" comes from. The one implementation that reads the wall clock is built by `main`.
pub trait Clock: Send + Sync {
    /// Returns the current instant.
    fn now(&self) -> UnixSeconds;
}

/// The wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> UnixSeconds {
        chrono::Utc::now().timestamp()
    }
}

/// A clock that stands still, for tests and re-runs.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(
    /// The instant it shows.
    pub UnixSeconds,
);

impl Clock for FixedClock {
    fn now(&self) -> UnixSeconds {
        self.0
    }
}

/// A half-open range of instants, `from <= t < to`; an absent end is unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First instant inside.
    pub from: Option<UnixSeconds>,
    /// First instant after.
    pub to: Option<UnixSeconds>,
}

impl TimeRange {
    /// Returns whether `t` lies inside.
    #[inline]
    pub fn contains(&self, t: UnixSeconds) -> bool {
        self.from.is_none_or(|from| from <= t) && self.to.is_none_or(|to| t < to)
    }

    /// Returns whether nothing can lie inside.
    pub fn is_empty(&self) -> bool {
        matches!((self.from, self.to), (Some(from), Some(to)) if from >= to)
    }

    /// Returns the instants that lie in both.
    #[must_use]
    pub fn intersect(&self, other: TimeRange) -> TimeRange {
        let later = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).max();
        let earlier = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        TimeRange { from: later(self.from, other.from), to: earlier(self.to, other.to) }
    }

    /// Returns the least range that holds both.
    #[must_use]
    pub fn hull(&self, other: TimeRange) -> TimeRange {
        let from = self.from.zip(other.from).map(|(a, b)| a.min(b));
        TimeRange { from, to: self.to.zip(other.to).map(|(a, b)| a.max(b)) }
    }

    /// Reads the two ends as a user writes them (see [`parse_instant`]).
    ///
    /// # Errors
    /// A usage error if an end is not an instant or the range is empty.
    pub fn parse(from: Option<&str>, to: Option<&str>, now: UnixSeconds) -> Result<TimeRange> {
        let end = |name: &str, text: Option<&str>| {
            text.map(|text| {
                parse_instant(text, now).ok_or_else(|| {
                    Error::usage(format!("{name} {text:?} is not a time"))
                        .with_hint("write 2026-10-03, 2026-10-03T08:00:00Z, now-7d or 7d (UTC)")
                })
            })
            .transpose()
        };
        let range = TimeRange { from: end("--from", from)?, to: end("--to", to)? };
        if range.is_empty() {
            return Err(Error::usage("the time range is empty: --from is not before --to"));
        }
        Ok(range)
    }
}

/// When a fact of the inventory held: `from <= t < to`, `i64::MIN`/`i64::MAX` where unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidPeriod {
    /// First instant at which the fact held.
    pub from: UnixSeconds,
    /// First instant at which it no longer held.
    pub to: UnixSeconds,
}

impl ValidPeriod {
    /// Held at every instant.
    pub const ALWAYS: ValidPeriod = ValidPeriod { from: i64::MIN, to: i64::MAX };

    /// Returns whether the fact held at `t`.
    #[inline]
    pub fn contains(&self, t: UnixSeconds) -> bool {
        self.from <= t && t < self.to
    }
}

/// Reads an instant: RFC 3339, a date (its first instant, UTC), `YYYY-MM-DDTHH:MM[:SS][Z]`, `now`, `now-7d`, or `7d` (ago).
/// Units are `s`, `m`, `h`, `d`, `w`. Returns `None` for anything else.
pub fn parse_instant(text: &str, now: UnixSeconds) -> Option<UnixSeconds> {
    let text = text.trim();
    if text == "now" {
        return Some(now);
    }
    if let Some(span) = text.strip_prefix("now-").or(Some(text)).and_then(parse_span) {
        return now.checked_sub(span);
    }
    if let Some(span) = text.strip_prefix("now+").and_then(parse_span) {
        return now.checked_add(span);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp());
    }
    let bare = text.strip_suffix('Z').unwrap_or(text);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok())
        .map(|instant| instant.and_utc().timestamp())
}

/// Reads `7d`, `90m`, `1h` as seconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    count.checked_mul(seconds)
}

/// Returns the instant as RFC 3339 in UTC with whole seconds, e.g. `2026-10-03T08:14:22Z`.
pub fn rfc3339(t: UnixSeconds) -> String {
    match DateTime::from_timestamp(t, 0) {
        Some(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => t.to_string(),
    }
}

/// Returns the first instant of the hour that `t` lies in.
#[inline]
pub fn hour_of(t: UnixSeconds) -> UnixSeconds {
    t.div_euclid(HOUR) * HOUR
}

/// Reads a time stamp out of a path part: `2026-03-01T230000Z`, `2026-03-01T23:00:00Z`, `20260301T2300Z`, or a date
/// with either. The text around it is ignored (`eni-2026-03-01T23:00:00Z.json`).
pub fn find_stamp(part: &str) -> Option<UnixSeconds> {
    let bytes = part.as_bytes();
    (0..bytes.len()).filter(|&at| at == 0 || !bytes[at - 1].is_ascii_digit()).find_map(|at| stamp_at(&bytes[at..]))
}

fn stamp_at(text: &[u8]) -> Option<UnixSeconds> {
    let mut rest = text;
    let mut digits = |count: usize, separator: Option<u8>| -> Option<u32> {
        if let (Some(separator), Some(first)) = (separator, rest.first())
            && *first == separator
        {
            rest = &rest[1..];
        }
        let (head, tail) = rest.split_at_checked(count)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        rest = tail;
        std::str::from_utf8(head).ok()?.parse().ok()
    };
    let year = digits(4, None).filter(|year| (1970..2200).contains(year))?;
    let (month, day) = (digits(2, Some(b'-'))?, digits(2, Some(b'-'))?);
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    // Without a separator anywhere it is as likely an account id (12 digits) or a counter.
    if text.get(4) != Some(&b'-') && text.get(8) != Some(&b'T') {
        return None;
    }
    let hour = digits(2, Some(b'T'));
    let minute = hour.and_then(|_| digits(2, Some(b':')));
    let second = minute.and_then(|_| digits(2, Some(b':')));
    if hour.is_none() && rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let at = date.and_hms_opt(hour.unwrap_or(0), minute.unwrap_or(0), second.unwrap_or(0))?;
    Some(at.with_nanosecond(0)?.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn instants_as_users_write_them() {
        let check = |text: &str, want: Option<i64>| assert_eq!(parse_instant(text, NOW), want, "{text}");
        check("now", Some(NOW));
        check("now-7d", Some(NOW - 7 * DAY));
        check("90m", Some(NOW - 5_400));
        check("1970-01-02", Some(DAY));
        check("1970-01-01T00:01:00Z", Some(60));
        check("1970-01-01T01:00:00+01:00", Some(0));
        check("1970-01-01T00:01", Some(60));
        check("yesterday", None);
        check("-7d", None);
        check("", None);
    }

    #[test]
    fn ranges_are_half_open() {
        let range = TimeRange { from: Some(10), to: Some(20) };
        assert!(range.contains(10) && range.contains(19) && !range.contains(20) && !range.contains(9));
        assert!(TimeRange::parse(Some("2026-01-02"), Some("2026-01-01"), NOW).is_err());
    }

    #[test]
    fn stamps_in_path_parts() {
        let check = |part: &str, want: Option<&str>| assert_eq!(find_stamp(part).map(rfc3339).as_deref(), want, "{part}");
        check("2026-03-01T230000Z", Some("2026-03-01T23:00:00Z"));
        check("eni-2026-03-01T23:00:00Z.json", Some("2026-03-01T23:00:00Z"));
        check("20260301T2305Z_eni.json", Some("2026-03-01T23:05:00Z"));
        check("2026-03-01", Some("2026-03-01T00:00:00Z"));
        check("111122223333", None);
        check("202611221234", None);
        check("inventory", None);
        check("20261301", None);
    }
}
