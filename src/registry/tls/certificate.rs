//! Parses the parts of a certificate that webpki does not expose: issuer, usages, size of an RSA key.
//!
//! Used for messages, and to reject more than webpki does. Specification: RFC 5280; encoding: X.690.

use rustls_pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
/// Context tags: the version of a certificate, and its extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Object identifiers: id-at-commonName, rsaEncryption, id-ce-extKeyUsage, anyExtendedKeyUsage,
/// id-kp-serverAuth.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

#[derive(Debug)]
pub struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    key: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// Parses a certificate; `None` if it is malformed.
    pub fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let mut whole = Der(der.as_ref());
        let mut certificate = Der(whole.take(SEQUENCE)?);
        let mut fields = Der(certificate.take(SEQUENCE)?);
        fields.take_if(VERSION);
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?;
        fields.take(SEQUENCE)?;
        let subject = fields.take(SEQUENCE)?;
        let key = fields.take(SEQUENCE)?;
        let mut extensions = None;
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                extensions = Der(content).take(SEQUENCE);
            }
        }
        Some(Self {
            issuer,
            subject,
            key,
            extensions,
        })
    }

    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The common name of the issuer, or its organization.
    pub fn issuer_name(&self) -> Option<String> {
        let attribute = |wanted: &[u8]| {
            let mut names = Der(self.issuer);
            std::iter::from_fn(|| names.take(SET)).find_map(|set| {
                let mut attribute = Der(Der(set).take(SEQUENCE)?);
                let is_wanted = attribute.take(OID)? == wanted;
                let (_, value) = attribute.next()?;
                is_wanted.then(|| String::from_utf8_lossy(value).into_owned())
            })
        };
        attribute(COMMON_NAME).or_else(|| attribute(ORGANIZATION))
    }

    /// Whether its extended key usage allows servers; without that extension everything is allowed.
    pub fn is_for_servers(&self) -> bool {
        let Some(usages) = self.extension(EXTENDED_KEY_USAGE) else {
            return true;
        };
        let mut usages = Der(Der(usages).take(SEQUENCE).unwrap_or_default());
        std::iter::from_fn(|| usages.take(OID))
            .any(|usage| [ANY_USAGE, SERVER_AUTH].contains(&usage))
    }

    /// Bits of the modulus of an RSA key; `None` for other keys.
    pub fn rsa_bits(&self) -> Option<usize> {
        let mut key = Der(self.key);
        if Der(key.take(SEQUENCE)?).take(OID)? != RSA {
            return None;
        }
        // The first byte of a bit string is the number of unused bits.
        let numbers = key.take(BIT_STRING)?.get(1..)?;
        let modulus = Der(Der(numbers).take(SEQUENCE)?).take(INTEGER)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        Some((modulus.len() - zeros) * 8)
    }

    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut extensions = Der(self.extensions?);
        std::iter::from_fn(|| extensions.take(SEQUENCE)).find_map(|extension| {
            let mut extension = Der(extension);
            let is_wanted = extension.take(OID)? == wanted;
            extension.take_if(BOOLEAN);
            let value = extension.take(OCTET_STRING)?;
            is_wanted.then_some(value)
        })
    }
}

/// Concatenated DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value with its tag; `None` at the end, and for an invalid length.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value, if it has this tag.
    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(content)
    }

    /// Skips the next value if it has this tag.
    fn take_if(&mut self, wanted: u8) {
        if self.0.first() == Some(&wanted) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

    fn made(usages: &[ExtendedKeyUsagePurpose]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["reg.io".to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, "Our CA");
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().expect("a key");
        params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .clone()
    }

    #[test]
    fn purposes_and_names_are_parsed() {
        use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
        for (usages, expected) in [
            (&[][..], true),
            (&[ServerAuth], true),
            (&[ClientAuth, ServerAuth], true),
            (&[Any], true),
            (&[ClientAuth], false),
        ] {
            let der = made(usages);
            let certificate = Certificate::read(&der).expect("a certificate");
            assert_eq!(certificate.is_for_servers(), expected, "{usages:?}");
            assert!(certificate.is_self_issued());
            assert_eq!(certificate.issuer_name().as_deref(), Some("Our CA"));
            assert_eq!(certificate.rsa_bits(), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..300,
            cut in 0_usize..600,
        ) {
            let mut der = made(&[]).as_ref().to_vec();
            der.truncate(cut);
            let at = at.min(der.len());
            bytes.truncate(der.len() - at);
            der[at..at + bytes.len()].copy_from_slice(&bytes);
            let der = CertificateDer::from(der);
            if let Some(certificate) = Certificate::read(&der) {
                let _ = (certificate.issuer_name(), certificate.is_for_servers(), certificate.rsa_bits());
            }
        }
    }
}
