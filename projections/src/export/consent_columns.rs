//! One column per consent that the exported campaigns offer: when it was granted, or empty.

use domain::{CampaignId, Campaigns, ConsentGrant};

use super::local_time::CampaignZone;

/// The consents that have a column, in the order of the campaigns' forms. A consent that no document names is only in
/// the column `consents`, which holds the whole proof.
pub(super) struct ConsentColumns {
    ids: Vec<String>,
}

impl ConsentColumns {
    /// The consents of these campaigns: those of the newest version, then those that only earlier ones asked for.
    pub(super) fn of(campaigns: &[String], known: &dyn Campaigns) -> Self {
        let mut ids: Vec<String> = Vec::new();
        let exported = campaigns.iter().filter_map(|campaign| campaign.parse::<CampaignId>().ok());
        for id in exported {
            let newest = known.newest(&id).map_or(0, |newest| newest.version);
            let versions = (1..=newest).rev().filter_map(|version| known.version(&id, version));
            for consent in versions.flat_map(|version| &version.consents) {
                if !ids.contains(&consent.id) {
                    ids.push(consent.id.clone());
                }
            }
        }
        Self { ids }
    }

    /// `consent_marketing_email` for `marketing-email`; the id as it is when two would have the same name.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let plain = |id: &str| id.replace('-', "_");
        self.ids.iter().map(move |id| {
            let is_unique = self.ids.iter().filter(|other| plain(other) == plain(id)).count() == 1;
            format!("consent_{}", if is_unique { plain(id) } else { id.clone() })
        })
    }

    /// The cells of one row: when each was granted, in the campaign's zone.
    pub(super) fn cells<'c>(
        &'c self,
        grants: &'c [ConsentGrant],
        zone: &'c CampaignZone,
    ) -> impl Iterator<Item = String> + 'c {
        self.ids.iter().map(|id| {
            let granted = grants.iter().filter(|grant| grant.id == *id).map(|grant| grant.granted_at).min();
            granted.map(|at| zone.text(at.moment())).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::EmbeddedCampaigns;

    use super::*;

    #[test]
    fn each_consent_of_the_known_campaigns_has_one_column() {
        let exported = ["shootout-2026".into(), "unknown-2031".into(), "shootout-2026".into()];
        let columns = ConsentColumns::of(&exported, &EmbeddedCampaigns);
        assert_eq!(
            columns.names().collect::<Vec<_>>(),
            ["consent_terms", "consent_marketing_email", "consent_marketing_phone"]
        );
    }

    #[test]
    fn two_consents_never_share_a_column_name() {
        let columns = ConsentColumns { ids: vec!["a-b".into(), "a_b".into(), "c-d".into()] };
        assert_eq!(columns.names().collect::<Vec<_>>(), ["consent_a-b", "consent_a_b", "consent_c_d"]);
    }
}
