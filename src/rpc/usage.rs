//! A usage in place of an amount: checked, priced, and priced again where the account's clock, or the hold's version of the catalog,
//! turns out to be another one than was looked at.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use sha2::{Digest, Sha256};
use tonic::Status;

use super::{
    core::{Core, Done},
    fields::Fields,
    need::Need,
    status,
};
use crate::{
    catalogs::{CatalogsError, Version},
    domain::{account::Micros, credits::Credits, hold},
    holds::{
        HoldsError,
        operation::{Caller, InForce, NEVER_IN_FORCE, Verb},
        packed::NEVER,
    },
    pricing::{amount::Quantity, quote::Item},
    proto::{self, ErrorReason, commit_request::What},
};

/// Where a usage of a hold has its items.
const ITEMS: &str = "usage.items";
/// Most items of a usage.
const ITEMS_MAX: usize = 100;
/// Most bytes of the name of a meter or an attribute.
pub const NAME_MAX: usize = 64;
/// Most bytes of an attribute's value.
const VALUE_MAX: usize = 128;
/// Most attributes of an item.
const ATTRIBUTES_MAX: usize = 16;

/// The checked form of a usage, also of one with quantities that are none, so that all else in it is looked at, too; `None`: it is
/// too large to be looked at.
pub fn items(fields: &mut Fields, list: &str, sent: &[proto::UsageItem]) -> Option<Vec<Item>> {
    let before = fields.count();
    if sent.len() > ITEMS_MAX {
        fields.violation(list, "must be at most 100 items");
    }
    for (at, item) in sent.iter().take(ITEMS_MAX).enumerate() {
        fields.text(&format!("{list}[{at}].meter"), &item.meter, NAME_MAX);
        let fits = |(name, value): (&String, &String)| {
            let text = name.chars().chain(value.chars());
            name.len() <= NAME_MAX
                && value.len() <= VALUE_MAX
                && !text.into_iter().any(char::is_control)
        };
        if item.attributes.len() > ATTRIBUTES_MAX || !item.attributes.iter().all(fits) {
            fields.violation(
                &format!("{list}[{at}].attributes"),
                "must be at most 16, names up to 64 bytes, values up to 128, without control characters",
            );
        }
    }
    if fields.count() > before {
        return None;
    }
    let items = sent.iter().enumerate().map(|(at, item)| Item {
        meter: item.meter.clone(),
        quantity: quantity(fields, list, at, &item.quantity),
        attributes: BTreeMap::from_iter(item.attributes.clone()),
        price: fields.optional_amount(&format!("{list}[{at}].price"), item.price.as_ref(), true),
    });
    Some(items.collect())
}

fn quantity(fields: &mut Fields, list: &str, at: usize, text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| {
        fields.violation(&format!("{list}[{at}].quantity"), error.to_string());
        Quantity::ZERO
    })
}

/// So often a call is priced: for now, for its account's clock or its hold, and again if a version began meanwhile.
const PRICED_MAX: u32 = 4;

/// A usage, checked.
pub struct Usage {
    items: Vec<Item>,
    digest: [u8; 16],
}

/// What a call sets aside or charges, as it was sent.
pub enum Sent {
    /// Credits to set aside.
    Amount(Credits),
    /// Credits to charge; none: all that is held.
    Charge(Option<Credits>),
    /// What a job will do.
    ToDo(Usage),
    /// What it did.
    Did(Usage),
}

/// What that comes to.
#[derive(Clone, Debug)]
pub struct Sum {
    /// Credits; none: all that is held.
    pub amount: Option<Credits>,
    /// For the hold, the event, and repeats.
    pub usage: Option<hold::Usage>,
    /// When its price counts, and what the job needs of a plan.
    pub in_force: InForce,
}

impl Sent {
    /// Of a reserve.
    pub fn to_reserve(fields: &mut Fields, r: &proto::ReserveRequest) -> Self {
        match &r.usage {
            None => Self::Amount(fields.amount("amount", &r.amount, true)),
            Some(usage) => {
                if !r.amount.is_empty() {
                    fields.violation("usage", "must be absent where there is an amount");
                }
                Self::ToDo(Usage::read(fields, usage))
            }
        }
    }

    /// Of a commit.
    pub fn to_commit(fields: &mut Fields, what: Option<&What>) -> Self {
        match what {
            Some(What::Amount(amount)) => Self::Charge(Some(fields.amount("amount", amount, true))),
            Some(What::Usage(usage)) => Self::Did(Usage::read(fields, usage)),
            Some(What::AllHeld(true)) => Self::Charge(None),
            Some(What::AllHeld(false)) => {
                fields.violation("all_held", "must be true, or absent");
                Self::Charge(None)
            }
            None => {
                fields.violation("amount", "is required, or usage, or all_held");
                Self::Charge(None)
            }
        }
    }

    /// As far as it was said, for the comparison with what was sent before.
    pub fn unpriced(&self) -> Sum {
        let (amount, usage) = match self {
            Self::Amount(amount) => (Some(*amount), None),
            Self::Charge(amount) => (*amount, None),
            Self::ToDo(usage) | Self::Did(usage) => (Some(Credits::ZERO), Some(usage.unpriced())),
        };
        Sum {
            amount,
            usage,
            in_force: NEVER_IN_FORCE,
        }
    }
}

/// By what it is priced.
enum By {
    /// By nothing yet: no clock was seen here so far.
    Nothing,
    /// By the version in force when a clock was last seen.
    Clock(Micros),
    /// By the version in force by the account's own clock.
    AccountClock(Micros),
    /// By the version of the hold.
    Hold(hold::Usage),
}

impl Usage {
    /// What is wrong with it is noted.
    fn read(fields: &mut Fields, sent: &proto::Usage) -> Self {
        let items = items(fields, ITEMS, &sent.items).unwrap_or_default();
        let digest = digest(&items);
        Self { items, digest }
    }

    const fn unpriced(&self) -> hold::Usage {
        hold::Usage {
            digest: self.digest,
            version: 0,
            text: [0; 4],
        }
    }

    fn priced(&self, version: &Version, account: &str, over: bool) -> Result<Credits, Status> {
        let (catalog, own) = (&version.catalog, version.catalog.contract(account));
        let amount = if over {
            catalog.charge(&self.items, own).map(|charge| charge.total)
        } else {
            let quote = catalog.quote(&self.items, own);
            quote.map(|quote| quote.total.maximum)
        };
        amount.map_err(|problems| {
            let mut fields = Fields::default();
            fields.problems(ITEMS, problems);
            fields.refusal()
        })
    }
}

/// Of all that was sent, in one form: each part behind its length, so that no two usages are written alike.
fn digest(items: &[Item]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for item in items {
        part(&item.meter);
        part(&item.quantity.to_string());
        part(
            &item
                .price
                .map(|price| price.to_string())
                .unwrap_or_default(),
        );
        part(&item.attributes.len().to_string());
        for (name, value) in &item.attributes {
            part(name);
            part(value);
        }
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}

impl Core {
    /// Runs an operation with what it sets aside, or charges.
    ///
    /// # Errors
    /// As for any operation, and all that keeps a usage from having a price.
    pub async fn ask_for(
        &self,
        (account, caller): (&str, Caller),
        sent: &Sent,
        verb: impl Fn(Sum) -> Verb,
    ) -> Result<Done, Status> {
        match sent {
            Sent::Amount(_) => {
                let mut sum = sent.unpriced();
                let need = self.need().await?;
                sum.in_force.need = need.as_deref().map(Need::pack).unwrap_or_default();
                let mut done = self.ask(account, caller, verb(sum)).await?;
                done.need = need;
                Ok(done)
            }
            Sent::Charge(_) => self.ask(account, caller, verb(sent.unpriced())).await,
            // What the run can cost at most; what it did cost.
            Sent::ToDo(usage) => self.ask_priced((account, caller), usage, false, verb).await,
            Sent::Did(usage) => self.ask_priced((account, caller), usage, true, verb).await,
        }
    }

    /// The script says whether the price is the right one, and knows a repeat whatever its price: what cannot be priced any more is
    /// asked all the same.
    async fn ask_priced(
        &self,
        (account, caller): (&str, Caller),
        usage: &Usage,
        run_is_over: bool,
        verb: impl Fn(Sum) -> Verb,
    ) -> Result<Done, Status> {
        // Only Redis' clock counts. Where another version has begun since it was last seen here, the script says so.
        let mut by = match self.clock_seen.load(Ordering::Relaxed) {
            0 => By::Nothing,
            now => By::Clock(now),
        };
        for _ in 0..PRICED_MAX {
            let (priced, need) = match self.price(usage, &by, account, run_is_over).await {
                Ok((sum, need)) => (Ok(sum), need),
                Err(status) => (Err(status), None),
            };
            let sum = priced.as_ref().cloned().unwrap_or(Sum {
                amount: Some(Credits::ZERO),
                usage: Some(usage.unpriced()),
                in_force: NEVER_IN_FORCE,
            });
            let mut done = self.ask(account, caller.clone(), verb(sum)).await?;
            done.need = need.map(Arc::new);
            if !done.refused_as(ErrorReason::Invalid) {
                return Ok(done);
            }
            let hold = done.answer.hold.as_ref();
            let next = match hold.and_then(|hold| hold.request.usage) {
                Some(first) => By::Hold(first),
                None => By::Clock(done.answer.now),
            };
            // Without a price by what still counts there is none.
            match (priced, &by, &next) {
                (Err(status), By::AccountClock(_), By::Clock(_))
                | (Err(status), By::Hold(_), By::Hold(_)) => return Err(status),
                _ => {}
            }
            by = match next {
                By::Clock(now) => By::AccountClock(now),
                other => other,
            };
        }
        let why = "other versions of the catalog began while it was priced";
        Err(status::failed(&HoldsError::Fenced(why.into()).into()))
    }

    async fn price(
        &self,
        usage: &Usage,
        by: &By,
        account: &str,
        run_is_over: bool,
    ) -> Result<(Sum, Option<Need>), Status> {
        let found = match *by {
            By::Nothing => Err(CatalogsError::NotYet(None)),
            By::Clock(now) => self.in_force(now).await,
            By::AccountClock(now) => match self.in_force(now).await {
                Err(CatalogsError::NotYet(_)) => {
                    // The first of all may have been applied through another process, just now.
                    self.catalogs.step().await.map_err(status::ledger_failed)?;
                    self.in_force(now).await
                }
                found => found,
            },
            By::Hold(first) => {
                let number = u64::from(first.version);
                let version = self.catalogs.version(number).await;
                version.and_then(|version| {
                    let same = version.head.text() == first.text;
                    let found = same.then_some((version, (0, 0)));
                    found.ok_or(CatalogsError::Unknown(number))
                })
            }
        };
        let (version, in_force) = found.map_err(status::catalog_failed)?;
        let number = u32::try_from(version.number()).map_err(|_| {
            let bug = HoldsError::Bug("the number of a version has at most 32 bits".into());
            status::failed(&bug.into())
        })?;
        let amount = usage.priced(&version, account, run_is_over)?;
        // What a job has done is charged whatever its plan.
        let need = (!run_is_over)
            .then(|| Need::of(&version.catalog, &usage.items))
            .flatten();
        let (from, until) = in_force;
        let sum = Sum {
            amount: Some(amount),
            usage: Some(hold::Usage {
                digest: usage.digest,
                version: number,
                text: version.head.text(),
            }),
            in_force: InForce {
                from,
                until,
                need: need.as_ref().map(Need::pack).unwrap_or_default(),
            },
        };
        Ok((sum, need))
    }

    async fn in_force(&self, now: Micros) -> Result<(Version, (Micros, Micros)), CatalogsError> {
        let (version, until) = self.catalogs.in_force(now).await?;
        let from = version.head.effective_at;
        Ok((version, (from, until.unwrap_or(NEVER))))
    }
}
