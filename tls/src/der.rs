//! What stands in a certificate.

use std::net::IpAddr;

use ipnet::IpNet;
use time::OffsetDateTime;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The part of a certificate that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// What its owner is called.
    pub(crate) common_name: Option<String>,
    /// Whether its owner and whoever signed it have one name, as of a root.
    pub(crate) is_self_issued: bool,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    /// DNS names in its SAN.
    pub(crate) names: Vec<String>,
    /// Addresses in its SAN.
    pub(crate) addresses: Vec<IpAddr>,
    /// Domains below which it may vouch for names, when it is a CA that is told so.
    pub(crate) permitted_names: Vec<String>,
    /// Networks for whose addresses it may.
    pub(crate) permitted_networks: Vec<IpNet>,
    pub(crate) public_key: Vec<u8>,
}

impl Contents {
    /// `None` when it is no certificate.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let common_name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let mut contents = Self {
            common_name: common_name.map(str::to_owned),
            is_self_issued: certificate.subject() == certificate.issuer(),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            names: Vec::new(),
            addresses: Vec::new(),
            permitted_names: Vec::new(),
            permitted_networks: Vec::new(),
            public_key: certificate.public_key().raw.to_vec(),
        };
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(san) => {
                    for name in &san.general_names {
                        match name {
                            GeneralName::DNSName(name) => contents.names.push((*name).to_owned()),
                            GeneralName::IPAddress(bytes) => contents.addresses.extend(address(bytes)),
                            _ => {}
                        }
                    }
                }
                ParsedExtension::NameConstraints(constraints) => {
                    for subtree in constraints.permitted_subtrees.iter().flatten() {
                        match &subtree.base {
                            GeneralName::DNSName(name) => contents.permitted_names.push((*name).to_owned()),
                            GeneralName::IPAddress(bytes) => {
                                contents.permitted_networks.extend(network(bytes))
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(contents)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// An address and a mask of the same length.
fn network(bytes: &[u8]) -> Option<IpNet> {
    let (network, mask) = bytes.split_at_checked(bytes.len() / 2)?;
    IpNet::with_netmask(address(network)?, address(mask)?).ok()
}
