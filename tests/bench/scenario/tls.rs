//! Registries over TLS, with a certificate of a private CA.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Scenario, against_floor};
use crate::fast_registry::Behaviour;
use crate::floor::Floor;
use crate::program::Program;
use crate::row::Measured;
use crate::support::Dir;
use crate::support::tls::Authority;
use crate::workload::Workload;

pub fn scenarios() -> Vec<Scenario> {
    [
        (5, 1, 100),
        (5, 4, 500),
        (5, 20, 2_000),
        (50, 4, 100),
        (50, 20, 500),
    ]
    .map(|(latency, jobs, images)| {
        Scenario::new(format!("tls-{latency}ms/j{jobs}"), move || {
            let latency = Duration::from_millis(latency);
            validate(&Workload::pairs(images), latency, jobs)
        })
    })
    .into()
}

fn validate(workload: &Workload, latency: Duration, jobs: usize) -> Measured {
    let authority = Authority::new();
    let behaviour = Behaviour {
        latency,
        tls: Some(authority.issue(&["127.0.0.1"]).server()),
        ..Behaviour::default()
    };
    let floor = Floor {
        threads: jobs,
        tls: Some(client(&authority)),
    };
    let dir = Dir::new();
    dir.write("ca.pem", &authority.pem);
    let program = Program::release();
    against_floor(
        &program,
        workload,
        &behaviour,
        &floor,
        &dir,
        "--ca-file ca.pem",
    )
}

/// The floor's client, which trusts this authority.
fn client(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.pem.as_bytes());
    roots.add(certificate.expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
