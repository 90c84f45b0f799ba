//! Calls that got no response: what the error of the transport means.

use std::io;

use rustls::Error as TlsError;
use ureq::Error;

use crate::model::Fault;

/// What an error of the transport means.
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) code: &'static str,
    pub(super) hint: Option<&'static str>,
    /// Whether the server may charge for the call.
    pub(super) charged: bool,
}

impl Failure {
    /// Classifies the error of a call without a response. `is_sent` says whether the whole request was handed
    /// to a connection: a server cannot charge for less.
    pub(super) fn of(error: &Error, is_sent: bool) -> Self {
        let (fault, code, hint) = match error {
            error if is_certificate_error(error) => (
                Fault::Permanent,
                "bad_certificate",
                Some("check the base URL; to trust a CA of your own, set SSL_CERT_FILE to its certificate"),
            ),
            Error::BadUri(_) | Error::InvalidProxyUrl | Error::Http(_) => {
                (Fault::Permanent, "bad_address", None)
            }
            Error::ConnectProxyFailed(_) => {
                (Fault::Unreachable, "unreachable", Some("check the proxy in HTTPS_PROXY or ALL_PROXY"))
            }
            Error::Timeout(_) if is_sent => (Fault::Slow, "cut_off", None),
            _ if is_sent => (Fault::Transient, "cut_off", None),
            _ => (Fault::Unreachable, "unreachable", None),
        };
        Self { fault, code, hint, charged: is_sent }
    }
}

/// Whether the server's certificate is invalid, or no trusted certificates are found to check it with.
fn is_certificate_error(error: &Error) -> bool {
    match error {
        Error::Rustls(_) => true,
        Error::Io(error) => matches!(tls_error(error), Some(TlsError::InvalidCertificate(_))),
        _ => false,
    }
}

/// Errors of a handshake come as errors of I/O.
fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}
