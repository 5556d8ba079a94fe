//! Names that a certificate can be for.

use std::net::IpAddr;

use thiserror::Error;

/// Where names live that a network's machines give themselves (mDNS, RFC 6762).
const LOCAL: &str = "local";

/// Bytes of a whole name, and of one part of it (RFC 1035).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Why a text is no such name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Not a host's name.
    #[error(
        "a name is made of letters a-z, digits and hyphens, in parts with dots between them, such as hub-1.example.com"
    )]
    NotAName,
    /// All the machines of a domain.
    #[error("name each machine by itself, without *")]
    Wildcard,
    /// An address.
    #[error("the addresses of this machine are in the certificate anyway; give a name")]
    Address,
    /// One part, so that it would stand for all names that end with it.
    #[error("a name has two parts at least, such as hub-1.example.com")]
    OnePart,
    /// Of more than one part.
    #[error("a name for the network is one part, such as hub-2; it becomes hub-2.local")]
    NotOnePart,
}

/// A host's name as DNS has it, in lower case.
///
/// # Errors
/// See [`NameError`].
pub fn parse_name(text: &str) -> Result<String, NameError> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    if name.contains('*') {
        return Err(NameError::Wildcard);
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err(NameError::Address);
    }
    if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
        return Err(NameError::NotAName);
    }
    if !name.contains('.') {
        return Err(NameError::OnePart);
    }
    Ok(name)
}

/// The first part of a name under `.local`: `hub-2`, given as that or as `hub-2.local`.
///
/// # Errors
/// See [`NameError`].
pub fn parse_local_label(text: &str) -> Result<String, NameError> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = name.strip_suffix(LOCAL).and_then(|rest| rest.strip_suffix('.')).unwrap_or(&name);
    if label.contains('.') {
        return Err(NameError::NotOnePart);
    }
    if is_label(label) { Ok(label.to_owned()) } else { Err(NameError::NotAName) }
}

fn is_label(label: &str) -> bool {
    let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=MAX_LABEL_BYTES).contains(&label.len())
        && is_plain
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_machine_s() {
        assert_eq!(parse_name("Hub-1.Example.com."), Ok("hub-1.example.com".to_owned()));
        for (bad, error) in [
            ("*.example.com", NameError::Wildcard),
            ("192.168.1.7", NameError::Address),
            ("fd00::1", NameError::Address),
            ("com", NameError::OnePart),
            ("", NameError::NotAName),
            ("hub..example.com", NameError::NotAName),
            ("-hub.example.com", NameError::NotAName),
            ("żubr.example.com", NameError::NotAName),
            ("https://hub.example.com", NameError::NotAName),
        ] {
            assert_eq!(parse_name(bad), Err(error), "{bad}");
        }
        assert_eq!(parse_name(&format!("{}.com", "a".repeat(64))), Err(NameError::NotAName));
    }

    #[test]
    fn a_name_for_the_network_is_one_part() {
        assert_eq!(parse_local_label("Hub-2"), Ok("hub-2".to_owned()));
        assert_eq!(parse_local_label("hub-2.local."), Ok("hub-2".to_owned()));
        assert_eq!(parse_local_label("hub.example.com"), Err(NameError::NotOnePart));
        for bad in ["", ".local", "hub 2", "hub_2"] {
            assert_eq!(parse_local_label(bad), Err(NameError::NotAName), "{bad}");
        }
    }
}
