//! A blob that is hashed while it is read, piece by piece, in constant memory.

use std::io::{self, Read};

use crate::log::Log;
use crate::manifest::{Digest, Hasher};
use crate::sync::Interrupt;

/// How much of a blob is in memory at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// A body being read.
pub struct BlobReader<'a, R> {
    pub body: R,
    pub hasher: Hasher,
    /// Bytes that were read.
    pub length: u64,
    /// Reading ends beyond so many bytes.
    pub limit: u64,
    /// Why it could not be read on.
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
    /// Reads the rest; digest and length of all of it.
    ///
    /// # Errors
    /// Why it could not be read to its end.
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
