//! A big object as several ranged reads in flight, delivered in order: one connection of S3 is slower than one core.
//!
//! How many are in flight follows from who waits for whom, so no clock is asked: a part that is not there when it is wanted
//! makes room for one more, and a row of parts that waited for their reader takes one away. Near S3 that comes to two,
//! far from it to as many as are allowed.

use super::Bytestream;
use crate::error::{Error, Result};
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use tokio::task::JoinHandle;

/// Objects from this size on are read in parts.
pub(super) const PARTS_FROM: u64 = 16 << 20;
/// Bytes of a part: a request costs a fiftieth of what decoding so much does.
const PART_BYTES: u64 = 1 << 20;
/// Parts in flight; with a chunk waiting and two being handed on, an object holds what the pipeline's budget counts for it, 8 MiB.
const PARTS_MAX: usize = 5;
/// Least parts in flight: one is read while another is handed on.
const PARTS_MIN: usize = 2;
/// Parts in a row that waited for their reader, after which one less is in flight.
const READY_MAX: u32 = 8;

/// Streams an object of `size` bytes, which `read` reads by ranges. Dropped, it gives up what is in flight.
pub(super) fn in_order<R, P>(size: u64, read: R) -> Bytestream
where
    R: Fn(Range<u64>) -> P + Send + 'static,
    P: Future<Output = Result<Bytes>> + Send + 'static,
{
    let parts = Parts { read, size, asked: 0, in_flight: VecDeque::new(), in_flight_max: PARTS_MIN, ready: 0 };
    stream::try_unfold(parts, |mut parts| async move { Ok(parts.next().await?.map(|bytes| (bytes, parts))) }).boxed()
}

struct Parts<R> {
    read: R,
    size: u64,
    asked: u64,
    /// Tasks, which go on while nobody asks for their part.
    in_flight: VecDeque<Task>,
    in_flight_max: usize,
    /// Parts in a row that were there when they were wanted.
    ready: u32,
}

impl<R, P> Parts<R>
where
    R: Fn(Range<u64>) -> P,
    P: Future<Output = Result<Bytes>> + Send + 'static,
{
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.ask();
        let Some(mut part) = self.in_flight.pop_front() else { return Ok(None) };
        let bytes = match (&mut part.0).now_or_never() {
            Some(bytes) => {
                self.ready += 1;
                if self.ready >= READY_MAX {
                    (self.ready, self.in_flight_max) = (0, PARTS_MIN.max(self.in_flight_max - 1));
                }
                bytes
            }
            None => {
                (self.ready, self.in_flight_max) = (0, PARTS_MAX.min(self.in_flight_max + 1));
                (&mut part.0).await
            }
        };
        self.ask();
        bytes.unwrap_or_else(|error| Err(Error::failed("a reading task stopped").caused_by(error))).map(Some)
    }

    /// Starts as many parts as may be in flight.
    fn ask(&mut self) {
        while self.asked < self.size && self.in_flight.len() < self.in_flight_max {
            let end = self.size.min(self.asked + PART_BYTES);
            self.in_flight.push_back(Task(tokio::spawn((self.read)(self.asked..end))));
            self.asked = end;
        }
    }
}

/// A task that ends with its owner.
struct Task(JoinHandle<Result<Bytes>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// Reads an object whose part 20 fails, and returns its parts and the most that were in flight.
    async fn read(wait: Duration, reader: Duration) -> (Vec<Result<Bytes>>, usize) {
        let open = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(Mutex::new(0));
        let counts = (Arc::clone(&open), Arc::clone(&most));
        let part = move |range: Range<u64>| {
            let (open, most) = counts.clone();
            async move {
                let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                {
                    let mut most = most.lock().unwrap();
                    *most = now.max(*most);
                }
                let at = range.start / PART_BYTES;
                // Later parts may answer sooner.
                tokio::time::sleep(wait.saturating_sub(Duration::from_millis(at % 3))).await;
                open.fetch_sub(1, Ordering::SeqCst);
                if at < 20 { Ok(Bytes::from(range.start.to_string())) } else { Err(Error::failed("the end is not there")) }
            }
        };
        let mut stream = in_order(20 * PART_BYTES + 7, part);
        let mut taken = Vec::new();
        while let Some(part) = stream.next().await {
            taken.push(part);
            tokio::time::sleep(reader).await;
        }
        let most = *most.lock().unwrap();
        (taken, most)
    }

    #[tokio::test]
    async fn parts_come_in_order_more_at_once_the_longer_they_take() {
        let expected: Vec<String> = (0..20).map(|part| (part * PART_BYTES).to_string()).collect();
        for (wait, reader, in_flight) in [(60, 0, PARTS_MAX), (0, 60, PARTS_MIN + 1)] {
            let (taken, most) = read(Duration::from_millis(wait), Duration::from_millis(reader)).await;
            let (last, parts) = taken.split_last().unwrap();
            assert_eq!(parts.iter().map(|part| part.as_ref().unwrap()).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
            assert_eq!(last.as_ref().unwrap_err().to_string(), "the end is not there");
            // The first part is always waited for.
            assert!(if wait > 0 { most == in_flight } else { most <= in_flight }, "{most} for {wait} ms");
        }
    }
}
