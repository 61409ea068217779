//! Decompresses a layer, for the digest of its content.
//!
//! The first bytes tell the compression, as in containerd, not the media type. Formats: RFC 1952 (gzip,
//! several members), RFC 8878 (zstd, several frames).

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::manifest::{Algorithm, Digest, Hasher};

/// The maximum decompressed size of a layer in bytes.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024 * 1024;

/// The buffer size in bytes.
const PIECE: usize = 64 * 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// RFC 8878, 3.1.1: frames; 3.1.2: skippable frames, whose last four bits vary.
const ZSTD: u32 = 0xFD2F_B528;
const SKIPPED: u32 = 0x184D_2A50;

/// Decompresses a layer: the digest of its content, or the reason of the failure.
pub fn unpack(layer: &mut dyn Read, algorithm: Algorithm) -> Result<Digest, String> {
    let mut content = Content {
        hasher: Hasher::new(algorithm),
        left: MOST_UNPACKED,
    };
    let mut start = [0; 4];
    let length = fill(layer, &mut start).map_err(|error| error.to_string())?;
    let mut layer = BufReader::with_capacity(PIECE, start[..length].chain(layer));
    let magic = u32::from_le_bytes(start);
    let result = if length > 1 && start.starts_with(&GZIP) {
        content.take(&mut MultiGzDecoder::new(layer))
    } else if length == 4 && (magic == ZSTD || magic & !0xF == SKIPPED) {
        frames(&mut layer, &mut content)
    } else {
        content.take(&mut layer)
    };
    match result {
        Ok(()) => Ok(content.hasher.finish()),
        Err(error) => Err(format!("cannot be decompressed: {error}")),
    }
}

/// Decompresses consecutive zstd frames.
fn frames(layer: &mut impl BufRead, content: &mut Content) -> io::Result<()> {
    while !layer.fill_buf()?.is_empty() {
        match StreamingDecoder::new(&mut *layer) {
            Ok(mut frame) => content.take(&mut frame)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let skipped = io::copy(&mut layer.take(length.into()), &mut io::sink())?;
                if skipped < length.into() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
    }
    Ok(())
}

/// Reads until the buffer is full or the input ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The decompressed content, which is hashed and discarded.
struct Content {
    hasher: Hasher,
    /// The remaining bytes of the limit.
    left: u64,
}

impl Content {
    fn take(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = fill(reader, &mut piece)?;
            if read == 0 {
                return Ok(());
            }
            let left = self.left.checked_sub(read as u64);
            self.left = left.ok_or_else(|| {
                let gigabytes = MOST_UNPACKED / (1024 * 1024 * 1024);
                io::Error::other(format!("larger than {gigabytes} GiB"))
            })?;
            self.hasher.update(&piece[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write as _;

    fn gzip(content: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(content).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    fn of(mut layer: &[u8]) -> Result<Digest, String> {
        unpack(&mut layer, Algorithm::Sha256)
    }

    #[test]
    fn every_compression_of_the_same_content_has_one_digest() {
        let content: Vec<u8> = (0..300_000u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect();
        let (one, other) = content.split_at(100_000);
        let skipped = [&SKIPPED.to_le_bytes()[..], &3u32.to_le_bytes(), b"abc"].concat();
        for layer in [
            content.clone(),
            gzip(&content, 1),
            gzip(&content, 9),
            [gzip(one, 6), gzip(other, 1)].concat(),
            zstd(&content),
            [zstd(one), skipped.clone(), zstd(other), skipped.clone()].concat(),
            [skipped, zstd(&content)].concat(),
        ] {
            assert_eq!(of(&layer), Ok(Digest::of(&content)));
        }
        assert_eq!(of(b""), Ok(Digest::of(b"")));
        assert_eq!(of(b"\x1f"), Ok(Digest::of(b"\x1f")));
    }

    #[test]
    fn truncated_or_damaged_data_has_no_digest() {
        let content = b"some content, and some content".repeat(100);
        for layer in [gzip(&content, 6), zstd(&content)] {
            assert_ne!(of(&layer[..layer.len() - 1]), Ok(Digest::of(&content)));
            assert!(of(&layer[..layer.len() / 2]).is_err());
            assert!(of(&[&layer[..], b"x"].concat()).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(
            start in prop_oneof![Just(vec![]), Just(vec![0x1f, 0x8b, 8, 0]), Just(ZSTD.to_le_bytes().to_vec()), Just(SKIPPED.to_le_bytes().to_vec())],
            rest in any::<Vec<u8>>(),
        ) {
            let _ = of(&[start, rest].concat());
        }
    }
}
