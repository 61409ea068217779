//! A link of limited bandwidth, shared by all connections of a registry.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of one connection that are sent before another connection has its turn: about one packet.
const CHUNK: usize = 1448;

/// A thread may wake up so much too late without loss of bandwidth.
const LATE: Duration = Duration::from_millis(2);

pub struct Link {
    bytes_per_second: u32,
    /// When the bytes that were sent so far have left.
    free_at: Mutex<Instant>,
}

impl Link {
    pub fn new(bytes_per_second: u32) -> Self {
        Self {
            bytes_per_second,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Writes to a connection when it is the turn of each chunk.
    pub fn send(&self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            let turn = self.reserve(chunk.len());
            thread::sleep(turn.saturating_duration_since(Instant::now()));
            stream.write_all(chunk)?;
        }
        Ok(())
    }

    /// When the last of these bytes has left.
    fn reserve(&self, bytes: usize) -> Instant {
        let bytes = u32::try_from(bytes).expect("a chunk");
        let time = Duration::from_secs(1) * bytes / self.bytes_per_second;
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = Instant::now().checked_sub(LATE).unwrap_or(*free_at);
        *free_at = earliest.max(*free_at) + time;
        *free_at
    }
}
