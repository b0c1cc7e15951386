//! TLS as libpq's parameters mean it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Endpoint;
use super::local;
use crate::error::Error;
use crate::private_file;

/// How much of the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// The TLS half of a connection.
#[derive(Clone)]
pub(super) struct Tls {
    /// What is tried, one after the other.
    pub(super) modes: &'static [SslMode],
    /// How TLS begins.
    pub(super) negotiation: SslNegotiation,
    /// The driver's end of it.
    pub(super) connect: MakeRustlsConnect,
}

/// The TLS half of a connection to `endpoint`.
pub(super) fn connector(side: &'static str, endpoint: &Endpoint) -> Result<Tls, Error> {
    connector_for(endpoint).map_err(|why| Error::Tls { side, why })
}

fn connector_for(endpoint: &Endpoint) -> Result<Tls, String> {
    let root = root(endpoint)?;
    let (modes, check) = modes(endpoint, root.as_ref())?;
    let negotiation = match endpoint.get("sslnegotiation").unwrap_or("postgres") {
        "postgres" => SslNegotiation::Postgres,
        "direct" if modes == [SslMode::Require] => SslNegotiation::Direct,
        "direct" => {
            return Err("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full".into());
        }
        _ => return Err("sslnegotiation is postgres or direct".into()),
    };
    let provider = Arc::new(ring::default_provider());
    let mut roots = Vec::new();
    let mut verifier = None;
    if check != Check::Nothing {
        roots = root.as_ref().map(Root::certificates).transpose()?.unwrap_or_default();
        verifier = Some(web_pki(roots.clone(), endpoint.get("sslcrl"), &provider)?);
    }
    // Whoever wants the channel bound wants to be sure that the other end has the certificate's key.
    let strict = check != Check::Nothing || endpoint.get("channel_binding") == Some("require");
    let verifier =
        Arc::new(Verifier { check, strict, pinned: roots, roots: verifier, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(endpoint)?)
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_certificate(endpoint)? {
        Some((chain, key)) => config
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("sslcert and sslkey cannot be used: {error}"))?,
        None => config.with_no_client_auth(),
    };
    config.enable_sni = endpoint.get("sslsni") != Some("0");
    if negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Tls { modes, negotiation, connect: MakeRustlsConnect::new(config) })
}

fn modes(endpoint: &Endpoint, root: Option<&Root>) -> Result<(&'static [SslMode], Check), String> {
    let system = matches!(root, Some(Root::System));
    let mode = endpoint.get("sslmode").unwrap_or(if system { "verify-full" } else { "prefer" });
    if system && mode != "verify-full" {
        return Err("sslrootcert=system needs sslmode=verify-full".into());
    }
    let missing = || {
        "there is no root certificate to check the server's with: name a file with sslrootcert=, or the system's own \
         with sslrootcert=system"
            .to_owned()
    };
    Ok(match mode {
        "disable" => (&[SslMode::Disable], Check::Nothing),
        "allow" => (&[SslMode::Disable, SslMode::Require], Check::Nothing),
        "prefer" => (&[SslMode::Prefer, SslMode::Disable], Check::Nothing),
        // libpq: with a root certificate at hand, `require` is `verify-ca`.
        "require" if root.is_some() => (&[SslMode::Require], Check::Chain),
        "require" => (&[SslMode::Require], Check::Nothing),
        "verify-ca" | "verify-full" if root.is_none() => return Err(missing()),
        "verify-ca" => (&[SslMode::Require], Check::Chain),
        "verify-full" => (&[SslMode::Require], Check::ChainAndName),
        _ => {
            return Err("sslmode is one of disable, allow, prefer, require, verify-ca and verify-full".into());
        }
    })
}

fn versions(endpoint: &Endpoint) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let number = |keyword: &str, default| match endpoint.get(keyword) {
        None => Ok(default),
        Some("TLSv1") => Ok(10),
        Some("TLSv1.1") => Ok(11),
        Some("TLSv1.2") => Ok(12),
        Some("TLSv1.3") => Ok(13),
        Some(_) => Err(format!("{keyword} is TLSv1.2 or TLSv1.3")),
    };
    let (min, max) = (number("ssl_min_protocol_version", 12)?, number("ssl_max_protocol_version", 13)?);
    let versions =
        [(12, &TLS12), (13, &TLS13)].into_iter().filter(|(version, _)| (min..=max).contains(version));
    let versions: Vec<_> = versions.map(|(_, version)| version).collect();
    if versions.is_empty() {
        return Err("no version of TLS is left: 1.2 and 1.3 are spoken".into());
    }
    Ok(versions)
}

/// Whom the server's certificate has to come from.
enum Root {
    /// The authorities that this machine trusts.
    System,
    /// Those of a file.
    File(String),
}

fn root(endpoint: &Endpoint) -> Result<Option<Root>, String> {
    match endpoint.get("sslrootcert") {
        Some("system") => Ok(Some(Root::System)),
        Some(path) if std::path::Path::new(path).exists() => Ok(Some(Root::File(path.to_owned()))),
        // As in libpq, a file that is named and not there stops those alone who need it.
        Some(path) if endpoint.get("sslmode").is_some_and(|mode| mode.starts_with("verify")) => {
            Err(format!("the root certificates {path} do not exist"))
        }
        Some(_) => Ok(None),
        None => Ok(default_file("root.crt").map(Root::File)),
    }
}

/// A file of libpq's own folder, where it is there.
fn default_file(name: &str) -> Option<String> {
    let path: PathBuf = local::home()?.join(".postgresql").join(name);
    path.exists().then(|| path.to_string_lossy().into_owned())
}

impl Root {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let found = match self {
            Self::System => rustls_native_certs::load_native_certs().certs,
            Self::File(path) => certificates("sslrootcert", path)?,
        };
        if found.is_empty() {
            return Err("no root certificate was found; name a file that has some with sslrootcert=".into());
        }
        Ok(found)
    }
}

fn certificates(keyword: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    read().map_err(|error| format!("the certificates of {keyword} in {path} cannot be read: {error}"))
}

fn web_pki(
    roots: Vec<CertificateDer<'static>>,
    revoked: Option<&str>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(roots);
    if added == 0 {
        return Err("none of the root certificates can be used".into());
    }
    let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
    let revoked = revoked.map(str::to_owned).or_else(|| default_file("root.crl"));
    if let Some(path) = revoked {
        let read = || CertificateRevocationListDer::pem_file_iter(&path)?.collect::<Result<Vec<_>, _>>();
        let lists = read().map_err(|error| format!("sslcrl {path} cannot be read: {error}"))?;
        builder = builder.with_crls(lists).allow_unknown_revocation_status();
    }
    builder.build().map_err(|error| format!("the root certificates cannot be used: {error}"))
}

type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(endpoint: &Endpoint) -> Result<Option<Certificate>, String> {
    let wanted = endpoint.get("sslcertmode").unwrap_or("allow");
    if wanted == "disable" {
        return Ok(None);
    }
    let Some(chain) = endpoint.get("sslcert").map(str::to_owned).or_else(|| default_file("postgresql.crt"))
    else {
        if wanted == "require" {
            return Err("sslcertmode=require needs a certificate: name it with sslcert= and sslkey=".into());
        }
        return Ok(None);
    };
    let key = endpoint.get("sslkey").map(str::to_owned).or_else(|| default_file("postgresql.key"));
    let key = key.ok_or_else(|| format!("the certificate {chain} has no key: name it with sslkey="))?;
    let about = std::fs::metadata(&key).map_err(|error| format!("sslkey {key} cannot be read: {error}"))?;
    // libpq's rule: nobody else reads it, but a group may read what belongs to root.
    let open = if about.uid() == 0 && private_file::uid() != 0 { 0o037 } else { 0o077 };
    if about.mode() & open != 0 {
        return Err(format!("sslkey {key} is open to others: chmod 0600 {key}"));
    }
    let pem = std::fs::read(&key).map_err(|error| format!("sslkey {key} cannot be read: {error}"))?;
    if String::from_utf8_lossy(&pem).contains("ENCRYPTED") {
        return Err(format!("sslkey {key} is encrypted: decrypt it into a file that only you can read"));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| format!("sslkey {key} cannot be read: {error}"))?;
    Ok(Some((certificates("sslcert", &chain)?, key)))
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    /// The certificate has to be of a form whose signature can be checked.
    strict: bool,
    /// A server's own certificate may stand in the place of an authority's, as OpenSSL has it.
    pinned: Vec<CertificateDer<'static>>,
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// With nothing to check, an old certificate (X.509 version 1) is as good as any.
    fn signature(
        &self,
        answer: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match answer {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::BadEncoding | CertificateError::Other(_),
            )) if !self.strict => Ok(HandshakeSignatureValid::assertion()),
            answer => answer,
        }
    }
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
        if self.pinned.iter().any(|root| root == end_entity) {
            if self.check == Check::ChainAndName {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
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
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signature(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signature(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
