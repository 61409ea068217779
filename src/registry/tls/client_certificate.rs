//! Detects that a server requested a client certificate which this host does not have: TLS alerts do not
//! say so clearly.

use std::cell::Cell;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Offers no client certificate, and records the server's request for one.
#[derive(Debug)]
pub struct NoClientCertificate;

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        WANTED.set(true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Resets the record of this thread for a new connection.
pub fn begin_connection() {
    WANTED.set(false);
}

/// Whether the server of this thread's last connection requested a client certificate.
pub fn was_wanted() -> bool {
    WANTED.get()
}
