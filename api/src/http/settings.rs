//! What whoever starts the server says about its callers.

use super::origin::Origin;

/// How callers are met. The default is what a server does of which nobody has said anything.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Of which other servers the app may call this one.
    pub allowed_origins: Vec<Origin>,
}
