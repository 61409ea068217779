//! The curve P-521 for TLS, which ring does not implement; some registries and CAs use it.
//!
//! Specification: SEC 1 (encodings), FIPS 186-5 (ECDSA), RFC 8446, 4.2.7 and 4.2.8.2 (key exchange).

use p521::ecdsa::signature::hazmat::PrehashVerifier as _;
use p521::ecdsa::{Signature, VerifyingKey};
use p521::elliptic_curve::sec1::ToSec1Point as _;
use p521::{PublicKey, SecretKey, ecdh};
use ring::digest::{self, SHA256, SHA384, SHA512};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SharedSecret, SupportedKxGroup,
    WebPkiSupportedAlgorithms,
};
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

/// Bytes of a private key.
const SECRET: usize = 66;

/// ring's algorithms, followed by those of P-521.
pub fn added_to(provider: CryptoProvider) -> CryptoProvider {
    let mut kx_groups = provider.kx_groups;
    kx_groups.push(&Secp521r1);
    CryptoProvider {
        signature_verification_algorithms: with_p521(provider.signature_verification_algorithms),
        kx_groups,
        ..provider
    }
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

fn with_p521(known: WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    static ALGORITHMS: [Ecdsa; 3] = [
        Ecdsa(alg_id::ECDSA_SHA512, &SHA512),
        Ecdsa(alg_id::ECDSA_SHA384, &SHA384),
        Ecdsa(alg_id::ECDSA_SHA256, &SHA256),
    ];
    let [sha512, sha384, sha256] = ALGORITHMS.each_ref().map(|one| -> Algorithm { one });
    let all = known.all.iter().copied().chain([sha512, sha384, sha256]);
    let mut mapping: Vec<(SignatureScheme, &'static [Algorithm])> = Vec::new();
    for (scheme, algorithms) in known.mapping {
        // TLS 1.2 allows each hash with each curve.
        let more = match scheme {
            SignatureScheme::ECDSA_NISTP384_SHA384 => Some(sha384),
            SignatureScheme::ECDSA_NISTP256_SHA256 => Some(sha256),
            _ => None,
        };
        let algorithms: Vec<Algorithm> = algorithms.iter().copied().chain(more).collect();
        mapping.push((*scheme, Vec::leak(algorithms)));
    }
    // Last: servers take the first scheme that their key supports, and in TLS 1.2 each curve supports
    // SHA-512, for which ring has no code.
    let scheme = SignatureScheme::ECDSA_NISTP521_SHA512;
    mapping.push((scheme, Vec::leak(vec![sha512])));
    // Leaked once per run: the library requires a static lifetime.
    WebPkiSupportedAlgorithms {
        all: Vec::leak(all.collect()),
        mapping: Vec::leak(mapping),
    }
}

/// ECDSA over P-521 with a hash.
struct Ecdsa(AlgorithmIdentifier, &'static digest::Algorithm);

impl std::fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ecdsa(P-521)")
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        // The crate requires at least half of the curve's size; leading zeros do not change the number.
        let hash = digest::digest(self.1, message);
        let mut padded = [0; SECRET];
        padded[SECRET - hash.as_ref().len()..].copy_from_slice(hash.as_ref());
        key.verify_prehash(&padded, &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0
    }
}

/// Key exchange over P-521.
#[derive(Debug)]
struct Secp521r1;

impl SupportedKxGroup for Secp521r1 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let random = SystemRandom::new();
        loop {
            let mut bytes = [0; SECRET];
            random.fill(&mut bytes).map_err(|_| GetRandomFailed)?;
            // 521 bits of 528; a number not below the order is drawn again.
            bytes[0] &= 1;
            if let Ok(secret) = SecretKey::from_slice(&bytes) {
                let public = secret.public_key().to_sec1_point(false);
                let public = public.as_bytes().to_vec();
                return Ok(Box::new(Exchange { secret, public }));
            }
        }
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

struct Exchange {
    secret: SecretKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // Uncompressed points only (RFC 8446, 4.2.8.2).
        let peer = Some(peer)
            .filter(|peer| peer.first() == Some(&4))
            .and_then(|peer| PublicKey::from_sec1_bytes(peer).ok())
            .ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let shared = ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}
