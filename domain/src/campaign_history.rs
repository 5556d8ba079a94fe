//! The aggregate of one campaign: its published documents, version 1, 2, 3.
//!
//! The stream `campaign/<campaignId>` holds one `CampaignPublished` per version, and the sequence of the event is
//! the version. A version is never changed: a lead names the one that it was captured under, and is judged by it
//! for ever (CAP-5).
//!
//! # Campaigns that ship with the program
//!
//! They are known without any event, so that a form works before anybody has published anything. The first
//! publication on top of one takes the shipped versions into the log before it, as they are: from then on the log
//! tells the whole story by itself, and a later program may ship other words under the same version without
//! changing what people agreed to here. Where both have a version, the log's counts.
//!
//! # Consents are proof
//!
//! A lead keeps the consent's id, the version of its wording and the language, not the words. So one wording
//! version names one wording for ever: other words need a higher number.

use serde::{Deserialize, Serialize};

use crate::{Campaign, CampaignConsent, CampaignMistake, Campaigns, Timestamp};

/// The published documents of one campaign, from version 1, without gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignHistory {
    versions: Vec<Campaign>,
}

/// What can be done with a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignCommand {
    /// Give devices this document from here on.
    Publish {
        /// The document, with the version after the newest.
        document: Campaign,
        /// Who does it.
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// What happened to a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum CampaignEvent {
    /// A version was published. Its sequence is the document's version.
    Published {
        /// The document.
        document: Campaign,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// Why nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CampaignError {
    /// The same words are published already.
    #[error("version {version} is published already and says the same; there is nothing to do")]
    Unchanged {
        /// That version.
        version: u32,
    },
    /// The document has mistakes, by itself or beside what was published before.
    #[error("the campaign document has {} mistake(s):{}", .0.len(), lines(.0))]
    Mistakes(Vec<CampaignMistake>),
}

fn lines(mistakes: &[CampaignMistake]) -> String {
    mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect()
}

impl CampaignEvent {
    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Name of the event that publishes a version.
    pub const PUBLISHED: &'static str = "CampaignPublished";

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Published { .. } => Self::PUBLISHED,
        }
    }
}

impl CampaignHistory {
    /// Decides what happens: one event, with the shipped versions that the log lacks before it. Pure.
    ///
    /// # Errors
    /// [`CampaignError`] when nothing is to be published.
    pub fn decide(
        &self,
        command: CampaignCommand,
        shipped: &dyn Campaigns,
    ) -> Result<Vec<CampaignEvent>, CampaignError> {
        let CampaignCommand::Publish { document, by, at } = command;
        let mut known: Vec<&Campaign> = self.versions.iter().collect();
        while let Some(next) = shipped.version(&document.id, next_version(&known)) {
            known.push(next);
        }
        let newest = known.last().copied();
        let same = known.iter().copied().find(|published| **published == document);
        let same = same.or_else(|| newest.filter(|newest| is_same_but_for_version(newest, &document)));
        if let Some(Campaign { version, .. }) = same {
            return Err(CampaignError::Unchanged { version: *version });
        }
        let mut mistakes = document.mistakes();
        mistakes.extend(version_mistake(&document, &known));
        mistakes.extend(wording_mistakes(&document, &known));
        if !mistakes.is_empty() {
            return Err(CampaignError::Mistakes(mistakes));
        }
        let shipped = known[self.versions.len()..].iter().map(|document| CampaignEvent::Published {
            document: (*document).clone(),
            by: None,
            at,
        });
        let mut events: Vec<CampaignEvent> = shipped.collect();
        events.push(CampaignEvent::Published { document, by, at });
        Ok(events)
    }

    /// Applies an event of this stream.
    pub fn evolve(&mut self, event: CampaignEvent) {
        let CampaignEvent::Published { document, .. } = event;
        self.versions.push(document);
    }
}

fn next_version(known: &[&Campaign]) -> u32 {
    known.last().map_or(1, |newest| newest.version.saturating_add(1))
}

fn is_same_but_for_version(newest: &Campaign, document: &Campaign) -> bool {
    *newest == Campaign { version: newest.version, ..document.clone() }
}

fn version_mistake(document: &Campaign, known: &[&Campaign]) -> Option<CampaignMistake> {
    let next = next_version(known);
    let why = match known.last() {
        _ if document.version == next => return None,
        None => "nothing of this campaign is published yet".to_owned(),
        Some(newest) => format!("version {} is published, and is never changed", newest.version),
    };
    Some(CampaignMistake::new("version", format!("is {}; make it {next}: {why}", document.version)))
}

/// What was published under a wording version stays what that version says.
fn wording_mistakes(document: &Campaign, known: &[&Campaign]) -> Vec<CampaignMistake> {
    let mut mistakes = Vec::new();
    for (index, consent) in document.consents.iter().enumerate() {
        let published: Vec<(u32, &CampaignConsent)> = known
            .iter()
            .filter_map(|version| Some((version.version, version.consent(&consent.id)?)))
            .collect();
        let Some(highest) = published.iter().map(|(_, before)| before.text_version).max() else { continue };
        let at = format!("consents[{index}].textVersion");
        let same_version = published.iter().filter(|(_, before)| before.text_version == consent.text_version);
        let other_words = same_version.clone().find(|(_, before)| !is_same_wording(before, consent));
        if let Some((version, _)) = other_words {
            let what = format!(
                "is {}, but version {version} of the campaign has other words under that number; make it {}, so that a consent proves the words that were read",
                consent.text_version,
                highest.saturating_add(1)
            );
            mistakes.push(CampaignMistake::new(at, what));
        } else if consent.text_version < highest && same_version.count() == 0 {
            let what = format!(
                "is {}, but there was {highest} already; make it {}",
                consent.text_version,
                highest.saturating_add(1)
            );
            mistakes.push(CampaignMistake::new(at, what));
        }
    }
    mistakes
}

/// Whether both say the same in every language that both have. A translation may be added.
fn is_same_wording(before: &CampaignConsent, now: &CampaignConsent) -> bool {
    before.text.keys().filter(|language| now.text.contains_key(*language)).all(|language| {
        before.text.get(language) == now.text.get(language)
            && before.detail.get(language) == now.detail.get(language)
    })
}

mod aggregate {
    use std::sync::Arc;

    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{CampaignCommand, CampaignError, CampaignEvent, CampaignHistory};
    use crate::{CAMPAIGN_STREAM, Campaigns};

    impl DomainEvent for CampaignEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for CampaignHistory {
        const TYPE: &'static str = CAMPAIGN_STREAM;
        type Command = CampaignCommand;
        type Event = CampaignEvent;
        type Error = CampaignError;
        /// The campaigns that ship with the program.
        type Services = Arc<dyn Campaigns + Send + Sync>;

        async fn handle(
            &mut self,
            command: CampaignCommand,
            shipped: &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), CampaignError> {
            for event in self.decide(command, shipped.as_ref())? {
                sink.write(event, self).await;
            }
            Ok(())
        }

        fn apply(&mut self, event: CampaignEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{EmbeddedCampaigns, SHOOTOUT_2026};

    fn at() -> Timestamp {
        "2026-05-20T09:00:00+02:00".parse().unwrap()
    }

    /// A campaign that ships with no program.
    fn own(version: u32) -> Campaign {
        Campaign { id: "rzeszow-2027".parse().unwrap(), version, ..Campaign::parse(SHOOTOUT_2026).unwrap() }
    }

    fn own_with(version: u32, change: impl FnOnce(&mut Campaign)) -> Campaign {
        let mut document = own(version);
        change(&mut document);
        document
    }

    fn publish(document: Campaign) -> CampaignCommand {
        CampaignCommand::Publish { document, by: Some("Ewa".to_owned()), at: at() }
    }

    fn published(document: Campaign) -> CampaignEvent {
        CampaignEvent::Published { document, by: Some("Ewa".to_owned()), at: at() }
    }

    fn campaign() -> TestFramework<CampaignHistory> {
        TestFramework::with(Arc::new(EmbeddedCampaigns) as Arc<dyn Campaigns + Send + Sync>)
    }

    fn mistakes(known: &[Campaign], document: Campaign) -> Vec<String> {
        let mut history = CampaignHistory::default();
        known.iter().cloned().for_each(|version| history.evolve(published(version)));
        match history.decide(publish(document), &EmbeddedCampaigns) {
            Err(CampaignError::Mistakes(mistakes)) => {
                mistakes.into_iter().map(|mistake| mistake.at).collect()
            }
            Err(CampaignError::Unchanged { version }) => vec![format!("unchanged {version}")],
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn given_nothing_when_published_then_it_is_version_1() {
        campaign()
            .given_no_previous_events()
            .when(publish(own(1)))
            .then_expect_events(vec![published(own(1))]);
        assert_eq!(mistakes(&[], own(2)), ["version"]);
    }

    #[test]
    fn given_a_version_when_another_document_is_published_then_it_is_the_next_one() {
        let second = own_with(2, |it| it.time_zone = "Europe/London".into());
        campaign()
            .given(vec![published(own(1))])
            .when(publish(second.clone()))
            .then_expect_events(vec![published(second.clone())]);
        for version in [1, 3] {
            let other = Campaign { version, ..second.clone() };
            assert_eq!(mistakes(&[own(1)], other), ["version"], "{version}");
        }
    }

    #[test]
    fn the_same_document_is_no_new_version() {
        campaign()
            .given(vec![published(own(1))])
            .when(publish(own(1)))
            .then_expect_error(CampaignError::Unchanged { version: 1 });
        campaign()
            .given(vec![published(own(1))])
            .when(publish(own(2)))
            .then_expect_error(CampaignError::Unchanged { version: 1 });
        let shipped = Campaign::parse(SHOOTOUT_2026).unwrap();
        campaign()
            .given_no_previous_events()
            .when(publish(shipped))
            .then_expect_error(CampaignError::Unchanged { version: 1 });
    }

    #[test]
    fn given_a_shipped_campaign_when_published_then_the_shipped_version_goes_into_the_log_before() {
        let shipped = Campaign::parse(SHOOTOUT_2026).unwrap();
        let second = Campaign { version: 2, time_zone: "Europe/London".into(), ..shipped.clone() };
        campaign().given_no_previous_events().when(publish(second.clone())).then_expect_events(vec![
            CampaignEvent::Published { document: shipped.clone(), by: None, at: at() },
            published(second),
        ]);
        let other_words = Campaign { time_zone: "Europe/London".into(), ..shipped };
        assert_eq!(mistakes(&[], other_words), ["version"]);
    }

    #[test]
    fn given_other_words_than_shipped_in_the_log_then_the_log_counts() {
        let in_log =
            Campaign { time_zone: "Europe/London".into(), ..Campaign::parse(SHOOTOUT_2026).unwrap() };
        let second = Campaign { version: 2, time_zone: "Europe/Paris".into(), ..in_log.clone() };
        campaign()
            .given(vec![published(in_log)])
            .when(publish(second.clone()))
            .then_expect_events(vec![published(second)]);
    }

    #[test]
    fn other_words_need_a_higher_text_version() {
        let reworded = |version, text_version| {
            own_with(version, |it| {
                it.consents[1].text.insert("pl".into(), "Tak, piszcie do mnie.".into());
                it.consents[1].text_version = text_version;
            })
        };
        let at = ["consents[1].textVersion"];
        assert_eq!(mistakes(&[own(1)], reworded(2, 1)), at);
        assert!(mistakes(&[own(1)], reworded(2, 2)).is_empty());
        // The words of version 1 come back under their own number, never under another's.
        let back = |text_version| own_with(3, |it| it.consents[1].text_version = text_version);
        assert!(mistakes(&[own(1), reworded(2, 2)], back(1)).is_empty());
        assert_eq!(mistakes(&[own(1), reworded(2, 2)], back(2)), at);
        // A consent that was gone for a while does not start again.
        let without = own_with(2, |it| drop(it.consents.remove(1)));
        assert_eq!(mistakes(&[own(1), without.clone()], reworded(3, 1)), at);
        assert_eq!(
            mistakes(&[own_with(1, |it| it.consents[1].text_version = 5), without], reworded(3, 4)),
            at
        );
    }

    #[test]
    fn a_translation_is_added_without_a_new_text_version() {
        let document = own_with(2, |it| {
            it.languages.push("uk".into());
            let texts = it.consents.iter_mut().flat_map(|consent| [&mut consent.text, &mut consent.detail]);
            texts.chain([&mut it.name]).for_each(|texts| drop(texts.insert("uk".into(), "Так".into())));
        });
        assert!(mistakes(&[own(1)], document).is_empty());
    }

    #[test]
    fn every_mistake_is_named_by_itself_and_beside_what_was_published() {
        let rubbish = own_with(7, |it| {
            it.time_zone = "Mars/Base".into();
            it.phone_plan.calling_code = "0".into();
            it.consents[0].text.insert("en".into(), "Other words.".into());
        });
        assert_eq!(
            mistakes(&[own(1)], rubbish),
            ["timeZone", "phonePlan.callingCode", "version", "consents[0].textVersion"]
        );
    }

    #[test]
    fn the_event_holds_the_document_as_devices_read_it() {
        let json = serde_json::to_value(published(own(1))).unwrap();
        assert_eq!(
            (&json["kind"], &json["document"]["timeZone"]),
            (&"published".into(), &"Europe/Warsaw".into())
        );
        assert_eq!(serde_json::from_value::<CampaignEvent>(json).unwrap(), published(own(1)));
    }
}
