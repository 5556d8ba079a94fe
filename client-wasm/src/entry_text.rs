//! The bytes of an entry, which are made once and never again.
//!
//! They are those that `serde_json` writes of a [`LeadEvent`], in the same order, without what it would bring along:
//! `serde`'s writing of the event is a twentieth of what a device downloads. The tests compare the two.

use domain::{ConsentGrant, ContactFields, DeviceId, LeadEvent};

use crate::json::{Fields, writer};

/// The event under this number of this installation.
pub(crate) fn write(event: &LeadEvent, device_id: &DeviceId, device_seq: u64) -> String {
    let kind = match event {
        LeadEvent::Captured(_) => "captured",
        LeadEvent::Corrected(_) => "corrected",
        LeadEvent::Voided(_) => "voided",
    };
    let entry = event.entry();
    let consents: Vec<String> = entry.consents.iter().map(write_consent).collect();
    let mut it = Fields::new();
    it.text("kind", kind);
    it.text("clientId", &entry.client_id.to_string());
    it.number("version", entry.version.into());
    it.text("deviceId", device_id.as_str());
    it.number("deviceSeq", device_seq);
    it.text("campaignId", entry.campaign_id.as_str());
    it.number("campaignVersion", entry.campaign_version.into());
    it.text("capturedAt", &entry.captured_at.to_string());
    it.raw_if("clockOffsetMs", entry.clock_offset_ms.map(|offset| offset.to_string()));
    it.text_if("operator", entry.operator.as_deref());
    it.raw("contact", &write_contact(&entry.contact));
    it.raw("consents", &writer::array(&consents));
    it.end()
}

fn write_contact(contact: &ContactFields) -> String {
    let mut it = Fields::new();
    it.text_if("firstName", contact.first_name.as_deref());
    it.text_if("lastName", contact.last_name.as_deref());
    it.text_if("email", contact.email.as_deref());
    it.text_if("phone", contact.phone.as_deref());
    it.end()
}

fn write_consent(consent: &ConsentGrant) -> String {
    let mut it = Fields::new();
    it.text("id", &consent.id);
    it.number("textVersion", consent.text_version.into());
    it.text("language", &consent.language);
    it.text("grantedAt", &consent.granted_at.to_string());
    it.end()
}

// proptest is for the native tests only.
#[cfg(all(test, not(target_arch = "wasm32")))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use domain::{ClientId, Entry, Timestamp};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn timestamps() -> impl Strategy<Value = Timestamp> {
        (0_i64..4_102_444_800_000, -840_i32..=840)
            .prop_map(|(unix_ms, offset)| Timestamp::from_unix_ms(unix_ms, offset).unwrap())
    }

    prop_compose! {
        fn contacts()(
            first_name in option::of(any::<String>()), last_name in option::of(any::<String>()),
            email in option::of(any::<String>()), phone in option::of(any::<String>()),
        ) -> ContactFields {
            ContactFields { first_name, last_name, email, phone }
        }
    }

    prop_compose! {
        fn consents()(
            id in any::<String>(), text_version in any::<u32>(), language in any::<String>(), granted_at in timestamps(),
        ) -> ConsentGrant {
            ConsentGrant { id, text_version, language, granted_at }
        }
    }

    prop_compose! {
        fn entries()(
            client_id in any::<u128>(), version in any::<u32>(), device_id in "[a-zA-Z0-9._-]{1,64}",
            device_seq in any::<u64>(), campaign_id in "[a-zA-Z0-9._-]{1,64}", campaign_version in any::<u32>(),
            captured_at in timestamps(), clock_offset_ms in option::of(any::<i64>()),
            operator in option::of(any::<String>()), contact in contacts(), consents in vec(consents(), 0..4),
        ) -> Entry {
            Entry {
                client_id: ClientId::new(Uuid::from_u128(client_id)), version, device_id: device_id.parse().unwrap(),
                device_seq, campaign_id: campaign_id.parse().unwrap(), campaign_version, captured_at, clock_offset_ms,
                operator, contact, consents,
            }
        }
    }

    proptest! {
        /// A store compares digests of these bytes: they must not depend on who writes them.
        #[test]
        fn an_entry_is_written_as_serde_would(entry in entries()) {
            let (device_id, device_seq) = (entry.device_id.clone(), entry.device_seq);
            for event in
                [LeadEvent::Captured(entry.clone()), LeadEvent::Corrected(entry.clone()), LeadEvent::Voided(entry)]
            {
                prop_assert_eq!(write(&event, &device_id, device_seq), serde_json::to_string(&event).unwrap());
            }
        }
    }
}
