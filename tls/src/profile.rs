//! What an iPad installs so that it trusts the CA: a configuration profile (`.mobileconfig`).

use plist::{Dictionary, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::own::AuthorityInfo;

/// What people read when they install it.
#[derive(Debug, Clone, Copy)]
pub struct ProfileText<'a> {
    /// What the profile is called in the list of profiles.
    pub name: &'a str,
    /// What it does.
    pub description: &'a str,
}

/// The profile with this CA, as XML. Its identifiers come from the CA, so one that is installed again takes the place of the
/// first, in whichever language, and one of another hub stands beside it.
///
/// # Errors
/// When it cannot be written, which is a mistake in here.
pub fn configuration_profile(
    authority: &AuthorityInfo,
    text: ProfileText<'_>,
) -> Result<Vec<u8>, plist::Error> {
    let identifier = format!("leadlog.ca.{}", identify(authority, "identifier").simple());
    let certificate = dictionary([
        ("PayloadType", "com.apple.security.root".into()),
        ("PayloadVersion", Value::from(1)),
        ("PayloadIdentifier", format!("{identifier}.root").into()),
        ("PayloadUUID", identify(authority, "certificate").to_string().to_uppercase().into()),
        ("PayloadDisplayName", authority.name.as_str().into()),
        ("PayloadDescription", text.description.into()),
        ("PayloadCertificateFileName", "leadlog-ca.crt".into()),
        ("PayloadContent", Value::Data(authority.der.clone())),
    ]);
    let profile = dictionary([
        ("PayloadType", "Configuration".into()),
        ("PayloadVersion", Value::from(1)),
        ("PayloadIdentifier", identifier.into()),
        ("PayloadUUID", identify(authority, "profile").to_string().to_uppercase().into()),
        ("PayloadDisplayName", text.name.into()),
        ("PayloadDescription", text.description.into()),
        ("PayloadOrganization", "Leadlog".into()),
        ("PayloadRemovalDisallowed", Value::from(false)),
        ("PayloadContent", Value::Array(vec![certificate])),
    ]);
    let mut xml = Vec::new();
    profile.to_writer_xml(&mut xml)?;
    Ok(xml)
}

/// An identifier of the CA's own for this purpose (UUID version 8).
fn identify(authority: &AuthorityInfo, purpose: &str) -> Uuid {
    let digest =
        Sha256::new().chain_update(purpose).chain_update([0]).chain_update(&authority.der).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let dictionary: Dictionary = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Value::Dictionary(dictionary)
}
