//! Encryption: a certificate and its key, read again when the files change. Files that cannot be used change nothing, and that is said.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use diag::{Code, Diagnostic, Text, text};
use live::held;

use super::News;
use super::config::{Secret, TlsFiles};
use super::tokens::{Stamp, stamp};

/// A chain of certificates is some kilobytes.
const MAX_FILE: u64 = 1 << 20;

/// See the module.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
    /// What was there when the files were last read.
    seen: Mutex<(Stamp, Stamp)>,
    /// Why the files are not used.
    refused: Mutex<Option<Text>>,
}

impl Tls {
    /// # Errors
    /// `TLS`: a certificate and a key that cannot be used, or not together. `UNREADABLE`.
    pub fn open(files: TlsFiles) -> Result<Tls, Box<Diagnostic>> {
        let seen = stamps(&files);
        let current = RwLock::new(Arc::new(load(&files)?));
        Ok(Tls { files, current, seen: Mutex::new(seen), refused: Mutex::default() })
    }

    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files. Returns what there is to say: that they are in use now, or why not.
    pub fn look(&self) -> Option<News> {
        let found = stamps(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return None;
        }
        *seen = found;
        drop(seen);
        let (news, refused) = match load(&self.files) {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                (News::Done(text!("the certificate `{}` has changed and is in use", self.files.cert.display())), None)
            }
            Err(why) => {
                let why = text!("the certificate in use stays: {}", why.message);
                (News::Wrong(why.clone()), Some(why))
            }
        };
        *held(&self.refused) = refused;
        Some(news)
    }

    /// Why the files are not used.
    pub fn refused(&self) -> Option<Text> {
        held(&self.refused).clone()
    }
}

fn stamps(files: &TlsFiles) -> (Stamp, Stamp) {
    let key = match &files.key {
        Secret::File(path) => stamp(path),
        Secret::Environment(_) => None,
    };
    (stamp(&files.cert), key)
}

fn load(files: &TlsFiles) -> Result<ServerConfig, Box<Diagnostic>> {
    let shown = files.cert.display().to_string();
    let wrong = |why: String| {
        let help = text!("`cert` is a file of certificates in PEM, the server's first; `key` is the key of that one, in PEM");
        Box::new(Diagnostic::nowhere(Code::TLS, text!("cannot use the certificate `{}`: {}", shown, why)).help(help))
    };
    let chain = files::read(&files.cert, &shown, MAX_FILE)?;
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.map_err(|error| wrong(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key.read()?).map_err(|error| wrong(error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| wrong(error.to_string()))?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| wrong(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
