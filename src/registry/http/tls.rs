//! TLS for ureq's connections, with our own rustls configuration.
//!
//! ureq's connector does not accept a certificate verifier. This one does the same with a given
//! configuration.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::registry::tls::client_certificate;

/// Wraps connections to `https` URLs in TLS.
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl TlsConnector {
    pub fn new(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Err(Error::ConnectionFailed);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| Error::Tls("the host is neither a DNS name nor an IP address"))?;
        client_certificate::begin_connection();
        let conn = ClientConnection::new(self.config.clone(), name)
            .map_err(|error| Error::Io(std::io::Error::other(error)))?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        sock.set_timeout(details.timeout);
        let mut stream = StreamOwned::new(conn, RecordStream::new(sock));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport { buffers, stream })))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

/// A connection in TLS.
pub struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, RecordStream<TransportAdapter>>,
}

impl TlsTransport {
    fn set_timeout(&mut self, timeout: NextTimeout) {
        self.stream.get_mut().inner.set_timeout(timeout);
    }

    /// Whether unread data of the server is left: a decrypted unsolicited response, part of a record, or
    /// records in the buffer of the connection below. The next request would take it for its response.
    fn has_surplus(&mut self) -> bool {
        let state = self.stream.conn.process_new_packets();
        let has_plaintext = state.map_or(true, |state| state.plaintext_bytes_to_read() > 0);
        let below = self.stream.get_mut();
        let has_records = !below.inner.get_mut().buffers().input().is_empty();
        has_plaintext || has_records || below.position.is_within_record()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.has_surplus() && self.stream.get_mut().inner.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

/// A byte stream that tracks the boundaries of TLS records (RFC 8446, 5.1: a header of 5 bytes, the last
/// two of which are the length of the rest).
struct RecordStream<S> {
    inner: S,
    position: RecordPosition,
}

impl<S> RecordStream<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            position: RecordPosition::default(),
        }
    }
}

impl<S: io::Read> io::Read for RecordStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let amount = self.inner.read(buffer)?;
        self.position.advance(&buffer[..amount]);
        Ok(amount)
    }
}

impl<S: io::Write> io::Write for RecordStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The position in a sequence of records.
#[derive(Debug, Default)]
struct RecordPosition {
    header: [u8; 5],
    /// Bytes read of the header.
    header_bytes: usize,
    /// Bytes of the record not read yet.
    left: usize,
}

impl RecordPosition {
    fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                taken
            } else {
                let taken = (self.header.len() - self.header_bytes).min(bytes.len());
                self.header[self.header_bytes..][..taken].copy_from_slice(&bytes[..taken]);
                self.header_bytes += taken;
                if self.header_bytes == self.header.len() {
                    self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                    self.header_bytes = 0;
                }
                taken
            };
            bytes = &bytes[taken..];
        }
    }

    fn is_within_record(&self) -> bool {
        self.header_bytes > 0 || self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut record = vec![23, 3, 3, high, low];
        record.resize(5 + usize::from(length), 0);
        record
    }

    proptest! {
        #[test]
        fn only_between_records_is_no_data_left(
            lengths in prop::collection::vec(0_u16..2000, 1..6),
            parts in prop::collection::vec(1_usize..900, 1..40),
        ) {
            let stream: Vec<u8> = lengths.iter().flat_map(|length| record(*length)).collect();
            let mut ends = std::collections::HashSet::new();
            let mut end = 0;
            for length in &lengths {
                end += 5 + usize::from(*length);
                ends.insert(end);
            }
            let (mut position, mut at) = (RecordPosition::default(), 0);
            for part in parts.iter().cycle() {
                let next = (at + part).min(stream.len());
                position.advance(&stream[at..next]);
                at = next;
                prop_assert_eq!(position.is_within_record(), !ends.contains(&at), "{}", at);
                if at == stream.len() {
                    break;
                }
            }
        }
    }
}
