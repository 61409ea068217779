//! `certs.d`: certificates per registry, in the directories of skopeo and docker.
//!
//! Specification: containers-certs.d(5). `*.crt` are CAs, added to the system's; `*.cert` with the
//! `*.key` of the same name is the client certificate. Only the first existing directory counts.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::trust::{TrustError, read_certificates};
use crate::registry::home::home;

/// The parent directories, in order.
#[derive(Clone, Debug)]
pub struct CertsD {
    roots: Vec<PathBuf>,
}

/// The certificates of one registry.
#[derive(Debug, Default)]
pub struct HostCertificates {
    /// Additional CAs.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The client certificate.
    pub client: Option<ClientCertificate>,
}

#[derive(Debug)]
pub struct ClientCertificate {
    /// Its file, for messages.
    pub file: String,
    /// The certificate and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl CertsD {
    /// The directories: skopeo's first, then docker's.
    pub fn new(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            environment(name)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        let home = home(environment);
        let config = set("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
        let mut roots = Vec::new();
        roots.extend(home.map(|home| home.join(".config/containers/certs.d")));
        roots.push("/etc/containers/certs.d".into());
        roots.push("/etc/docker/certs.d".into());
        // Rootless docker.
        roots.extend(config.map(|config| config.join("docker/certs.d")));
        Self { roots }
    }

    /// The directory for the host of a URL.
    pub fn find(&self, url: &Url) -> Option<PathBuf> {
        let names = names(url);
        let candidates = self
            .roots
            .iter()
            .flat_map(|root| names.iter().map(|name| root.join(name)));
        candidates.into_iter().find(|path| path.is_dir())
    }

    /// Reads a registry's directory, sorted by name.
    ///
    /// # Errors
    /// [`TrustError`] names the invalid file.
    pub fn read(directory: &Path) -> Result<HostCertificates, TrustError> {
        let mut found = HostCertificates::default();
        let mut paths: Vec<PathBuf> = match fs::read_dir(directory) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect(),
            // As in skopeo: a directory that this user may not read counts as absent.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::NotFound
                ) =>
            {
                return Ok(found);
            }
            Err(error) => return Err(TrustError::Io(show(directory), error.to_string())),
        };
        paths.sort();
        for path in &paths {
            match path.extension().and_then(OsStr::to_str) {
                Some("crt") => found.authorities.extend(read_certificates(path)?),
                Some("cert") => {
                    let key = path.with_extension("key");
                    if !paths.contains(&key) {
                        return Err(TrustError::NoKey(show(path), show(&key)));
                    }
                    let client = ClientCertificate {
                        file: show(path),
                        chain: read_certificates(path)?,
                        key: PrivateKeyDer::from_pem_file(&key)
                            .map_err(|error| TrustError::Damaged(show(&key), error.to_string()))?,
                    };
                    // Of several pairs the first by name is used.
                    found.client.get_or_insert(client);
                }
                Some("key") if !paths.contains(&path.with_extension("cert")) => {
                    return Err(TrustError::NoCertificateForKey(
                        show(path),
                        show(&path.with_extension("cert")),
                    ));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The names of the directory: with the port exactly as in references.
fn names(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    match (host, url.port()) {
        ("registry-1.docker.io", None) => vec!["docker.io".to_owned(), host.to_owned()],
        (_, Some(port)) => vec![format!("{host}:{port}")],
        // A URL does not tell whether the default port was written.
        (_, None) => vec![host.to_owned(), format!("{host}:443")],
    }
}

fn show(path: &Path) -> String {
    crate::escape::escape(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_part_of_the_name() {
        let names = |url: &str| names(&Url::parse(url).expect("a URL"));
        assert_eq!(names("https://reg.io:5000/v2/"), ["reg.io:5000"]);
        assert_eq!(names("https://reg.io/v2/"), ["reg.io", "reg.io:443"]);
        assert_eq!(names("https://registry-1.docker.io/v2/")[0], "docker.io");
        assert_eq!(names("https://[::1]:5000/"), ["[::1]:5000"]);
    }
}
