//! Certificates, made for each test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    der: CertificateDer<'static>,
}

/// A certificate and its key.
pub struct Pair {
    pub pem: String,
    pub key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params
        .distinguished_name
        .push(DnType::CommonName, "image-tools test");
    params
}

impl Authority {
    pub fn new() -> Self {
        let mut params = params(&[]);
        params
            .distinguished_name
            .push(DnType::CommonName, "image-tools test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self {
            issuer: Issuer::new(params, key),
            pem,
            der,
        }
    }

    /// A certificate for these host names or addresses.
    pub fn issue(&self, names: &[&str]) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names)
            .signed_by(&key, &self.issuer)
            .expect("a certificate");
        Pair {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            chain: vec![certificate.der().clone()],
            key,
        }
    }

    /// A server that requires client certificates of this authority.
    pub fn asking_clients(&self, pair: &Pair) -> Arc<ServerConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .expect("a verifier");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(pair.chain.clone(), pair.private())
            .expect("a pair");
        Arc::new(config)
    }
}

impl Pair {
    /// Self-signed as `openssl req -x509` does it: with `CA:TRUE`. `expired`: in 2021.
    pub fn self_signed(names: &[&str], expired: bool) -> Self {
        let mut params = params(names);
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 2, 3);
        }
        Self::signed_by_itself(params)
    }

    /// Self-signed, and valid from 2090 to 2091.
    pub fn not_valid_yet(names: &[&str]) -> Self {
        let mut params = params(names);
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
        Self::signed_by_itself(params)
    }

    fn signed_by_itself(mut params: CertificateParams) -> Self {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            chain: vec![certificate.der().clone()],
            key,
        }
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key")
    }

    /// The DER form of the certificate and of the key (PKCS 8).
    pub fn der(&self) -> (Vec<u8>, Vec<u8>) {
        (self.chain[0].to_vec(), self.key.serialize_der())
    }

    /// A server with this certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(self.chain.clone(), self.private())
                .expect("a pair");
        Arc::new(config)
    }
}
