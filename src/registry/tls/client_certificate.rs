//! Whether a server asked for a client certificate that this host does not have: TLS alerts do not
//! say so clearly.

use std::cell::Cell;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Has no client certificate, and remembers that one was wanted.
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

/// This thread begins another connection.
pub fn begin_connection() {
    WANTED.set(false);
}

/// Whether the server of this thread's last connection asked for a certificate and got none.
pub fn was_wanted() -> bool {
    WANTED.get()
}
