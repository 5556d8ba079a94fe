//! Devices that are let in, each with a key and a token of its own, as iPads are.
//!
//! The program's own [`Authority`] does it, on the store's database and beside the server: only the tokens travel.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use domain::{StoreId, Timestamp};
use event_store::PostgresLog;
use identity::testing::KeyedDevice;
use identity::{Authority, CODE_LIFETIME};
use sqlx::PgPool;

use crate::database::Database;
use crate::leads::CAMPAIGN;

/// An enrolment is offered, and then used.
const EVENTS_OF_EACH: u64 = 2;

/// Lets devices in. A token lasts for fifteen minutes, so they have to be done by then.
pub(crate) struct Admission {
    pool: PgPool,
    store: StoreId,
    authority: Authority,
    admitted: u64,
}

impl Admission {
    /// To the store in this database.
    pub(crate) async fn to(database: &Database) -> Result<Self> {
        let pool = event_store::connect(&database.url(), 2).await?;
        let store = event_store::head(&pool).await?.store_id;
        let authority = Authority::new(PostgresLog::new(pool.clone()), store);
        Ok(Self { pool, store, authority, admitted: 0 })
    }

    /// Lets the installation of this name in, and answers a token for it.
    pub(crate) async fn token(&mut self, device: &str) -> Result<Arc<str>> {
        let keyed = KeyedDevice::new(device);
        let offered = identity::offer(&self.pool, device.parse()?, CAMPAIGN.parse()?, CODE_LIFETIME).await?;
        let (id, _) = self.authority.enrol(&offered.code.reveal(), keyed.enrolled()).await?;
        let now = Timestamp::new(SystemTime::now().into());
        let assertion = keyed.assertion(&id, self.store, now);
        let device = self.authority.authenticate_device(&assertion, now).await?;
        self.admitted += 1;
        Ok(self.authority.issue_to_device(device, now).await?.text.into())
    }

    /// How many events that has added to the log.
    pub(crate) const fn events(&self) -> u64 {
        self.admitted * EVENTS_OF_EACH
    }
}
