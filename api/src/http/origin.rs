//! The app that another store gave out may call this one (CORS): the iPads of a hall load it from their hub, and call the
//! cloud from there.
//!
//! Only by exact origins that somebody named. A device shows its token itself, so nothing is opened to cookies or to
//! whoever else is logged in. Every answer to such an app says that it may be read, the errors as well: a 401 that cannot be
//! read looks like no network.

use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::{Method, header};
use domain::{STORE_ID_HEADER, TIER_HEADER};
use thiserror::Error;
use url::Url;

/// How long a browser may remember what it was told. Safari keeps it for ten minutes at most.
const MAX_AGE_SECONDS: usize = 3600;

/// Where an app was loaded from, as browsers write it: scheme, host, and the port unless it is the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is not an origin.
#[derive(Debug, Error)]
pub enum OriginError {
    /// One that stands for many, or for none.
    #[error("it stands for more than one origin; name each by itself, as https://hub-1.local:8443")]
    NotOne,
    /// Not an address of a server.
    #[error("an origin is a scheme, a host and perhaps a port, as https://hub-1.local:8443")]
    NotAnOrigin,
    /// An origin, but not as browsers write it, so that it would never be met.
    #[error("browsers write it {0}; write it so, too")]
    NotExact(String),
}

impl Origin {
    /// That of an app which is loaded from this address; `None` when no app can be.
    pub fn of(url: &Url) -> Option<Self> {
        url.origin().ascii_serialization().parse().ok()
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') || text == "null" {
            return Err(OriginError::NotOne);
        }
        let url = Url::parse(text).map_err(|_| OriginError::NotAnOrigin)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::NotAnOrigin);
        }
        let exact = url.origin().ascii_serialization();
        if exact == text { Ok(Self(exact)) } else { Err(OriginError::NotExact(exact)) }
    }
}

/// What browsers are told about requests of apps from these origins.
pub(super) fn cors(allowed: &[Origin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CONTENT_ENCODING])
        // The date corrects the device's clock; a probe reads which store it has met.
        .expose_headers([header::DATE, header::ETAG, header::RETRY_AFTER, header::WWW_AUTHENTICATE])
        .expose_headers([STORE_ID_HEADER, TIER_HEADER])
        .max_age(MAX_AGE_SECONDS);
    allowed.iter().fold(cors, |cors, Origin(origin)| cors.allowed_origin(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for exact in ["https://hub-1.local:8443", "http://localhost:8080", "https://[fe80::1]:8443"] {
            assert_eq!(exact.parse::<Origin>().unwrap(), Origin(exact.to_owned()));
        }
        for (bad, told) in [
            ("*", "name each by itself"),
            ("null", "name each by itself"),
            ("https://*.example.com", "name each by itself"),
            ("", "a scheme, a host"),
            ("hub-1.local:8443", "a scheme, a host"),
            ("file:///", "a scheme, a host"),
            ("https://", "a scheme, a host"),
            ("https://hub-1.local:8443/", "write it https://hub-1.local:8443;"),
            ("https://Hub-1.local/app?a#b", "write it https://hub-1.local;"),
            ("https://hub-1.local:443", "write it https://hub-1.local;"),
            ("https://ewa@hub-1.local", "write it https://hub-1.local;"),
            (" https://hub-1.local", "write it https://hub-1.local;"),
            ("https://café.example", "write it https://xn--caf-dma.example;"),
        ] {
            let error = bad.parse::<Origin>().unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }
}
