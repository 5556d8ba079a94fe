//! What devices say of themselves with each request, for whoever looks after an event.
//!
//! Leads never wait for it: a request leaves a note in memory, and all notes together are written every few seconds, in one
//! statement. What is not written yet is told by this process alone; what is lost with it, the device says again within a
//! minute. Nothing is decided by any of it, so what makes no sense is left out, and refuses nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{DeviceCondition, DeviceId};
use sqlx::{PgPool, Row};
use time::OffsetDateTime;

/// How late it is written.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// What was heard this far in the future was heard by a clock that was wrong, and has been set since.
pub const MAX_AHEAD: Duration = Duration::from_secs(120);

/// Longest version that is kept.
const MAX_VERSION_CHARS: usize = 40;

/// What was last heard of a device, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When, by the store's clock.
    pub at: OffsetDateTime,
    /// Leads that it still holds for this store; `None` when it did not say.
    pub left: Option<u64>,
    /// When the first of them was saved, by the device's clock.
    pub oldest_left_at: Option<OffsetDateTime>,
    /// Whether its browser has promised not to evict the storage.
    pub is_storage_persisted: Option<bool>,
    /// The version of the app.
    pub app_version: Option<String>,
}

/// What is known of the devices of a store.
#[derive(Clone)]
pub struct Conditions {
    pool: PgPool,
    /// At most one for each device that was let in.
    unwritten: Arc<Mutex<HashMap<DeviceId, Heard>>>,
}

impl Heard {
    /// What a device has said at this moment: its condition as it stood in the request, of which the store did not take these many
    /// leads: the device holds them still.
    pub fn of(at: OffsetDateTime, condition: Option<&str>, not_taken: u64) -> Self {
        let said: Option<DeviceCondition> = condition.and_then(|text| serde_json::from_str(text).ok());
        let left = said.as_ref().map(|it| it.left.saturating_add(not_taken));
        let left = left.filter(|left| i64::try_from(*left).is_ok());
        Self {
            at,
            left,
            oldest_left_at: said.as_ref().and_then(|it| it.oldest_left_at).and_then(moment),
            is_storage_persisted: said.as_ref().and_then(|it| it.is_storage_persisted),
            app_version: said.and_then(|it| it.app_version).filter(|text| is_version(text)),
        }
    }
}

/// A moment at which there were iPads, from milliseconds since 1970. Clocks show anything, and not all of it can be written.
fn moment(ms: i64) -> Option<OffsetDateTime> {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    (2010..2200).contains(&moment.year()).then_some(moment)
}

fn is_version(text: &str) -> bool {
    (1..=MAX_VERSION_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Conditions {
    /// Knows what is written, and writes what it is told from here on.
    pub fn keep(pool: PgPool) -> Self {
        let conditions = Self { pool, unwritten: Arc::default() };
        let writing = conditions.clone();
        tokio::spawn(async move {
            let mut is_failing = false;
            loop {
                tokio::time::sleep(WRITE_INTERVAL).await;
                match writing.write().await {
                    Ok(()) => is_failing = false,
                    // Once: the database may be away for long.
                    Err(error) if !is_failing => {
                        tracing::warn!(%error, "what devices say of themselves is not written now; it is tried again");
                        is_failing = true;
                    }
                    Err(_) => {}
                }
            }
        });
        conditions
    }

    /// Notes what a device has said.
    pub fn note(&self, device: DeviceId, heard: Heard) {
        self.unwritten().insert(device, heard);
    }

    /// What was last heard of each device.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all(&self) -> Result<BTreeMap<DeviceId, Heard>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT device_id, heard_at, left_count, oldest_left_at, is_storage_persisted, app_version
             FROM device_conditions",
        );
        let mut all = BTreeMap::new();
        for row in rows.fetch_all(&self.pool).await? {
            // Nobody else writes here.
            let Ok(device) = row.try_get::<&str, _>("device_id")?.parse() else { continue };
            let heard = Heard {
                at: row.try_get("heard_at")?,
                left: row.try_get::<Option<i64>, _>("left_count")?.map(i64::cast_unsigned),
                oldest_left_at: row.try_get("oldest_left_at")?,
                is_storage_persisted: row.try_get("is_storage_persisted")?,
                app_version: row.try_get("app_version")?,
            };
            all.insert(device, heard);
        }
        for (device, heard) in self.unwritten().iter() {
            if all
                .get(device)
                .is_none_or(|known: &Heard| known.at <= heard.at || known.at > heard.at + MAX_AHEAD)
            {
                all.insert(device.clone(), heard.clone());
            }
        }
        Ok(all)
    }

    /// Writes what is noted. What cannot be written stays noted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self) -> Result<(), sqlx::Error> {
        let notes: Vec<(DeviceId, Heard)> =
            self.unwritten().iter().map(|(device, heard)| (device.clone(), heard.clone())).collect();
        if notes.is_empty() {
            return Ok(());
        }
        let column = |value: fn(&Heard) -> Option<OffsetDateTime>| -> Vec<_> {
            notes.iter().map(|(_, heard)| value(heard)).collect()
        };
        sqlx::query(include_str!("sql/write_device_conditions.sql"))
            .bind(notes.iter().map(|(device, _)| device.as_str()).collect::<Vec<_>>())
            .bind(column(|heard| Some(heard.at)))
            .bind(notes.iter().map(|(_, heard)| heard.left.map(u64::cast_signed)).collect::<Vec<_>>())
            .bind(column(|heard| heard.oldest_left_at))
            .bind(notes.iter().map(|(_, heard)| heard.is_storage_persisted).collect::<Vec<_>>())
            .bind(notes.iter().map(|(_, heard)| heard.app_version.as_deref()).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        let mut unwritten = self.unwritten();
        for (device, written) in notes {
            // What was noted meanwhile is for the next time.
            if unwritten.get(&device) == Some(&written) {
                unwritten.remove(&device);
            }
        }
        Ok(())
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Heard>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SQL that lets the database's user keep what devices say of themselves; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_grants(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let rights = ["SELECT", "INSERT", "UPDATE"];
    event_store::missing_grants(pool, &rights.map(|right| ("device_conditions", right))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No lead is refused for it, so whatever stands there is read as far as it makes sense.
    #[test]
    fn what_makes_no_sense_is_left_out() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let nothing =
            Heard { at, left: None, oldest_left_at: None, is_storage_persisted: None, app_version: None };
        for said in [None, Some("7"), Some("{}"), Some("[]"), Some(r#"{"left":-1}"#), Some(r#"{"left":"3"}"#)]
        {
            assert_eq!(Heard::of(at, said, 0), nothing, "{said:?}");
        }
        let said = r#"{"left":3,"oldestLeftAt":1779537790000,"isStoragePersisted":false,"appVersion":"0.1.0","more":1}"#;
        let heard = Heard::of(at, Some(said), 2);
        assert_eq!((heard.left, heard.is_storage_persisted), (Some(5), Some(false)));
        assert_eq!(heard.oldest_left_at, Some(at + Duration::from_millis(1_779_537_790_000)));
        assert_eq!(heard.app_version.as_deref(), Some("0.1.0"));
        for strange in [i64::MIN, -70_000_000_000_000, 0, i64::MAX] {
            let said = format!(r#"{{"left":{},"oldestLeftAt":{strange},"appVersion":"a\u0000b"}}"#, u64::MAX);
            assert_eq!(Heard::of(at, Some(&said), 1), nothing, "{said}");
        }
    }
}
