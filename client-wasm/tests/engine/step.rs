//! The steps of which random histories are made.

use leadlog_client::engine::Failure;
use proptest::prelude::*;

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A new lead; `all`, `hub` or `cloud` will refuse it, or nobody.
    Save(&'static str),
    /// The next version of a lead.
    Correct(usize, &'static str),
    /// Time passes, in milliseconds, and the timer rings as it should.
    Wait(u64),
    /// A timer that rings although nobody asked for it.
    Tick,
    Visible,
    Online,
    Offline,
    Manual,
    /// The store records and answers.
    Answered,
    /// The store records, and its answer is lost.
    AnswerLost,
    /// The store records; its answer comes when the flight's lease is over.
    AnswerLate,
    /// The answer knows nothing about the entries, or has a word that nobody knows.
    AnswerWithoutResults,
    Verdict(&'static str),
    Failed(Failure),
    Http(u16, Option<&'static str>),
    Portal,
    /// The device dies and starts again.
    Crash,
    /// A new iPad gets the entries from a file.
    NewDevice,
    /// Marks cannot be written from now on, or can again.
    Disk {
        is_full: bool,
    },
    /// A store restores a backup that is this many events old.
    Loses {
        is_cloud: bool,
        events: usize,
    },
    /// The hub sends so many events to the cloud.
    Relay(usize),
    /// The other hub stands in its place.
    OtherHub,
    /// The second address leads to the hub, or to the cloud.
    Misled(bool),
    /// An address leads nowhere, or somewhere again.
    Reach(usize, bool),
    /// The office erases a person.
    Erase(usize),
    /// The campaign is over.
    CloseCampaign,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    let bad_at = || prop::sample::select(vec!["", "", "", "", "all", "cloud", "hub"]);
    prop_oneof![
        6 => bad_at().prop_map(Save),
        3 => (0..20_usize, bad_at()).prop_map(|(lead, bad_at)| Correct(lead, bad_at)),
        4 => (0..200_000_u64).prop_map(Wait),
        1 => Just(Tick),
        1 => Just(Visible),
        1 => Just(Online),
        1 => Just(Offline),
        1 => Just(Manual),
        12 => Just(Answered),
        2 => Just(AnswerLost),
        1 => Just(AnswerLate),
        1 => Just(AnswerWithoutResults),
        2 => prop::sample::select(vec!["waiting", "unsupported", "duplicate_email", "new-word"]).prop_map(Verdict),
        2 => prop::sample::select(vec![Failure::Network, Failure::Timeout, Failure::OtherTab]).prop_map(Failed),
        3 => (
            prop::sample::select(vec![400, 401, 404, 408, 413, 429, 500, 502, 503]),
            prop::sample::select(vec![None, Some("5"), Some("999999"), Some("soon")]),
        ).prop_map(|(code, wait)| Http(code, wait)),
        1 => Just(Portal),
        2 => Just(Crash),
        1 => Just(NewDevice),
        1 => any::<bool>().prop_map(|is_full| Disk { is_full }),
        2 => (any::<bool>(), 0..8_usize).prop_map(|(is_cloud, events)| Loses { is_cloud, events }),
        4 => (1..10_usize).prop_map(Relay),
        1 => Just(OtherHub),
        1 => any::<bool>().prop_map(Misled),
        3 => (0..2_usize, any::<bool>()).prop_map(|(target, is_up)| Reach(target, is_up)),
        1 => (0..20_usize).prop_map(Erase),
    ]
}
