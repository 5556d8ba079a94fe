//! Times in the zone of a campaign, with their offset.
//!
//! The rules of the zones travel inside the program: an export is the same on every machine, and no row needs the database
//! for it.

use domain::{CampaignId, Campaigns};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The zone in which times of one campaign are written.
pub(crate) struct CampaignZone(TimeZone);

impl CampaignZone {
    /// The zone of the newest version of the campaign. UTC when the store does not know the campaign, or its document
    /// names a zone that does not exist: with the offset beside it, the time is still exact.
    pub(crate) fn of(campaign: &str, known: &dyn Campaigns) -> Self {
        let name = campaign
            .parse::<CampaignId>()
            .ok()
            .and_then(|id| known.newest(&id).map(|campaign| campaign.time_zone.as_str()));
        Self::named(name.unwrap_or("UTC"))
    }

    fn named(name: &str) -> Self {
        Self(TimeZoneDatabase::bundled().get(name).unwrap_or(TimeZone::UTC))
    }

    /// The same moment with the offset that the zone has then.
    pub(crate) fn local(&self, moment: OffsetDateTime) -> OffsetDateTime {
        moment.checked_to_offset(self.offset_at(moment)).unwrap_or(moment)
    }

    fn offset_at(&self, moment: OffsetDateTime) -> UtcOffset {
        let seconds = jiff::Timestamp::from_second(moment.unix_timestamp())
            .map_or(0, |timestamp| self.0.to_offset(timestamp).seconds());
        // Before zones there was local mean time, whose odd seconds RFC 3339 cannot write: UTC then.
        UtcOffset::from_whole_seconds(seconds)
            .ok()
            .filter(|offset| offset.seconds_past_minute() == 0)
            .unwrap_or(UtcOffset::UTC)
    }
}

/// `2026-05-23T14:03:11+02:00`: ISO 8601, whole seconds, rounded down.
pub(crate) fn to_the_second(local: OffsetDateTime) -> String {
    exact(local.replace_nanosecond(0).unwrap_or(local))
}

/// `2026-05-23T14:03:11.12+02:00`: RFC 3339, with all the digits that there are.
pub(crate) fn exact(local: OffsetDateTime) -> String {
    // Only years that RFC 3339 cannot write fail, and the domain refuses those.
    local.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::EmbeddedCampaigns;

    use super::*;

    fn text(zone: &CampaignZone, moment: &str) -> String {
        to_the_second(zone.local(OffsetDateTime::parse(moment, &Rfc3339).unwrap()))
    }

    #[test]
    fn times_are_written_in_the_zone_of_the_campaign_in_summer_and_in_winter() {
        let warsaw = CampaignZone::of("shootout-2026", &EmbeddedCampaigns);
        assert_eq!(text(&warsaw, "2026-05-23T12:03:11.999Z"), "2026-05-23T14:03:11+02:00");
        assert_eq!(text(&warsaw, "2026-12-23T12:03:11Z"), "2026-12-23T13:03:11+01:00");
        // The hour that there is twice is told apart by its offset.
        assert_eq!(text(&warsaw, "2026-10-25T00:30:00Z"), "2026-10-25T02:30:00+02:00");
        assert_eq!(text(&warsaw, "2026-10-25T01:30:00Z"), "2026-10-25T02:30:00+01:00");
    }

    #[test]
    fn unknown_campaigns_unknown_zones_and_odd_times_are_still_exact() {
        assert_eq!(
            text(&CampaignZone::of("unknown-2031", &EmbeddedCampaigns), "2026-05-23T14:03:11+02:00"),
            "2026-05-23T12:03:11Z"
        );
        assert_eq!(
            text(&CampaignZone::named("Mars/Base"), "2026-05-23T14:03:11+02:00"),
            "2026-05-23T12:03:11Z"
        );
        // Local mean time had odd seconds.
        assert_eq!(
            text(&CampaignZone::named("Europe/Amsterdam"), "1870-01-01T00:00:00Z"),
            "1870-01-01T00:00:00Z"
        );
        assert_eq!(
            text(&CampaignZone::of("shootout-2026", &EmbeddedCampaigns), "0001-01-01T00:00:00Z"),
            "0001-01-01T01:24:00+01:24"
        );
        assert_eq!(
            text(&CampaignZone::of("shootout-2026", &EmbeddedCampaigns), "9998-12-31T23:59:59Z"),
            "9999-01-01T00:59:59+01:00"
        );
    }
}
