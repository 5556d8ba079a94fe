//! Links with a one-time code, for people to open.

use anyhow::ensure;
use identity::NewCode;

/// What stands for an address that nobody has told.
const UNTOLD_SERVER: &str = "https://YOUR-SERVER";

/// Where a code is of use. The code stands behind the #: that part of an address is sent to no server, and stands in no log.
pub(super) struct Link(String);

impl Link {
    /// Where a device opens the app and comes in.
    pub(super) fn to_connect(base_url: Option<&str>, code: &NewCode) -> Self {
        Self::to(base_url, "connect", code)
    }

    /// Where a person opens the app and comes in.
    pub(super) fn to_sign_in(base_url: Option<&str>, code: &NewCode) -> Self {
        Self::to(base_url, "invite", code)
    }

    fn to(base_url: Option<&str>, screen: &str, code: &NewCode) -> Self {
        let base_url = base_url.unwrap_or(UNTOLD_SERVER).trim_end_matches('/');
        Self(format!("{base_url}/#{screen}={}", code.reveal()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks an address that a link is to begin with.
pub(super) fn check_base_url(url: &str) -> anyhow::Result<()> {
    let is_address = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    ensure!(is_address, "--url must begin with https:// (or http:// for this computer), not {url:?}");
    ensure!(!url.contains(['?', '#']), "--url is where the app is opened, without ? and #, not {url:?}");
    Ok(())
}

/// Whether everybody on the network can read what travels there.
pub(super) fn is_plain_http(url: &str) -> bool {
    let own = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
    url.starts_with("http://") && !own.iter().any(|own| url.starts_with(own))
}
