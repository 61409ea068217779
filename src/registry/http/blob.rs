//! Hashes a blob while reading it, in constant memory.

use std::io::{self, Read};

use crate::log::Log;
use crate::manifest::{Digest, Hasher};
use crate::sync::Interrupt;

/// The buffer size in bytes.
const PIECE: usize = 64 * 1024;

pub struct BlobReader<'a, R> {
    pub body: R,
    pub hasher: Hasher,
    /// The number of bytes read.
    pub length: u64,
    /// Reading stops behind this many bytes.
    pub limit: u64,
    /// The error that ended reading.
    pub broke: Option<io::Error>,
    pub interrupt: &'a Interrupt,
    pub log: &'a Log,
}

impl<R: Read> Read for BlobReader<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.length > self.limit || self.broke.is_some() {
            return Ok(0);
        }
        let result = if self.interrupt.is_set() {
            Err(io::ErrorKind::NotConnected.into())
        } else {
            self.body.read(piece)
        };
        let read = match result {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let kind = error.kind();
                self.broke = Some(error);
                return Err(kind.into());
            }
        };
        self.hasher.update(&piece[..read]);
        self.length += read as u64;
        self.log.count_bytes(read as u64);
        Ok(read)
    }
}

impl<R: Read> BlobReader<'_, R> {
    /// Reads the rest; returns digest and length of the whole body.
    ///
    /// # Errors
    /// The error that ended reading early.
    pub fn finish(mut self) -> Result<(Digest, u64), ureq::Error> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.read(&mut piece) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broke.take().unwrap_or(error).into()),
            }
        }
        match self.broke {
            None => Ok((self.hasher.finish(), self.length)),
            Some(broke) => Err(broke.into()),
        }
    }
}
