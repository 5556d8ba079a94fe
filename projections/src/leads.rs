//! The projection `leads`: one row per lead.

use event_store::RecordedEvent;
use sqlx::PgConnection;

use crate::{CapturedLead, Poison, Projection};

/// One row per lead, as captured.
#[derive(Debug)]
pub struct Leads;

impl Projection for Leads {
    type Change = CapturedLead;

    const NAME: &'static str = "leads";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["leads"];

    fn fold(event: &RecordedEvent) -> Result<Option<CapturedLead>, Poison> {
        let lead = CapturedLead::read(event)?;
        // The log keeps any number; a table of PostgreSQL does not.
        if lead.as_ref().is_some_and(|lead| i64::try_from(lead.device_seq).is_err()) {
            return Err(Poison::new("deviceSeq is larger than 2^63 - 1"));
        }
        Ok(lead)
    }

    async fn apply(db: &mut PgConnection, leads: Vec<CapturedLead>) -> Result<(), sqlx::Error> {
        fn column<'l, T>(leads: &'l [CapturedLead], value: impl Fn(&'l CapturedLead) -> T) -> Vec<T> {
            leads.iter().map(value).collect()
        }
        sqlx::query(include_str!("sql/insert_leads.sql"))
            .bind(column(&leads, |lead| lead.client_id.uuid()))
            .bind(column(&leads, |lead| lead.position.cast_signed()))
            .bind(column(&leads, |lead| lead.campaign_id.as_str()))
            .bind(column(&leads, |lead| i64::from(lead.campaign_version)))
            .bind(column(&leads, |lead| i64::from(lead.version)))
            .bind(column(&leads, |lead| lead.device_id.as_str()))
            .bind(column(&leads, |lead| lead.device_seq.cast_signed()))
            .bind(column(&leads, |lead| lead.captured_at))
            .bind(column(&leads, |lead| lead.captured_at.offset().whole_minutes()))
            .bind(column(&leads, |lead| lead.recorded_at))
            .bind(column(&leads, |lead| lead.first_name.as_deref()))
            .bind(column(&leads, |lead| lead.last_name.as_deref()))
            .bind(column(&leads, |lead| lead.email.as_deref()))
            .bind(column(&leads, |lead| lead.phone.as_deref()))
            .bind(column(&leads, |lead| lead.operator.as_deref()))
            .bind(leads.iter().map(consents_json).collect::<Result<Vec<_>, _>>()?)
            .bind(column(&leads, |lead| lead.flags.join(",")))
            .execute(db)
            .await?;
        Ok(())
    }
}

fn consents_json(lead: &CapturedLead) -> Result<String, sqlx::Error> {
    serde_json::to_string(&lead.consents).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
