//! Deliberately broken variants. If a run with one of them finds nothing, the simulator proves nothing.
//!
//! They are made around the real parts, never inside: a wrapper changes a response, a record or a page on its
//! way. So the product holds no code for them, and one build serves all.

use std::fmt;

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident => $text:literal),* $(,)?) => {
        /// A broken variant of the system.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant { $($(#[$doc])* $name),* }

        impl Mutant {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

mutants! {
    /// A device deletes a lead when a hub has given its receipt.
    ForgetOnHubReceipt => "forget-on-hub-receipt",
    /// A device takes a hub's receipt for the cloud's.
    HubReceiptIsFinal => "hub-receipt-is-final",
    /// A store says that its history is whole without looking.
    NoLineageCheck => "no-lineage-check",
    /// A store looks at the position of a receipt only, not at its append.
    LineageByPositionAlone => "lineage-by-position-alone",
    /// An entry leaves the outbox when it is sent.
    DequeueBeforeVerdict => "dequeue-before-verdict",
    /// That an entry is under way is kept on disk, and a crash leaves it so.
    SyncingSurvivesCrash => "syncing-survives-crash",
    /// A store answers before it commits.
    AckBeforeCommit => "ack-before-commit",
    /// Positions are taken outside the lock, so that a reader sees a later one before an earlier one.
    PositionOutsideLock => "position-outside-lock",
    /// Receipts name the lead that an entry counts as, and not the entry.
    CustodyByServerId => "custody-by-server-id",
    /// A hub's watermark passes entries that the cloud refused, and says nothing about them.
    WatermarkHidesRefusals => "watermark-hides-refusals",
    /// Restored storage goes on as the installation that made the backup.
    SeqUsedTwiceAfterRestore => "seq-used-twice-after-restore",
}

impl Mutant {
    /// The invariants that it breaks; another one would be a find of its own.
    pub const fn breaks(self) -> &'static [u8] {
        match self {
            Self::ForgetOnHubReceipt | Self::DequeueBeforeVerdict => &[1, 2],
            Self::HubReceiptIsFinal | Self::WatermarkHidesRefusals => &[2, 4],
            Self::NoLineageCheck | Self::LineageByPositionAlone => &[5],
            Self::SyncingSurvivesCrash => &[2],
            Self::AckBeforeCommit | Self::CustodyByServerId => &[3],
            Self::PositionOutsideLock => &[2, 4],
            Self::SeqUsedTwiceAfterRestore => &[2, 6, 9],
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Mutant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join(", ");
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| mutant.name() == text)
            .ok_or_else(|| format!("there is no mutant {text}; there are: {}", names()))
    }
}
