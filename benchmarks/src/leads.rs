//! Leads as iPads make them: realistic, about 700 bytes, each with an e-mail address of its own.

use std::time::{SystemTime, UNIX_EPOCH};

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

/// How long ago the first lead was captured: longer than the ten million leads of the largest store take.
const FIRST_CAPTURE_AGE_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// The same people in every run.
const SEED: u64 = 0x1ead_1ead_1ead_1ead;

/// The campaign of all leads.
pub(crate) const CAMPAIGN: &str = "shootout-2026";

/// Warsaw in summer.
const OFFSET_MINUTES: i32 = 120;

/// Makes leads, the same people in each run, though at another time.
pub(crate) struct LeadMaker {
    random: fastrand::Rng,
    mailbox: &'static str,
    first_capture_ms: u64,
    made: u64,
}

impl LeadMaker {
    /// E-mail addresses begin with `mailbox`, by which the leads of two makers differ.
    pub(crate) fn new(mailbox: &'static str) -> Result<Self> {
        let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        // Two makers must not draw the same ids.
        let seed = mailbox.bytes().fold(SEED, |seed, byte| seed.rotate_left(8) ^ u64::from(byte));
        Ok(Self {
            random: fastrand::Rng::with_seed(seed),
            mailbox,
            first_capture_ms: now_ms.saturating_sub(FIRST_CAPTURE_AGE_MS),
            made: 0,
        })
    }

    /// How many leads it has made. The next one has this number.
    pub(crate) const fn made(&self) -> u64 {
        self.made
    }

    /// When the lead of this number was captured, or will be.
    pub(crate) fn captured_at(&self, number: u64) -> Result<Timestamp> {
        timestamp(self.captured_ms(number))
    }

    const fn captured_ms(&self, number: u64) -> u64 {
        self.first_capture_ms + number * LEAD_INTERVAL_MS
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
                let entry = self.entry(device, seq as u64)?;
                entries.push(serde_json::to_string(&LeadEvent::Captured(entry))?);
            }
        }
        Ok(captured)
    }

    /// The next lead, as this device captures it.
    pub(crate) fn entry(&mut self, device: &str, device_seq: u64) -> Result<Entry> {
        let number = self.made;
        self.made += 1;
        let at_ms = self.captured_ms(number);
        let grant = |id: &str, ticked_ms: u64| -> Result<ConsentGrant> {
            let granted_at = timestamp(at_ms - ticked_ms)?;
            Ok(ConsentGrant { id: id.to_owned(), text_version: 1, language: "pl".to_owned(), granted_at })
        };
        let mut random_bytes = [0; 10];
        self.random.fill(&mut random_bytes);
        Ok(Entry {
            client_id: ClientId::new(Builder::from_unix_timestamp_millis(at_ms, &random_bytes).into_uuid()),
            version: 1,
            device_id: device.parse().context("a device name of the benchmark")?,
            device_seq,
            campaign_id: CAMPAIGN.parse()?,
            campaign_version: 1,
            captured_at: timestamp(at_ms)?,
            clock_offset_ms: Some(self.random.i64(-400..400)),
            operator: Some("Magdalena Jabłońska".to_owned()),
            contact: ContactFields {
                first_name: self.random.choice(FIRST_NAMES).map(str::to_owned),
                last_name: self.random.choice(LAST_NAMES).map(str::to_owned),
                email: Some(email_of(self.mailbox, number)),
                phone: Some(self.phone()),
            },
            consents: vec![
                grant("terms", 4_100)?,
                grant("marketing-email", 3_200)?,
                grant("marketing-phone", 2_700)?,
            ],
        })
    }

    /// A telephone number, in its normal form.
    pub(crate) fn phone(&mut self) -> String {
        format!("+48{}", self.random.u32(500_000_000..799_999_999))
    }
}

/// The e-mail address of the lead of this number.
pub(crate) fn email_of(mailbox: &str, number: u64) -> String {
    format!("{mailbox}.{number:07}@poczta.example.com")
}

fn timestamp(unix_ms: u64) -> Result<Timestamp> {
    Ok(Timestamp::from_unix_ms(unix_ms.cast_signed(), OFFSET_MINUTES)?)
}
