//! TLS as libpq's `sslmode` means it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::uri::Endpoint;
use crate::error::Error;

/// How much of the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// The TLS half of a connection to `endpoint`.
pub(super) fn connector(
    side: &'static str,
    endpoint: &Endpoint,
) -> Result<(SslMode, MakeRustlsConnect), Error> {
    let fail = |why: String| Error::Tls { side, why };
    let root = endpoint.get("sslrootcert");
    let (mode, check) = match endpoint.get("sslmode").unwrap_or("prefer") {
        "disable" => (SslMode::Disable, Check::Nothing),
        "allow" | "prefer" => (SslMode::Prefer, Check::Nothing),
        // libpq: with a root certificate at hand, `require` is `verify-ca`.
        "require" if root == Some("system") => (SslMode::Require, Check::ChainAndName),
        "require" if root.is_some() => (SslMode::Require, Check::Chain),
        "require" => (SslMode::Require, Check::Nothing),
        "verify-ca" => (SslMode::Require, Check::Chain),
        "verify-full" => (SslMode::Require, Check::ChainAndName),
        _ => {
            return Err(fail(
                "sslmode is one of disable, allow, prefer, require, verify-ca and verify-full".into(),
            ));
        }
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = match check {
        Check::Nothing => None,
        Check::Chain | Check::ChainAndName => {
            let roots = Arc::new(roots(root).map_err(&fail)?);
            Some(
                WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                    .build()
                    .map_err(|error| fail(format!("the root certificates cannot be used: {error}")))?,
            )
        }
    };
    let verifier = Arc::new(Verifier { check, roots: verifier, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match (endpoint.get("sslcert"), endpoint.get("sslkey")) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(&fail)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| fail(format!("sslkey {key} cannot be read: {error}")))?;
            config.with_client_auth_cert(chain, key).map_err(|error| fail(error.to_string()))?
        }
        _ => config.with_no_client_auth(),
    };
    Ok((mode, MakeRustlsConnect::new(config)))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    read().map_err(|error| format!("the certificates in {path} cannot be read: {error}"))
}

fn roots(path: Option<&str>) -> Result<RootCertStore, String> {
    let certificates = match path {
        Some(path) if path != "system" => certificates(path)?,
        _ => rustls_native_certs::load_native_certs().certs,
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err("no root certificate was found; name a file with sslrootcert=".into());
    }
    Ok(store)
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(verifier) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The chain is checked before the name, so this answer says that the chain is good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Chain => Ok(ServerCertVerified::assertion()),
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
