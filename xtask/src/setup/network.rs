//! What makes the networks of tests: `ip` of iproute2, and `dnsmasq`, which answers for names.

use crate::setup::browser::on_path;
use crate::setup::debian;
use crate::steps::Steps;

/// Programs, and their Debian packages.
const PROGRAMS: [(&str, &str); 2] = [("ip", "iproute2"), ("dnsmasq", "dnsmasq-base")];

/// Where they cannot be had, those tests say so and do without: only root may make networks anyway.
pub(crate) fn install(steps: &Steps) {
    let missing = PROGRAMS.iter().filter(|(program, _)| on_path(program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if cfg!(target_os = "linux")
        && !missing.is_empty()
        && debian::can_install()
        && let Err(error) = debian::install(steps, &missing)
    {
        println!("without {}, tests make no networks: {error:#}", missing.join(" and "));
    }
}
