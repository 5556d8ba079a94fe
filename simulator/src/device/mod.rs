//! An iPad: storage, tabs, a clock, and the person in front of it.

pub mod disk;
pub mod tab;

mod saves;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

use domain::{ClientId, DeviceId};
use leadlog_client::engine::loss::LostInstallation;
use leadlog_client::engine::record::EntryRecord;

use crate::people::Person;
use disk::Disk;
use tab::{SendLock, Tab};

pub use saves::Tap;
pub use shell::Write;

/// Most tabs of one device.
pub const MAX_TABS: usize = 2;

/// An iPad.
pub struct Device {
    /// Its storage.
    pub disk: Disk,
    /// Its pages.
    pub tabs: [Option<Tab>; MAX_TABS],
    /// The lock of the tab that sends.
    pub lock: Option<SendLock>,
    /// How far its clock is ahead, in milliseconds.
    pub clock_offset_ms: i64,
    /// Which address it reaches at each target of the engine.
    pub targets: Vec<usize>,
    /// Until when each address cannot be reached.
    pub links_down_until_ms: BTreeMap<usize, u64>,
    /// Until when every store has it shut out.
    pub revoked_until_ms: u64,
    /// Whether the old version of the app runs.
    pub is_old_app: bool,
    /// The campaign version that its form shows.
    pub campaign_version: u32,
    /// Whether the app knows that the campaign is closed.
    pub is_campaign_closed: bool,
    /// Who was saved here, for corrections.
    pub people: BTreeMap<ClientId, Known>,
    /// Leads whose next version is being written.
    pub editing: BTreeSet<ClientId>,
    /// Leads still to be captured here.
    pub leads_left: usize,
    /// How many installations there were.
    pub installations: u32,
    /// What stands beside the storage of those that were wiped.
    pub lost: Vec<LostInstallation>,
    /// How often a page was started.
    pub starts: u64,
}

/// What the person at the iPad knows of a lead.
#[derive(Clone)]
pub struct Known {
    /// Who it is.
    pub person: Person,
    /// The newest version.
    pub version: u32,
    /// Whether the newest version breaks a rule.
    pub is_invalid: bool,
}

/// A copy of an outbox, as a backup keeps it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which iPad.
    pub device: usize,
    /// Which installation made it.
    pub installation: DeviceId,
    /// When.
    pub made_at_ms: u64,
    /// Its entries.
    pub entries: Vec<EntryRecord>,
}

impl Device {
    /// An iPad with empty storage and no page.
    pub fn new(number: usize, targets: Vec<usize>, leads: usize) -> Self {
        Self {
            disk: Disk::new(installation_id(number, 1)),
            tabs: std::array::from_fn(|_| None),
            lock: None,
            clock_offset_ms: 0,
            targets,
            links_down_until_ms: BTreeMap::new(),
            revoked_until_ms: 0,
            is_old_app: false,
            campaign_version: 1,
            is_campaign_closed: false,
            people: BTreeMap::new(),
            editing: BTreeSet::new(),
            leads_left: leads,
            installations: 1,
            lost: Vec::new(),
            starts: 0,
        }
    }

    /// A tab that runs, if its start is still this one.
    pub fn tab(&mut self, tab: usize, generation: u64) -> Option<&mut Tab> {
        self.tabs.get_mut(tab)?.as_mut().filter(|open| open.generation == generation)
    }
}

/// Name of an installation.
///
/// # Panics
/// Never; the text is a valid id.
#[expect(clippy::expect_used, reason = "made of letters, digits and dashes")]
pub fn installation_id(device: usize, installation: u32) -> DeviceId {
    format!("ipad-{device}-{installation}").parse().expect("a valid id")
}
