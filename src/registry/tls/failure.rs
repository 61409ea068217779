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
                "install the CA certificate as {directory}/ca.crt or pass it with --ca-file, or use --tls-verify=false"
            ),
            Self::TrustCertificate => format!(
                "install the registry's certificate as {directory}/ca.crt or pass it with --ca-file, or use --tls-verify=false"
            ),
            Self::Renew => format!(
                "renew the registry's certificate; to skip verification until then, use --insecure {host}"
            ),
            Self::Clock => format!(
                "check the clock of this machine; to skip verification, use --insecure {host}"
            ),
            Self::Name => format!(
                "use one of these names in the image list, or issue a certificate for {host}; to skip verification, use --insecure {host}"
            ),
            Self::Reissue => format!(
                "reissue the registry's certificate; to skip verification until then, use --insecure {host}"
            ),
            Self::Version => "enable TLS 1.2 or 1.3 on the registry".to_owned(),
            Self::Cipher => {
                "enable a cipher suite with ECDHE and AES-GCM or ChaCha20 on the registry"
                    .to_owned()
            }
            Self::ClientCertificate => format!(
                "install a client certificate and its key as client.cert and client.key in {directory}/"
            ),
            Self::OtherClientCertificate => format!(
                "check client.cert in {directory}/: the registry must trust its issuer, and it must not have expired"
            ),
            Self::Server => {
                "check the host name, the port and the TLS configuration of the registry".to_owned()
            }
        }
    }
}
