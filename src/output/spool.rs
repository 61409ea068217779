//! Sorts entries by key: they are appended to the partial file of an [`Output`] in any order, and
//! memory holds only the offset of each.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::FileExt as _;

use super::OutputError;
use super::file::Output;
use crate::manifest::{Algorithm, Digest, Hasher};

struct SpooledEntry<K> {
    key: K,
    offset: u64,
    /// In bytes, with the line feed.
    length: u32,
    has_passed: bool,
}

/// An output whose entries are sorted at the end.
pub struct Spool<K> {
    output: Output,
    kept: Vec<SpooledEntry<K>>,
    buffer: Vec<u8>,
    length: u64,
}

impl<K: Ord> Spool<K> {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            kept: Vec::new(),
            buffer: Vec::new(),
            length: 0,
        }
    }

    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether the entries came in the order of their keys, so that the partial file needs no sorting.
    pub fn is_in_order(&self) -> bool {
        self.kept.is_sorted_by(|one, other| one.key <= other.key)
    }

    /// Adds an entry to the buffer; [`Spool::write`] writes the buffer to the partial file. `has_passed`:
    /// the line passed.
    pub fn add(&mut self, key: K, has_passed: bool, entry: &[u8]) {
        self.kept.push(SpooledEntry {
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

    /// Writes the buffer to the partial file; false if it was empty.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the write fails, for example on a full disk.
    pub fn write(&mut self) -> Result<bool, OutputError> {
        if self.buffer.is_empty() {
            return Ok(false);
        }
        let written = self.output.file().write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| self.output.left(error))?;
        Ok(true)
    }

    /// As [`Spool::write`], followed by `fdatasync`.
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

    /// Removes the entries of lines that did not pass.
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

    /// Writes the final file: `before`, then the entries in the order of their keys, then the text that
    /// `after` returns for the sha256 of all entries (each with a line feed). Of several entries with one
    /// key the last is written. Entries are separated by `separator`, and the last ends with a line feed.
    /// Returns the new name of the image list, if that was replaced. Keeps the partial file.
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
        // The sort is stable: the last of equal keys is the entry that was added last.
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

/// Iterates over the entries in the order of their keys.
pub struct Entries<'a, K> {
    partial: &'a File,
    rest: std::slice::Iter<'a, SpooledEntry<K>>,
}

impl<'a, K> Entries<'a, K> {
    /// Reads the next entry with its line feed into `bytes`, and returns its key.
    ///
    /// # Errors
    /// Read errors of the partial file.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<&'a K>> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        read(self.partial, entry, bytes)?;
        Ok(Some(&entry.key))
    }
}

/// Reads an entry with its line feed.
fn read<K>(partial: &File, entry: &SpooledEntry<K>, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.resize(entry.length as usize, 0);
    partial.read_exact_at(bytes, entry.offset)
}
