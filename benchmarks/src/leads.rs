//! Leads as iPads make them: realistic, about 700 bytes, each with an e-mail address of its own.

use anyhow::{Context, Result};
use domain::{ClientId, ConsentGrant, ContactFields, Entry, LeadEvent, Timestamp};
use uuid::Builder;

const FIRST_NAMES: [&str; 10] =
    ["Anna", "Piotr", "Katarzyna", "Łukasz", "Małgorzata", "Tomasz", "Żaneta", "Michał", "Zofia", "Grzegorz"];
const LAST_NAMES: [&str; 10] = [
    "Nowak",
    "Kowalski",
    "Wiśniewska",
    "Wójcik",
    "Kamińska",
    "Lewandowski",
    "Zielińska",
    "Szymański",
    "Dąbrowska",
    "Kozłowski",
];

/// Time between two leads over all devices. Ids carry it, so it spreads them as a day of capturing does.
const LEAD_INTERVAL_MS: u64 = 40;

/// How long ago the first lead was captured: longer than all the leads of a round take.
const FIRST_CAPTURE_AGE_MS: u64 = 48 * 3_600 * 1_000;

/// Warsaw in summer.
const OFFSET_MINUTES: i32 = 120;

/// Makes leads. The same seed makes the same people, though at another time.
pub(crate) struct LeadMaker {
    random: fastrand::Rng,
    first_capture_ms: u64,
    made: u64,
}

impl LeadMaker {
    /// `now_ms` is the time since 1970, in milliseconds.
    pub(crate) fn new(seed: u64, now_ms: u64) -> Self {
        let first_capture_ms = now_ms.saturating_sub(FIRST_CAPTURE_AGE_MS);
        Self { random: fastrand::Rng::with_seed(seed), first_capture_ms, made: 0 }
    }

    /// Entries as JSON text, for each of these devices: what they captured, in turn, over the same time.
    pub(crate) fn captured_by(
        &mut self,
        devices: &[String],
        leads_per_device: usize,
    ) -> Result<Vec<Vec<String>>> {
        let mut captured = vec![Vec::with_capacity(leads_per_device); devices.len()];
        for seq in 1..=leads_per_device {
            for (device, entries) in devices.iter().zip(&mut captured) {
                entries.push(self.entry(device, seq as u64)?);
            }
        }
        Ok(captured)
    }

    fn entry(&mut self, device: &str, seq: u64) -> Result<String> {
        let number = self.made;
        self.made += 1;
        let at_ms = self.first_capture_ms + number * LEAD_INTERVAL_MS;
        let at = |ms: u64| Timestamp::from_unix_ms(ms.cast_signed(), OFFSET_MINUTES);
        let grant = |id: &str, ticked_ms: u64| -> Result<ConsentGrant> {
            let granted_at = at(at_ms - ticked_ms)?;
            Ok(ConsentGrant { id: id.to_owned(), text_version: 1, language: "pl".to_owned(), granted_at })
        };
        let mut random_bytes = [0; 10];
        self.random.fill(&mut random_bytes);
        let entry = Entry {
            client_id: ClientId::new(Builder::from_unix_timestamp_millis(at_ms, &random_bytes).into_uuid()),
            version: 1,
            device_id: device.parse().context("a device name of the benchmark")?,
            device_seq: seq,
            campaign_id: "shootout-2026".parse()?,
            campaign_version: 1,
            captured_at: at(at_ms)?,
            clock_offset_ms: Some(self.random.i64(-400..400)),
            operator: Some("Magdalena Jabłońska".to_owned()),
            contact: ContactFields {
                first_name: self.random.choice(FIRST_NAMES).map(str::to_owned),
                last_name: self.random.choice(LAST_NAMES).map(str::to_owned),
                email: Some(format!("lead.{number:07}@poczta.example.com")),
                phone: Some(format!("+48{}", self.random.u32(500_000_000..799_999_999))),
            },
            consents: vec![
                grant("terms", 4_100)?,
                grant("marketing-email", 3_200)?,
                grant("marketing-phone", 2_700)?,
            ],
        };
        Ok(serde_json::to_string(&LeadEvent::Captured(entry))?)
    }
}
