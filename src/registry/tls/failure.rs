//! Why TLS failed, and what mends it.

/// A failure of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// What happened, in words.
    pub text: String,
    /// What mends it.
    pub remedy: Remedy,
}

/// What mends a failure of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Trust the CA that issued the certificate.
    TrustAuthority,
    /// Trust the certificate itself.
    TrustCertificate,
    /// A new certificate: the old one has expired.
    Renew,
    /// The right time on this host, or patience.
    Clock,
    /// Another name of the registry, or a certificate for this one.
    Name,
    /// A certificate that is made in another way.
    Reissue,
    /// Another protocol version at the server.
    Version,
    /// Another cipher suite at the server.
    Cipher,
    /// A certificate of this client.
    ClientCertificate,
    /// Another certificate of this client.
    OtherClientCertificate,
    /// The host is no TLS server as expected.
    Server,
}

impl TlsFailure {
    /// A failure with its remedy.
    pub fn new(text: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            text: text.into(),
            remedy,
        }
    }
}

impl Remedy {
    /// What the user can do, for a registry as the user names it.
    pub fn hint(self, host: &str) -> String {
        let directory = format!("/etc/containers/certs.d/{host}");
        match self {
            Self::TrustAuthority => format!(
                "install the CA's certificate as {directory}/ca.crt or give it with --ca-file, or use --tls-verify=false"
            ),
            Self::TrustCertificate => format!(
                "install the registry's certificate as {directory}/ca.crt or give it with --ca-file, or use --tls-verify=false"
            ),
            Self::Renew => format!(
                "renew the registry's certificate; until then --insecure {host} does not verify it"
            ),
            Self::Clock => format!(
                "set the clock of this host, or wait; --insecure {host} does not verify the certificate"
            ),
            Self::Name => format!(
                "use one of these names in the list, or have a certificate issued for {host}; --insecure {host} does not verify it"
            ),
            Self::Reissue => format!(
                "have the registry's certificate issued again; until then --insecure {host} does not verify it"
            ),
            Self::Version => "enable TLS 1.2 or 1.3 on the registry".to_owned(),
            Self::Cipher => {
                "enable a cipher suite with ECDHE and AES-GCM or ChaCha20 on the registry"
                    .to_owned()
            }
            Self::ClientCertificate => format!(
                "put a client certificate and its key into {directory}/ as client.cert and client.key"
            ),
            Self::OtherClientCertificate => format!(
                "check client.cert in {directory}/: the registry must trust its issuer, and it must not have expired"
            ),
            Self::Server => {
                "check the registry's name and port, and its TLS configuration".to_owned()
            }
        }
    }
}
