//! What `leadlog serve` is told about its callers.

use std::num::NonZeroU32;

use clap::Args;

use crate::http::{DEVICE_REQUESTS_PER_SECOND, Origin, Settings, TrustedProxy};

#[derive(Args)]
pub(super) struct Callers {
    /// Let the app that was loaded from this other server call this one, as browsers write its origin:
    /// `https://hub-1.local:8443`. For each server once, or separated by commas.
    #[arg(
        long = "allow-origin",
        env = "LEADLOG_ALLOWED_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allowed_origins: Vec<Origin>,

    /// A proxy in front of this server, as an IP address or a network: 127.0.0.1, 10.0.0.0/8. Only the `X-Forwarded-For` of
    /// these is believed. For each once, or separated by commas.
    #[arg(
        long = "trusted-proxy",
        env = "LEADLOG_TRUSTED_PROXIES",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<TrustedProxy>,

    /// How often each iPad may send leads, in requests a second; ten seconds' worth at once. One that sends more waits and
    /// keeps everything.
    #[arg(
        long,
        env = "LEADLOG_DEVICE_REQUESTS_PER_SECOND",
        value_name = "REQUESTS",
        default_value_t = DEVICE_REQUESTS_PER_SECOND,
        value_parser = requests_per_second
    )]
    device_requests_per_second: NonZeroU32,
}

fn requests_per_second(text: &str) -> Result<NonZeroU32, &'static str> {
    // More is no limit, and its interval would be too short to count.
    const MAX: u32 = 1_000_000;
    let number = text.parse().ok().filter(|number: &NonZeroU32| number.get() <= MAX);
    number.ok_or("a whole number from 1 to 1000000")
}

impl Callers {
    pub(super) fn settings(self) -> Settings {
        let Self { allowed_origins, trusted_proxies, device_requests_per_second } = self;
        Settings { allowed_origins, trusted_proxies, device_requests_per_second }
    }
}
