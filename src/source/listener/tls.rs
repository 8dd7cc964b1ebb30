//! TLS for listeners: certificate, key, and whose client certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::event::Options;
use crate::signature::{OptionSpec, OptionType};

/// Options of a source that can listen with TLS.
pub const CERT_FILE: OptionSpec = OptionSpec {
    name: "cert_file",
    ty: OptionType::Text,
    default: Some(""),
    doc: "PEM file with the server's certificate and those that signed it.",
};
/// The key to it.
pub const KEY_FILE: OptionSpec = OptionSpec {
    name: "key_file",
    ty: OptionType::Text,
    default: Some(""),
    doc: "PEM file with the private key of `cert_file`.",
};
/// Who may connect.
pub const CLIENT_CA_FILE: OptionSpec = OptionSpec {
    name: "client_ca_file",
    ty: OptionType::Text,
    default: Some(""),
    doc: "PEM file with the certificates that a client's own must be signed by; without it clients need none.",
};

/// What the options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    cert: String,
    key: String,
    client_ca: Option<String>,
}

impl Files {
    /// Reads the options. `None` where no TLS is asked for; the error names what is missing.
    pub fn from_options(options: &Options) -> Result<Option<Self>, String> {
        let text = |name| options.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        match (text("cert_file"), text("key_file"), text("client_ca_file")) {
            (Some(cert), Some(key), client_ca) => Ok(Some(Self { cert, key, client_ca })),
            (None, None, None) => Ok(None),
            (None, None, Some(_)) => Err("client_ca_file needs cert_file and key_file".into()),
            _ => Err("cert_file and key_file are given together".into()),
        }
    }

    /// Loads the files.
    pub fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let chain = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_file(Path::new(&self.key))
            .map_err(|error| format!("`{}` holds no PEM private key: {error}", self.key))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| format!("`{file}`: {error}"))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| format!("`{file}`: {error}"))?)
            }
        };
        let config = builder
            .with_single_cert(chain, key)
            .map_err(|error| format!("`{}` and `{}` cannot be used: {error}", self.cert, self.key))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("`{file}` holds no PEM certificate: {error}");
    let found = CertificateDer::pem_file_iter(Path::new(file)).map_err(|error| wrong(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"it is empty")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OptionValue;

    #[test]
    fn files_come_together() {
        let options = |names: &[&'static str]| {
            let text = |name: &&'static str| (*name, OptionValue::Text(format!("/{name}.pem")));
            Options::new(Vec::new(), names.iter().map(text).collect())
        };
        assert_eq!(Files::from_options(&options(&[])), Ok(None));
        assert!(Files::from_options(&options(&["cert_file"])).is_err());
        assert!(Files::from_options(&options(&["client_ca_file"])).is_err());
        let files = Files::from_options(&options(&["cert_file", "key_file"])).expect("fine").expect("TLS");
        assert!(files.acceptor().err().is_some_and(|error| error.contains("`/cert_file.pem`")));
    }
}
