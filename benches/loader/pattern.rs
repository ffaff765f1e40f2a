//! What the service wrote of an account, and copies of it under other ids.

use std::collections::HashMap;

use holdbook::{
    domain::event::{AccountImage, Entry, Event, Position},
    holds::Holds,
};
use tonic::transport::Channel;

use super::{Outcome, Story};

/// Entries that the stories of all patterns fit in, of a partition.
const ENTRIES_MAX: usize = 1000;

/// One account as the stream has it.
#[derive(Default)]
pub(super) struct Pattern {
    events: Vec<Event>,
    image: Option<AccountImage>,
    spent: Option<Vec<u8>>,
}

/// All stories, each lived by one account.
pub struct Patterns(HashMap<Story, Pattern>);

impl Patterns {
    /// Lives every story in a service, and reads what it wrote.
    ///
    /// # Errors
    /// The service refused something, or Redis does not have all of it.
    pub async fn record(channel: &Channel, holds: &Holds) -> Outcome<Self> {
        let mut patterns = HashMap::new();
        for story in Story::ALL {
            let account = format!("pattern-{story:?}").to_lowercase();
            story.live(channel, &account).await?;
            let pattern = read(holds, &account).await?;
            patterns.insert(story, pattern);
        }
        Ok(Self(patterns))
    }

    pub(super) fn of(&self, story: Story) -> &Pattern {
        // `record` goes through `Story::ALL`.
        &self.0[&story]
    }
}

/// All that the stream has of one account.
async fn read(holds: &Holds, account: &str) -> Outcome<Pattern> {
    let partition = holds.partition_of(account);
    let head = holds.head(partition).await?;
    let entries = holds
        .read_log(partition, head.epoch, 0, ENTRIES_MAX)
        .await?;
    let mut pattern = Pattern::default();
    for entry in entries {
        let ours = entry
            .events
            .into_iter()
            .filter(|event| event.account == account);
        pattern.events.extend(ours);
        let mut images = entry.images.into_iter();
        pattern.image = images
            .find(|image| image.account == account)
            .or(pattern.image);
        let mut spent = entry.spent.into_iter();
        pattern.spent = spent
            .find(|(of, _)| of == account)
            .map(|(_, spent)| spent)
            .or(pattern.spent);
    }
    let last = pattern.events.last().map(|event| event.sequence);
    let dense = (1..)
        .zip(&pattern.events)
        .all(|(sequence, event)| event.sequence == sequence && names(&event.raw, account));
    let image = pattern.image.as_ref().map(|image| image.sequence);
    if last.is_none() || image != last || !dense {
        return Err(format!("the stream does not have all of {account}").into());
    }
    Ok(pattern)
}

/// An event's packed form begins with its verb and its account's id, NUL-ended.
fn names(raw: &[u8], account: &str) -> bool {
    raw.get(1..)
        .and_then(|rest| rest.strip_prefix(account.as_bytes()))
        .is_some_and(|rest| rest.first() == Some(&0))
}

impl Pattern {
    /// Appends the same of another account.
    pub fn copy(&self, account: &str, next: &mut impl FnMut() -> Position, entry: &mut Entry) {
        for event in &self.events {
            let rest = &event.raw[1 + event.account.len()..];
            entry.events.push(Event {
                position: next(),
                account: account.to_owned(),
                sequence: event.sequence,
                occurred_at: event.occurred_at,
                actor: event.actor.clone(),
                traceparent: event.traceparent.clone(),
                fact: event.fact.clone(),
                moves: event.moves.clone(),
                raw: [&event.raw[..1], account.as_bytes(), rest].concat(),
            });
        }
        entry
            .images
            .extend(self.image.iter().map(|image| AccountImage {
                account: account.to_owned(),
                ..image.clone()
            }));
        entry.spent.extend(
            self.spent
                .iter()
                .map(|spent| (account.to_owned(), spent.clone())),
        );
    }
}
