//! The table `contacts`.

use std::collections::{BTreeMap, BTreeSet};

use domain::ClientId;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Capture, Contact, ContactKey};
use crate::row::{json, undecodable};

/// What the tables know under a key.
pub(super) struct Stored {
    pub(super) key: ContactKey,
    /// `None` when there is no contact.
    pub(super) contact: Option<Contact>,
    /// Whether a consent was withdrawn through a lead with this key; then the contact cannot be merged with.
    pub(super) has_withdrawals: bool,
}

/// Reads what is known under some keys; keys under which nothing is known may be left out.
pub(super) async fn read(
    db: &mut PgConnection,
    keys: impl Iterator<Item = &ContactKey> + Clone,
) -> Result<Vec<Stored>, sqlx::Error> {
    let campaign_ids: Vec<&str> = keys.clone().map(|key| key.campaign_id.as_str()).collect();
    let contact_keys: Vec<&str> = keys.map(|key| key.key.as_str()).collect();
    let rows = sqlx::query(include_str!("../sql/read_contacts.sql"))
        .bind(campaign_ids)
        .bind(contact_keys)
        .fetch_all(db)
        .await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &PgRow) -> Result<Stored, sqlx::Error> {
    let campaign_id: &str = row.try_get("campaign_id")?;
    let campaign_id = campaign_id.parse().map_err(undecodable)?;
    let key = ContactKey { campaign_id, key: row.try_get("contact_key")? };
    let first_client_id: Option<Uuid> = row.try_get("first_client_id")?;
    let contact = first_client_id.map(|id| contact(row, id)).transpose()?;
    Ok(Stored { key, contact, has_withdrawals: row.try_get("has_withdrawals")? })
}

fn contact(row: &PgRow, first_client_id: Uuid) -> Result<Contact, sqlx::Error> {
    let phone_capture = match row.try_get("phone_client_id")? {
        Some(id) => Some(capture(row.try_get("phone_captured_at")?, id)),
        None => None,
    };
    Ok(Contact {
        first: capture(row.try_get("first_captured_at")?, first_client_id),
        last_captured_at: row.try_get("last_captured_at")?,
        lead_count: row.try_get::<i64, _>("lead_count")?.cast_unsigned(),
        email: row.try_get("email")?,
        phone: phone_capture.zip(row.try_get("phone")?),
        names: serde_json::from_str(row.try_get("names")?).map_err(undecodable)?,
        consents: serde_json::from_str(row.try_get("consents")?).map_err(undecodable)?,
        withdrawn: serde_json::from_str(row.try_get("withdrawn")?).map_err(undecodable)?,
    })
}

const fn capture(at: OffsetDateTime, client_id: Uuid) -> Capture {
    Capture { at, client_id: ClientId::new(client_id) }
}

/// Writes contacts over what is known under their keys.
pub(super) async fn write(
    db: &mut PgConnection,
    contacts: &BTreeMap<ContactKey, Contact>,
) -> Result<(), sqlx::Error> {
    if contacts.is_empty() {
        return Ok(());
    }
    let column_of_keys = |value: fn(&ContactKey) -> &str| contacts.keys().map(value).collect::<Vec<_>>();
    let phone = |contact: &Contact| contact.phone.as_ref().map(|(capture, _)| *capture);
    let each = || contacts.values();
    sqlx::query(include_str!("../sql/upsert_contacts.sql"))
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
        .bind(each().map(|contact| json(&contact.withdrawn)).collect::<Result<Vec<_>, _>>()?)
        .execute(db)
        .await?;
    Ok(())
}

/// Removes contacts, if they are there.
pub(super) async fn delete(db: &mut PgConnection, keys: &BTreeSet<ContactKey>) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("../sql/delete_contacts.sql"))
        .bind(keys.iter().map(|key| key.campaign_id.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}
