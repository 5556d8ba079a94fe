//! Every campaign document that a store has, to judge by and to give to devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Campaign, CampaignId, CampaignParseError, Campaigns, EmbeddedCampaigns, Timestamp};

/// The shipped campaigns with those of the log in front of them: where both have a version, the log's counts.
/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PublishedCampaigns {
    campaigns: BTreeMap<CampaignId, BTreeMap<u32, Arc<PublishedVersion>>>,
}

/// One version of a campaign, as it is given to devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// The document, as far as this program understands it.
    pub campaign: Campaign,
    /// The document as it was published, with what a newer program may have put there.
    pub json: String,
    /// When it was published; `None` when it ships with the program and nothing was published on top of it.
    pub published_at: Option<Timestamp>,
    /// Who published it.
    pub published_by: Option<String>,
}

/// The part of the event that matters here, with the document untouched.
#[derive(Deserialize)]
struct Publication<'a> {
    #[serde(borrow)]
    document: &'a RawValue,
    at: Timestamp,
    #[serde(default)]
    by: Option<String>,
}

impl PublishedCampaigns {
    /// What a store knows before it has read its log.
    pub fn shipped() -> Self {
        let mut known = Self::default();
        for campaign in EmbeddedCampaigns::all() {
            let json = serde_json::to_string(campaign).unwrap_or_default();
            known.put(PublishedVersion {
                campaign: campaign.clone(),
                json,
                published_at: None,
                published_by: None,
            });
        }
        known
    }

    /// Adds what an event `CampaignPublished` says.
    ///
    /// # Errors
    /// When this program cannot read it; nothing has changed then. Leads of that version are taken with a flag.
    pub fn add(&mut self, payload: &str) -> Result<(), CampaignParseError> {
        let Publication { document, at, by } = serde_json::from_str(payload)?;
        self.put(PublishedVersion {
            campaign: Campaign::parse(document.get())?,
            json: document.get().to_owned(),
            published_at: Some(at),
            published_by: by,
        });
        Ok(())
    }

    fn put(&mut self, version: PublishedVersion) {
        let versions = self.campaigns.entry(version.campaign.id.clone()).or_default();
        versions.insert(version.campaign.version, Arc::new(version));
    }

    /// This version of the campaign, or its newest.
    pub fn get(&self, id: &CampaignId, version: Option<u32>) -> Option<&PublishedVersion> {
        let versions = self.campaigns.get(id)?;
        let found = match version {
            Some(version) => versions.get(&version),
            None => versions.last_key_value().map(|(_, newest)| newest),
        };
        found.map(Arc::as_ref)
    }

    /// Every version, by campaign, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &PublishedVersion> {
        self.campaigns.values().flat_map(BTreeMap::values).map(Arc::as_ref)
    }
}

impl Campaigns for PublishedCampaigns {
    fn version(&self, id: &CampaignId, version: u32) -> Option<&Campaign> {
        self.get(id, Some(version)).map(|known| &known.campaign)
    }

    fn newest(&self, id: &CampaignId) -> Option<&Campaign> {
        self.get(id, None).map(|known| &known.campaign)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::SHOOTOUT_2026;

    fn payload(version: u32, change: impl FnOnce(&mut Value)) -> String {
        let mut document: Value = serde_json::from_str(SHOOTOUT_2026).unwrap();
        document["version"] = version.into();
        change(&mut document);
        json!({ "kind": "published", "document": document, "at": "2026-05-20T09:00:00+02:00" }).to_string()
    }

    #[test]
    fn the_log_stands_in_front_of_what_ships() {
        let id = "shootout-2026".parse().unwrap();
        let mut known = PublishedCampaigns::shipped();
        assert_eq!(known.newest(&id).unwrap().version, 1);
        known.add(&payload(1, |document| document["timeZone"] = "Europe/London".into())).unwrap();
        known.add(&payload(2, |_| {})).unwrap();
        assert_eq!(known.version(&id, 1).unwrap().time_zone, "Europe/London");
        assert_eq!(known.newest(&id).unwrap().version, 2);
        assert_eq!(known.iter().count(), 2);
    }

    #[test]
    fn a_newer_programs_fields_reach_devices_and_what_cannot_be_read_changes_nothing() {
        let id = "shootout-2026".parse().unwrap();
        let mut known = PublishedCampaigns::shipped();
        known.add(&payload(2, |document| document["ageLimit"] = 16.into())).unwrap();
        assert!(known.get(&id, None).unwrap().json.contains("ageLimit"));
        known.add(&payload(3, |document| document["fields"] = "other".into())).unwrap_err();
        assert_eq!(known.newest(&id).unwrap().version, 2);
    }
}
