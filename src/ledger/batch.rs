//! What a run of events changes in the tables, worked out before anything is written. Pure.
//!
//! One row for each event and transfer; accounts, grants and holds once each, however many events touched them.

use std::collections::{BTreeMap, btree_map::Entry as Slot};

use super::{error::DataError, grant_names::GrantName};
use crate::domain::{
    account::{AccountTerms, Micros},
    event::{AccountImage, Event, Fact, HoldFact},
    grant::GrantTerms,
    posting::{self, GrantTotals, Totals, Transfer},
    subscription::SubscriptionStep,
};

/// A grant: its account and its number.
pub(super) type GrantKey<'a> = (&'a str, u32);

/// All that some events change.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub events: Vec<(&'a Event, Vec<Transfer>)>,
    pub accounts: BTreeMap<&'a str, AccountChange<'a>>,
    pub new_grants: BTreeMap<GrantKey<'a>, NewGrant<'a>>,
    pub grants: BTreeMap<GrantKey<'a>, GrantChange>,
    /// Accounts that closed, and when: their grants end.
    pub closed: Vec<(&'a str, Micros)>,
    /// By account and the sequence that made the hold: the last one wins.
    pub holds: BTreeMap<(&'a str, u64), HoldChange<'a>>,
    /// By account and id: the last step wins.
    pub subscriptions: BTreeMap<(&'a str, &'a str), &'a SubscriptionStep>,
    /// By account and name: where a level stands, and since which event.
    pub levels: BTreeMap<(&'a str, &'a str), (i64, u64)>,
    /// All steps: account, sequence.
    pub steps: Vec<(&'a str, u64, &'a SubscriptionStep)>,
}

/// What becomes of an account.
pub(super) struct AccountChange<'a> {
    /// Its first event here: 1 makes the account, else it must follow the last posted one.
    pub first: u64,
    pub last: u64,
    pub created_at: Micros,
    /// The newest, if an event changed them.
    pub terms: Option<&'a AccountTerms>,
    pub totals: Totals,
    pub image: Option<&'a AccountImage>,
}

/// A grant that was made here.
pub(super) struct NewGrant<'a> {
    pub terms: &'a GrantTerms,
    pub source_no: u32,
    pub created_at: Micros,
    pub change: GrantChange,
}

/// What becomes of a grant.
#[derive(Clone, Copy, Default)]
pub(super) struct GrantChange {
    pub totals: GrantTotals,
    pub status: Option<GrantStatus>,
    pub ended_at: Option<Micros>,
    pub revoked_at: Option<Micros>,
}

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantStatus {
    /// Before its start.
    Pending,
    /// Started and not ended, also when all of it is spent.
    Active,
    /// Its expiry has passed.
    Expired,
    /// Taken back.
    Revoked,
    /// Ended by the closing of its account.
    Closed,
}

impl GrantStatus {
    /// All, in the order of the wire.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Active,
        Self::Expired,
        Self::Revoked,
        Self::Closed,
    ];

    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
        }
    }

    /// By the name that the ledger writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A hold after its last event here.
pub(super) struct HoldChange<'a> {
    pub fact: &'a HoldFact,
    pub last_sequence: u64,
}

impl<'a> Batch<'a> {
    /// What these events change, in order.
    pub fn of(events: &[&'a Event]) -> Result<Self, DataError> {
        let mut batch = Self::default();
        for event in events {
            batch.add(event)?;
        }
        Ok(batch)
    }

    /// Takes the images of the accounts that changed; the newest of each.
    pub fn with_images(mut self, images: impl Iterator<Item = &'a AccountImage>) -> Self {
        for image in images {
            if let Some(account) = self.accounts.get_mut(image.account.as_str()) {
                account.image = Some(image);
            }
        }
        self
    }

    /// What the grants that are made here are called.
    pub fn new_names(&self) -> impl Iterator<Item = (GrantKey<'a>, GrantName)> + '_ {
        self.new_grants.iter().map(|(key, grant)| {
            let name = GrantName {
                grant_id: grant.terms.grant_id.as_str().into(),
                kind: grant.terms.kind,
            };
            (*key, name)
        })
    }

    fn add(&mut self, event: &'a Event) -> Result<(), DataError> {
        let transfers = posting::post(event);
        self.add_to_account(event, &transfers)?;
        self.add_fact(event)?;
        for (no, totals) in posting::grant_totals(&transfers) {
            add_totals(&mut self.grant(event, no).totals, totals);
        }
        self.events.push((event, transfers));
        Ok(())
    }

    fn add_to_account(
        &mut self,
        event: &'a Event,
        transfers: &[Transfer],
    ) -> Result<(), DataError> {
        let creates = matches!(event.fact, Fact::AccountCreated(_));
        if creates != (event.sequence == 1) {
            return Err(DataError(format!(
                "{} is event {} of its account",
                event.fact.name(),
                event.sequence
            )));
        }
        let change = match self.accounts.entry(&event.account) {
            Slot::Vacant(slot) => slot.insert(AccountChange {
                first: event.sequence,
                last: event.sequence,
                created_at: event.occurred_at,
                terms: None,
                totals: Totals::default(),
                image: None,
            }),
            Slot::Occupied(slot) => {
                let change = slot.into_mut();
                if event.sequence != change.last + 1 {
                    return Err(DataError(format!(
                        "event {} came after event {}",
                        event.sequence, change.last
                    )));
                }
                change.last = event.sequence;
                change
            }
        };
        for transfer in transfers {
            change.totals.add(transfer);
        }
        if let Some(terms) = terms_of(&event.fact) {
            change.terms = Some(terms);
        }
        Ok(())
    }

    fn add_fact(&mut self, event: &'a Event) -> Result<(), DataError> {
        let at = event.occurred_at;
        match &event.fact {
            Fact::AccountCreated(_)
            | Fact::AccountUpdated(_)
            | Fact::AccountFrozen(_)
            | Fact::AccountUnfrozen(_) => {}
            Fact::AccountClosed(_) => self.closed.push((&event.account, at)),
            Fact::Grant(terms) => self.make_grant(event, terms, 0)?,
            Fact::LevelChanged {
                capacity, level, ..
            } => {
                let key = (event.account.as_str(), capacity.as_str());
                self.levels.insert(key, (*level, event.sequence));
            }
            Fact::Subscription(step) => {
                let key = (event.account.as_str(), step.subscription_id.as_str());
                self.subscriptions.insert(key, step);
                self.steps.push((&event.account, event.sequence, step));
            }
            Fact::GrantStarted { no, .. } => {
                self.grant(event, *no).status = Some(GrantStatus::Active)
            }
            Fact::GrantExpired { no, rollover, .. } => {
                self.end_grant(event, *no, GrantStatus::Expired);
                if let Some(terms) = rollover {
                    self.make_grant(event, terms, *no)?;
                }
            }
            Fact::Revoke { no, .. } => {
                self.end_grant(event, *no, GrantStatus::Revoked);
                self.grant(event, *no).revoked_at = Some(at);
            }
            Fact::Reserve(hold)
            | Fact::Extend(hold)
            | Fact::Commit(hold)
            | Fact::Release(hold)
            | Fact::HoldExpired(hold)
            | Fact::Charge(hold) => self.add_hold(event, hold),
            Fact::Refund { hold, grant } => {
                self.add_hold(event, hold);
                if let Some(terms) = grant {
                    self.make_grant(event, terms, 0)?;
                }
            }
        }
        Ok(())
    }

    fn make_grant(
        &mut self,
        event: &'a Event,
        terms: &'a GrantTerms,
        source_no: u32,
    ) -> Result<(), DataError> {
        let status = if terms.started {
            GrantStatus::Active
        } else {
            GrantStatus::Pending
        };
        let change = GrantChange {
            status: Some(status),
            ..GrantChange::default()
        };
        let grant = NewGrant {
            terms,
            source_no,
            created_at: event.occurred_at,
            change,
        };
        match self.new_grants.insert((&event.account, terms.no), grant) {
            None => Ok(()),
            Some(_) => Err(DataError(format!(
                "grant number {} is made a second time",
                terms.no
            ))),
        }
    }

    fn end_grant(&mut self, event: &'a Event, no: u32, status: GrantStatus) {
        let grant = self.grant(event, no);
        grant.status = Some(status);
        // A grant that is revoked after its end has ended before.
        grant.ended_at.get_or_insert(event.occurred_at);
    }

    fn add_hold(&mut self, event: &'a Event, fact: &'a HoldFact) {
        let change = HoldChange {
            fact,
            last_sequence: event.sequence,
        };
        self.holds
            .insert((&event.account, fact.hold.sequence), change);
    }

    fn grant(&mut self, event: &'a Event, no: u32) -> &mut GrantChange {
        let key = (event.account.as_str(), no);
        match self.new_grants.get_mut(&key) {
            Some(new) => &mut new.change,
            None => self.grants.entry(key).or_default(),
        }
    }
}

fn terms_of(fact: &Fact) -> Option<&AccountTerms> {
    match fact {
        Fact::AccountCreated(terms)
        | Fact::AccountUpdated(terms)
        | Fact::AccountFrozen(terms)
        | Fact::AccountUnfrozen(terms)
        | Fact::AccountClosed(terms) => Some(terms),
        _ => None,
    }
}

fn add_totals(totals: &mut GrantTotals, more: GrantTotals) {
    totals.free += more.free;
    totals.held += more.held;
    totals.spent += more.spent;
    totals.breakage += more.breakage;
}
