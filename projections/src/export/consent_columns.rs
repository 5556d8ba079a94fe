//! One column per consent that the exported campaigns offer: when it was granted, or empty.

use domain::{CampaignId, Campaigns, ConsentGrant};

use super::column::Column;
use super::value::Value;
use crate::local_time::CampaignZone;

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

    /// Their ids.
    pub(super) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// `consent_marketing_email` and `consentMarketingEmail` for `marketing-email`; with the id as it is when two would
    /// have the same name.
    pub(super) fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        let named = |name: fn(&str) -> String, id: &String| {
            let is_unique = self.ids.iter().filter(|other| name(other) == name(id)).count() == 1;
            if is_unique { name(id) } else { format!("consent_{id}") }
        };
        self.ids.iter().map(move |id| Column::of_times(named(snake_case, id), named(camel_case, id)))
    }

    /// The values of one row: when each was granted, in the campaign's zone.
    pub(super) fn values<'c>(
        &'c self,
        grants: &'c [ConsentGrant],
        zone: &'c CampaignZone,
    ) -> impl Iterator<Item = Value> + 'c {
        self.ids.iter().map(|id| {
            let granted = grants.iter().filter(|grant| grant.id == *id).map(|grant| grant.granted_at).min();
            granted.map_or(Value::Nothing, |at| Value::Time(zone.local(at.moment())))
        })
    }
}

fn snake_case(id: &str) -> String {
    format!("consent_{}", id.replace('-', "_"))
}

fn camel_case(id: &str) -> String {
    let mut name = "consent".to_owned();
    for word in id.split(['-', '_']) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use domain::EmbeddedCampaigns;

    use super::*;

    fn names(columns: &ConsentColumns) -> Vec<String> {
        columns.columns().map(|column| format!("{} {}", column.name, column.key)).collect()
    }

    #[test]
    fn each_consent_of_the_known_campaigns_has_one_column() {
        let exported = ["shootout-2026".into(), "unknown-2031".into(), "shootout-2026".into()];
        let columns = ConsentColumns::of(&exported, &EmbeddedCampaigns);
        assert_eq!(
            names(&columns),
            [
                "consent_terms consentTerms",
                "consent_marketing_email consentMarketingEmail",
                "consent_marketing_phone consentMarketingPhone"
            ]
        );
    }

    #[test]
    fn two_consents_never_share_a_column_name() {
        let ids = ["a-b", "a_b", "c-d", "e-1", "e1"];
        let columns = ConsentColumns { ids: ids.map(str::to_owned).to_vec() };
        assert_eq!(
            names(&columns),
            [
                "consent_a-b consent_a-b",
                "consent_a_b consent_a_b",
                "consent_c_d consentCD",
                "consent_e_1 consent_e-1",
                "consent_e1 consent_e1"
            ]
        );
    }
}
