//! The projection `contacts`: one row per campaign and e-mail address.
//!
//! A page is folded into contacts, merged with the rows that the table holds under their keys, and written back: two
//! statements a page. Counting is safe, because no event is ever applied twice.

use std::collections::BTreeMap;

use domain::ClientId;
use event_store::RecordedEvent;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Capture, CapturedLead, Contact, ContactKey, Poison, Projection};

/// One row per campaign and e-mail address; a lead without one is a contact of its own.
#[derive(Debug)]
pub struct Contacts;

impl Projection for Contacts {
    type Change = CapturedLead;

    const NAME: &'static str = "contacts";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["contacts"];

    fn fold(event: &RecordedEvent) -> Result<Option<CapturedLead>, Poison> {
        CapturedLead::read(event)
    }

    async fn apply(db: &mut PgConnection, leads: Vec<CapturedLead>) -> Result<(), sqlx::Error> {
        let mut contacts = Contact::fold(&leads);
        for (key, stored) in read(db, contacts.keys()).await? {
            Contact::merge_into(&mut contacts, key, stored);
        }
        write(db, &contacts).await
    }
}

async fn read(
    db: &mut PgConnection,
    keys: impl Iterator<Item = &ContactKey> + Clone,
) -> Result<Vec<(ContactKey, Contact)>, sqlx::Error> {
    let campaign_ids: Vec<&str> = keys.clone().map(|key| key.campaign_id.as_str()).collect();
    let contact_keys: Vec<&str> = keys.map(|key| key.key.as_str()).collect();
    let rows = sqlx::query(include_str!("sql/read_contacts.sql"))
        .bind(campaign_ids)
        .bind(contact_keys)
        .fetch_all(db)
        .await?;
    rows.iter().map(contact).collect()
}

fn contact(row: &PgRow) -> Result<(ContactKey, Contact), sqlx::Error> {
    let campaign_id: String = row.try_get("campaign_id")?;
    let campaign_id = campaign_id.parse().map_err(undecodable)?;
    let key = ContactKey { campaign_id, key: row.try_get("contact_key")? };
    let phone_capture = match row.try_get("phone_client_id")? {
        Some(id) => Some(capture(row.try_get("phone_captured_at")?, id)),
        None => None,
    };
    let contact = Contact {
        first: capture(row.try_get("first_captured_at")?, row.try_get("first_client_id")?),
        last_captured_at: row.try_get("last_captured_at")?,
        lead_count: row.try_get::<i64, _>("lead_count")?.cast_unsigned(),
        email: row.try_get("email")?,
        phone: phone_capture.zip(row.try_get("phone")?),
        names: serde_json::from_str(row.try_get("names")?).map_err(undecodable)?,
        consents: serde_json::from_str(row.try_get("consents")?).map_err(undecodable)?,
    };
    Ok((key, contact))
}

const fn capture(at: OffsetDateTime, client_id: Uuid) -> Capture {
    Capture { at, client_id: ClientId::new(client_id) }
}

fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

async fn write(db: &mut PgConnection, contacts: &BTreeMap<ContactKey, Contact>) -> Result<(), sqlx::Error> {
    let column_of_keys = |value: fn(&ContactKey) -> &str| contacts.keys().map(value).collect::<Vec<_>>();
    let phone = |contact: &Contact| contact.phone.as_ref().map(|(capture, _)| *capture);
    let each = || contacts.values();
    sqlx::query(include_str!("sql/upsert_contacts.sql"))
        .bind(column_of_keys(|key| key.campaign_id.as_str()))
        .bind(column_of_keys(|key| key.key.as_str()))
        .bind(each().map(|contact| contact.first.at).collect::<Vec<_>>())
        .bind(each().map(|contact| contact.first.client_id.uuid()).collect::<Vec<_>>())
        .bind(each().map(|contact| contact.last_captured_at).collect::<Vec<_>>())
        .bind(each().map(|contact| contact.lead_count.cast_signed()).collect::<Vec<_>>())
        .bind(each().map(|contact| contact.email.as_deref()).collect::<Vec<_>>())
        .bind(
            each().map(|contact| contact.phone.as_ref().map(|(_, phone)| phone.as_str())).collect::<Vec<_>>(),
        )
        .bind(each().map(|contact| phone(contact).map(|capture| capture.at)).collect::<Vec<_>>())
        .bind(
            each().map(|contact| phone(contact).map(|capture| capture.client_id.uuid())).collect::<Vec<_>>(),
        )
        .bind(each().map(|contact| json(&contact.names)).collect::<Result<Vec<_>, _>>()?)
        .bind(each().map(|contact| json(&contact.consents)).collect::<Result<Vec<_>, _>>()?)
        .execute(db)
        .await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
