//! Entries that are found in any order and end in the order of their keys: collected in the partial
//! file of an [`Output`], so that memory holds only where each of them stands.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::FileExt as _;

use super::OutputError;
use super::file::Output;
use crate::manifest::{Algorithm, Digest, Hasher};

/// One entry in the partial file.
struct Kept<K> {
    key: K,
    offset: u64,
    /// In bytes, with the line feed.
    length: u32,
    has_passed: bool,
}

/// An output whose entries are being collected.
pub struct Spool<K> {
    output: Output,
    kept: Vec<Kept<K>>,
    buffer: Vec<u8>,
    length: u64,
}

impl<K: Ord> Spool<K> {
    /// Nothing collected yet.
    pub fn new(output: Output) -> Self {
        Self {
            output,
            kept: Vec::new(),
            buffer: Vec::new(),
            length: 0,
        }
    }

    /// The file being written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether the entries came in the order of their keys: the partial file is as it should end.
    pub fn is_in_order(&self) -> bool {
        self.kept.is_sorted_by(|one, other| one.key <= other.key)
    }

    /// Takes up an entry, of a line that passed or of another; [`Spool::write`] puts it into the partial
    /// file.
    pub fn add(&mut self, key: K, has_passed: bool, entry: &[u8]) {
        self.kept.push(Kept {
            key,
            offset: self.length,
            // A line of the list has 16 MiB at most.
            length: u32::try_from(entry.len() + 1).unwrap_or(u32::MAX),
            has_passed,
        });
        self.buffer.extend_from_slice(entry);
        self.buffer.push(b'\n');
        self.length += entry.len() as u64 + 1;
    }

    /// Puts what was taken up since the last time into the partial file; true if there was anything.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses (full, gone).
    pub fn write(&mut self) -> Result<bool, OutputError> {
        if self.buffer.is_empty() {
            return Ok(false);
        }
        let written = self.output.file().write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| self.output.left(error))?;
        Ok(true)
    }

    /// The same, through to the disk.
    ///
    /// # Errors
    /// As [`Spool::write`].
    pub fn sync(&mut self) -> Result<(), OutputError> {
        if self.write()? {
            let synced = self.output.file().sync_data();
            synced.map_err(|error| self.output.left(error))?;
        }
        Ok(())
    }

    /// Forgets the entries of lines that did not pass.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses.
    pub fn forget_unsettled(&mut self) -> Result<(), OutputError> {
        self.kept.retain(|entry| entry.has_passed);
        if self.kept.is_empty() {
            let file = self.output.file();
            let emptied = file.set_len(0).and_then(|()| file.rewind());
            emptied.map_err(|error| self.output.left(error))?;
            self.length = 0;
        }
        Ok(())
    }

    /// Puts in its place what `write` makes of the entries in the order of their keys. The partial file
    /// stays.
    ///
    /// # Errors
    /// [`OutputError::Left`].
    pub fn place_each(
        &mut self,
        write: impl FnOnce(&mut Entries<'_, K>, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        self.write()?;
        self.kept.sort_by(|one, other| one.key.cmp(&other.key));
        let rest = self.kept.iter();
        let written = self
            .output
            .place(|partial, out| write(&mut Entries { partial, rest }, out));
        written.map(|_| ())
    }

    /// Puts the file in its place: `before`, the entries in the order of their keys, the last of those with
    /// the same key, each ended by `separator` but for the last, which is ended by a line feed, and what
    /// `after` makes of the sha256 of all entries, each with a line feed. The name is the one under which
    /// the image list was kept, if it was there. The partial file stays.
    ///
    /// # Errors
    /// [`OutputError::Left`].
    pub fn place(
        &mut self,
        separator: &str,
        before: &[u8],
        after: impl FnOnce(&Digest) -> String,
    ) -> Result<Option<String>, OutputError> {
        self.write()?;
        // Stable: the last of equal keys is the one that was added last.
        self.kept.sort_by(|one, other| one.key.cmp(&other.key));
        let kept = &self.kept;
        self.output.place(|partial, out| {
            out.write_all(before)?;
            let mut entries = kept
                .iter()
                .enumerate()
                .filter(|(index, entry)| {
                    kept.get(index + 1).is_none_or(|next| next.key != entry.key)
                })
                .map(|(_, entry)| entry)
                .peekable();
            let mut bytes = Vec::new();
            let mut hasher = Hasher::new(Algorithm::Sha256);
            while let Some(entry) = entries.next() {
                read(partial, entry, &mut bytes)?;
                hasher.update(&bytes);
                if entries.peek().is_some() {
                    bytes.splice(bytes.len() - 1.., separator.bytes());
                }
                out.write_all(&bytes)?;
            }
            out.write_all(after(&hasher.finish()).as_bytes())
        })
    }
}

/// Entries in the order of their keys.
pub struct Entries<'a, K> {
    partial: &'a File,
    rest: std::slice::Iter<'a, Kept<K>>,
}

impl<'a, K> Entries<'a, K> {
    /// Reads the next entry with its line feed; its key.
    ///
    /// # Errors
    /// Where the partial file cannot be read.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<&'a K>> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        read(self.partial, entry, bytes)?;
        Ok(Some(&entry.key))
    }
}

/// Reads an entry with its line feed.
fn read<K>(partial: &File, entry: &Kept<K>, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.resize(entry.length as usize, 0);
    partial.read_exact_at(bytes, entry.offset)
}
