//! Computes the digest of an input while it is read.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use crate::manifest::{Algorithm, Digest, Hasher};

/// The sha256 digest of an input; set at its end.
pub type DigestCell = Arc<OnceLock<Digest>>;

/// A reader that hashes its input.
pub struct HashingReader<R> {
    input: R,
    /// `None` after the end.
    hasher: Option<Hasher>,
    known: DigestCell,
}

impl<R> HashingReader<R> {
    /// Sets `known` at the end of the input.
    pub fn new(input: R, known: DigestCell) -> Self {
        Self {
            input,
            hasher: Some(Hasher::new(Algorithm::Sha256)),
            known,
        }
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if read > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..read]);
            }
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
        {
            // Set only once, at the first end of the input.
            let _ = self.known.set(hasher.finish());
        }
        Ok(read)
    }
}

/// The digest of a list of several files: that of their digests, each as 64 hexadecimal digits and a
/// line feed. For a single file, its own.
pub fn combined(digests: &[&Digest]) -> Option<Digest> {
    match digests {
        [] => None,
        [digest] => Some((*digest).clone()),
        several => {
            let lines: String = several
                .iter()
                .map(|digest| format!("{}\n", digest.as_str().trim_start_matches("sha256:")))
                .collect();
            Some(Digest::of(lines.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_known_only_at_the_end() {
        let known = DigestCell::default();
        let mut input = HashingReader::new(&b"abc"[..], known.clone());
        let mut buffer = [0; 2];
        for (read, digest) in [(2, None), (1, None), (0, Some(Digest::of(b"abc")))] {
            assert_eq!(input.read(&mut buffer).expect("bytes"), read);
            assert_eq!(known.get(), digest.as_ref());
        }
        assert_eq!(input.read(&mut buffer).expect("the end"), 0);
        assert_eq!(known.get(), Some(&Digest::of(b"abc")));
    }

    #[test]
    fn the_digest_of_several_files_depends_on_their_order() {
        let (one, other) = (Digest::of(b"a\n"), Digest::of(b"b\n"));
        assert_eq!(combined(&[]), None);
        assert_eq!(combined(&[&one]), Some(one.clone()));
        // sha256sum a b | cut -d' ' -f1 | sha256sum
        let text = combined(&[&one, &other]).expect("a digest");
        assert_ne!(Some(text), combined(&[&other, &one]));
    }
}
