//! A TLS failure and its remedy.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    pub text: String,
    pub remedy: Remedy,
}

/// The remedy of a TLS failure, for the hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Trust the CA that issued the certificate.
    TrustAuthority,
    /// Trust the certificate itself.
    TrustCertificate,
    /// Renew an expired certificate.
    Renew,
    /// Correct the clock of this machine, or wait.
    Clock,
    /// Use another name for the registry, or a certificate for this one.
    Name,
    /// Issue the certificate with other properties.
    Reissue,
    /// Enable another protocol version on the server.
    Version,
    /// Enable another cipher suite on the server.
    Cipher,
    /// Install a client certificate.
    ClientCertificate,
    /// Replace the client certificate.
    OtherClientCertificate,
    /// Check the server: it does not behave like a TLS server.
    Server,
}

impl TlsFailure {
    pub fn new(text: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            text: text.into(),
            remedy,
        }
    }
}

impl Remedy {
    /// The hint, for a registry as the user names it.
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
