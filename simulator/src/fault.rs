//! Everything that can go wrong, and how often it did.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $text:literal),* $(,)?) => {
        /// A kind of fault. Each arena draws its own rate for each (swarm testing), and many draw none.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[$doc])* $name),* }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name on the command line and in tables.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

faults! {
    /// A request never arrives.
    RequestLost => "request-lost",
    /// It arrives and is obeyed; the answer never does.
    AnswerLost => "answer-lost",
    /// It arrives twice.
    Duplicated => "duplicated",
    /// It is overtaken by later ones.
    Reordered => "reordered",
    /// It arrives hours later, when nobody waits for it any more.
    DelayedForHours => "delayed-for-hours",
    /// The answer breaks off.
    Truncated => "truncated",
    /// A portal answers 200 with its page, also to the probes.
    CaptivePortal => "captive-portal",
    /// The token has expired: 401.
    TokenExpired => "token-expired-401",
    /// Too large for something on the way: 413.
    TooLarge => "too-large-413",
    /// 429, with or without `Retry-After`.
    TooMany => "too-many-429",
    /// 500, before or after the entries were recorded.
    ServerError => "server-error-500",
    /// 503, with or without `Retry-After`.
    Unavailable => "unavailable-503",
    /// A device reaches an address no more, for a while.
    LinkDown => "link-down",
    /// A hub does not reach the cloud, for a while.
    UplinkDown => "uplink-down",
    /// The browser says that there is no network, though there is, or the other way round.
    WrongOnlineEvent => "wrong-online-event",
    /// A device dies between two wishes of the engine; what was not flushed is gone.
    DeviceCrash => "device-crash",
    /// A person reloads the page.
    PageReloaded => "page-reloaded",
    /// `IndexedDB` aborts a transaction.
    DiskAbort => "disk-abort",
    /// The quota is used up, for a while.
    DiskQuota => "disk-quota",
    /// The browser closes the connection to the database.
    DiskClosed => "disk-closed",
    /// The browser's storage is wiped: a new installation, which restores the last backup.
    StorageWiped => "storage-wiped",
    /// The app is open in two tabs.
    SecondTab => "second-tab",
    /// A tab freezes, for a while.
    TabFrozen => "tab-frozen",
    /// An old version of the app opens the records that a newer one wrote.
    OldApp => "old-app",
    /// A device's clock jumps by up to days.
    ClockJump => "clock-jump",
    /// A new version of the campaign while entries of the old one wait.
    CampaignChanged => "campaign-changed",
    /// The campaign is closed: devices delete what is in cloud custody.
    CampaignClosed => "campaign-closed",
    /// The office erases a person.
    PersonErased => "person-erased",
    /// An entry breaks a rule (an app with a bug).
    InvalidEntry => "invalid-entry",
    /// An entry of a kind that no store understands yet.
    FutureEntry => "future-entry",
    /// A hub stops and starts again.
    HubRestarted => "hub-restarted",
    /// A hub dies, and an empty one takes its place.
    HubReplaced => "hub-replaced",
    /// A hub is restored from an old copy.
    HubRestored => "hub-restored",
    /// A copy of a hub runs beside it, under the same identity.
    HubCloned => "hub-cloned",
    /// The cloud stops and starts again.
    CloudRestarted => "cloud-restarted",
    /// The cloud is restored to an earlier point.
    CloudRestored => "cloud-restored",
    /// A store's disk is full, for a while.
    StoreFull => "store-full",
    /// A store can be read only, for a while.
    StoreReadOnly => "store-read-only",
    /// A device is shut out, for a while: what it hands in goes to quarantine.
    DeviceRevoked => "device-revoked",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| format!("there is no fault {text}; the table of a run names them all"))
    }
}

/// How often each fault really happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally([u64; Fault::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Tally {
    /// It happened.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often it happened.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}
