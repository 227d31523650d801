//! Mutual TLS between the roles: who calls and who serves show certificates of the same authority.

use std::{fs, time::Duration};

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

use crate::settings::Internal;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(3);

/// The authority, and this process's certificate with its key.
#[derive(Clone)]
pub struct Tls {
    authority: Certificate,
    identity: Identity,
}

impl Tls {
    /// Reads the files that the settings name; nothing when they name none.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub fn read(settings: &Internal) -> Result<Option<Self>, String> {
        if settings.tls_ca.is_empty() {
            return Ok(None);
        }
        let read = |name: &str, path: &str| {
            fs::read(path).map_err(|error| format!("internal.{name}: {path}: {error}"))
        };
        let authority = Certificate::from_pem(read("tls_ca", &settings.tls_ca)?);
        let certificate = read("tls_cert", &settings.tls_cert)?;
        let identity = Identity::from_pem(certificate, read("tls_key", &settings.tls_key)?);
        Ok(Some(Self { authority, identity }))
    }

    /// To call: the other side's certificate must be for `name`, else for the host called.
    pub(super) fn client(&self, name: Option<&str>) -> ClientTlsConfig {
        // Without a limit of its own, a handshake with a machine that vanishes meanwhile has none.
        let config = ClientTlsConfig::new()
            .timeout(HANDSHAKE_WITHIN)
            .ca_certificate(self.authority.clone())
            .identity(self.identity.clone());
        match name {
            Some(name) => config.domain_name(name),
            None => config,
        }
    }

    /// To serve: whoever calls must show a certificate.
    pub(super) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(self.identity.clone()).client_ca_root(self.authority.clone())
    }
}
