//! What was refused can be dealt with, once, and only what is a lead by now is recorded.

use domain::ReleaseOutcome::{self, Dismissed, Recorded};
use domain::Verdict::{self, Conflict, Created, Duplicate, Invalid, Waiting};
use domain::{Campaign, CampaignId, Campaigns, Digest, EmbeddedCampaigns, SHOOTOUT_2026, SUBMISSION_STREAM};
use event_store::EventLog;
use event_store::conformance::Subject;
use event_store::conformance::events::erasure;
use intake::{ReleaseError, Released, release};
use serde_json::Value;

use crate::in_every_world;
use crate::world::{Store, World, invalid, lead_id, other_bytes, version, with};

in_every_world!(
    what_is_dismissed_is_released_once_and_is_no_lead,
    what_newer_rules_allow_is_recorded_and_released_once,
    a_lead_that_was_recorded_before_the_release_was_is_released_by_the_next_try,
    what_is_still_refused_changes_nothing,
    two_at_once_release_once,
    of_an_erased_person_nothing_is_recorded_and_the_rest_can_be_dismissed,
);

/// The demo campaign, later, without a consent that everybody must give.
struct NoConsentRequired(Campaign);

impl NoConsentRequired {
    fn new() -> Self {
        let mut campaign = Campaign::parse(SHOOTOUT_2026).unwrap();
        campaign.consents.iter_mut().for_each(|consent| consent.required = false);
        Self(campaign)
    }
}

impl Campaigns for NoConsentRequired {
    fn version(&self, id: &CampaignId, version: u32) -> Option<&Campaign> {
        Some(&self.0).filter(|campaign| campaign.id == *id && campaign.version == version)
    }

    fn newest(&self, id: &CampaignId) -> Option<&Campaign> {
        Some(&self.0).filter(|campaign| campaign.id == *id)
    }
}

async fn release_by<W: World>(
    store: &Store<W>,
    campaigns: &dyn Campaigns,
    entry: &Value,
    how: ReleaseOutcome,
) -> Result<Released, ReleaseError> {
    let digest = Digest::of(&entry.to_string()).to_string();
    let at = "2026-05-24T09:00:00Z".parse().unwrap();
    release(store.subject.log(), &store.recorder, campaigns, &digest, how, Some("Ewa".to_owned()), at).await
}

async fn what_is_dismissed_is_released_once_and_is_no_lead<W: World>() {
    let store = Store::<W>::cloud().await;
    let entry = invalid(1, 1);
    let unknown = release_by(&store, &EmbeddedCampaigns, &entry, Dismissed).await;
    assert_eq!(unknown, Err(ReleaseError::NotFound));
    assert_eq!(store.verdicts(std::slice::from_ref(&entry)).await, [Invalid]);

    let released = release_by(&store, &EmbeddedCampaigns, &entry, Dismissed).await.unwrap();
    assert_eq!(released, Released { position: 2, result: None });
    let event = store.events().await.remove(1);
    assert_eq!(
        (event.aggregate_type.as_str(), event.sequence, event.event_type.as_str()),
        (SUBMISSION_STREAM, 2, "SubmissionReleased")
    );
    assert_eq!(
        event.payload,
        r#"{"kind":"released","by":"Ewa","at":"2026-05-24T09:00:00Z","outcome":"dismissed"}"#
    );
    for how in [Dismissed, Recorded] {
        let again = release_by(&store, &NoConsentRequired::new(), &entry, how).await.unwrap_err();
        assert!(
            matches!(&again, ReleaseError::AlreadyReleased(first) if first.outcome == Dismissed),
            "{again:?}"
        );
    }
    assert_eq!(store.verdicts(&[entry]).await, [Invalid], "to its sender it is what it was");
    assert_eq!(store.events().await.len(), 2);
}

async fn what_newer_rules_allow_is_recorded_and_released_once<W: World>() {
    let store = Store::<W>::cloud().await;
    let entry = invalid(1, 1);
    store.sync(std::slice::from_ref(&entry)).await;
    let released = release_by(&store, &NoConsentRequired::new(), &entry, Recorded).await.unwrap();
    let result = released.result.unwrap();
    assert_eq!((result.status, result.position, released.position), (Created, Some(2), 3));
    let lead = store.events().await.remove(1);
    assert_eq!((lead.aggregate_id, lead.sequence, lead.payload), (lead_id(1), 1, entry.to_string()));

    let again = release_by(&store, &NoConsentRequired::new(), &entry, Recorded).await.unwrap_err();
    assert!(matches!(&again, ReleaseError::AlreadyReleased(first) if first.outcome == Recorded), "{again:?}");
    assert_eq!(store.events().await.len(), 3);
}

async fn a_lead_that_was_recorded_before_the_release_was_is_released_by_the_next_try<W: World>() {
    let store = Store::<W>::cloud().await;
    let entry = invalid(1, 1);
    store.sync(std::slice::from_ref(&entry)).await;
    // What a call leaves that was killed between its two appends.
    let lead = event_store::NewEvent {
        aggregate_type: domain::LEAD_STREAM,
        aggregate_id: lead_id(1),
        sequence: 1,
        event_type: "LeadCaptured",
        event_version: domain::LeadEvent::FORM_VERSION,
        payload: entry.to_string(),
        digest: Digest::of(&entry.to_string()),
        metadata: Vec::new(),
        claim: None,
    };
    store.subject.log().append(&[lead]).await.unwrap();
    let released = release_by(&store, &NoConsentRequired::new(), &entry, Recorded).await.unwrap();
    assert_eq!((released.result.unwrap().status, released.position), (Duplicate, 3));
}

async fn what_is_still_refused_changes_nothing<W: World>() {
    let store = Store::<W>::cloud().await;
    let without_predecessor = with(invalid(3, 3), |entry| entry["operator"] = "Ola".into());
    let entries = [invalid(1, 1), version(2, 1), other_bytes(2, 1), without_predecessor];
    assert_eq!(store.verdicts(&entries).await, [Invalid, Created, Conflict, Invalid]);
    let before = store.events().await;
    let newer = NoConsentRequired::new();
    let cases: [(&dyn Campaigns, &Value, Verdict, &str); 3] = [
        (&EmbeddedCampaigns, &entries[0], Invalid, "consents.terms required"),
        (&newer, &entries[2], Conflict, "other bytes"),
        (&newer, &entries[3], Waiting, "not here yet"),
    ];
    for (campaigns, entry, verdict, says) in cases {
        let error = release_by(&store, campaigns, entry, Recorded).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(
            matches!(&error, ReleaseError::StillRefused(result) if result.status == verdict),
            "{error:?}"
        );
    }
    assert_eq!(store.events().await, before);
}

async fn two_at_once_release_once<W: World>() {
    let store = Store::<W>::cloud().await;
    let entry = invalid(1, 1);
    store.sync(std::slice::from_ref(&entry)).await;
    let newer = NoConsentRequired::new();
    let answers = (0..8).map(|_| release_by(&store, &newer, &entry, Recorded));
    let answers = futures_util::future::join_all(answers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(refused, ReleaseError::AlreadyReleased(_)), "{refused:?}");
    }
    assert_eq!(store.events().await.len(), 3);
}

async fn of_an_erased_person_nothing_is_recorded_and_the_rest_can_be_dismissed<W: World>() {
    let store = Store::<W>::cloud().await;
    let entry = invalid(1, 1);
    store.sync(std::slice::from_ref(&entry)).await;
    store.subject.log().erase(lead_id(1).parse().unwrap(), &erasure()).await.unwrap();
    let recorded = release_by(&store, &NoConsentRequired::new(), &entry, Recorded).await;
    assert_eq!(recorded, Err(ReleaseError::Erased));
    assert_eq!(store.events().await.len(), 2);
    assert_eq!(release_by(&store, &EmbeddedCampaigns, &entry, Dismissed).await.unwrap().position, 3);
}
