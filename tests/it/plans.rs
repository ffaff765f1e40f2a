//! Subscriptions: the sentences on plans of five products, with the numbers of their catalogs, and random histories.
//!
//! Nothing is started: what a step tells is carried out on a small account of grants, by rules G1 and G2.

mod account;
mod histories;
mod proration;
mod rank;
mod refusals;
mod scriptkit;
mod studio;
mod video;

use holdbook::{
    domain::{account::Micros, credits::Credits, plan::Gives},
    plans::{
        Bill, Command, Done, Effect, Grant, Outcome, PaidBy, Rollover, Subscribe, Subscription,
        Terms, Trial, What, act, subscribe,
    },
    pricing::{amount::Money, plan::Set},
};
use rust_decimal::Decimal;

use self::account::Account;
use crate::catalog::product;

/// A date, at noon, or an instant.
fn at(text: &str) -> Micros {
    let text = match text.len() {
        10 => format!("{text}T12:00:00Z"),
        _ => text.to_owned(),
    };
    let instant: jiff::Timestamp = text.parse().expect(&text);
    instant.as_microsecond()
}

fn credits(text: &str) -> Credits {
    Credits::parse(text).expect(text)
}

fn money(text: &str) -> Decimal {
    text.parse().expect(text)
}

/// A plan of a catalog, as who subscribes to it agrees to it.
pub fn terms(name: &str, plan: &str, paid_by: PaidBy) -> Terms {
    let catalog = product(name);
    let offered = &catalog.plans[plan];
    let Set::To(allowance) = offered.allowance else {
        panic!("{plan}: credits are agreed with each account");
    };
    let list_price = match offered.price {
        Some(Set::To(price)) => price,
        _ => Money::ZERO,
    };
    let price = match paid_by {
        PaidBy::Cycle => list_price,
        PaidBy::Year => offered.yearly_price().expect("the price of a year"),
    };
    Terms {
        plan: plan.to_owned(),
        version: 1,
        allowance,
        cycle: offered.cycle,
        paid_by,
        price: price.decimal(),
        list_price: list_price.decimal(),
        grant_on: offered.grant_on,
        rollover: offered.rollover.map(|rollover| Rollover {
            lasts: rollover.lasts,
            cap: rollover.cap,
        }),
        credits_on_upgrade: offered.credits_on_upgrade,
        trial: offered.trial.map(|trial| Trial {
            lasts: trial.lasts,
            allowance: trial.allowance,
            then: trial.then,
        }),
        refund_within: offered.refund_within,
        retention: offered.retention,
        gives: Gives::default(),
        debt_after: <(Credits, Credits)>::default(),
    }
}

fn wish(terms: Terms) -> Subscribe {
    Subscribe {
        id: "sub-1".to_owned(),
        terms,
        trial: false,
        running: None,
        first: true,
        had_trial: false,
    }
}

/// A subscription, the account that it feeds, and all that it told.
struct Story {
    it: Subscription,
    account: Account,
    told: Vec<Effect>,
    /// The payment side answers each charge at once.
    pays: bool,
}

impl Story {
    fn begin(wish: &Subscribe, now: Micros) -> Self {
        let Outcome { after, effects, .. } = subscribe(wish, now).expect("a subscription");
        let mut story = Self {
            it: after,
            account: Account::default(),
            told: Vec::new(),
            pays: true,
        };
        story.hear(effects);
        story
    }

    /// Begins with a plan of a catalog.
    fn of(product: &str, plan: &str, paid_by: PaidBy, date: &str) -> Self {
        Self::begin(&wish(terms(product, plan, paid_by)), at(date))
    }

    /// Carries out what was told.
    fn hear(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.account.hear(&effect);
            self.told.push(effect.clone());
            if let (true, What::Bill(Bill::Charge { cycle, .. })) = (self.pays, &effect.what) {
                // In the order of instants: the payment comes before what is due after it.
                let paid = act(&self.it, &Command::Payment { cycle: *cycle }, effect.at);
                self.it = paid.after;
                self.hear(paid.effects);
            }
        }
    }

    /// What is due up to an instant, one thing after the other, so that each is paid before the next.
    fn until(&mut self, now: Micros) {
        while let Some(next) = self.it.next_due().filter(|next| *next <= now) {
            let (after, effects) = holdbook::plans::due(&self.it, next);
            self.it = after;
            self.hear(effects);
        }
        self.account.advance(now);
    }

    fn does(&mut self, command: &Command, now: Micros) -> Result<Done, holdbook::plans::Refusal> {
        self.until(now);
        let Outcome {
            after,
            effects,
            said,
        } = act(&self.it, command, now);
        self.it = after;
        self.hear(effects);
        said
    }

    /// A command that changes something.
    fn changed(&mut self, command: &Command, date: &str) {
        assert_eq!(self.does(command, at(date)), Ok(Done::Changed));
    }

    /// A command that changes nothing.
    fn unchanged(&mut self, command: &Command, date: &str) {
        let told = self.told.len();
        assert_eq!(self.does(command, at(date)), Ok(Done::Unchanged));
        assert_eq!(self.told.len(), told);
    }

    fn grants(&self) -> Vec<Grant> {
        let grants = self.told.iter().filter_map(|effect| match &effect.what {
            What::Grant(grant) => Some(grant.clone()),
            _ => None,
        });
        grants.collect()
    }

    fn bills(&self) -> Vec<Bill> {
        let bills = self.told.iter().filter_map(|effect| match &effect.what {
            What::Bill(bill) => Some(bill.clone()),
            _ => None,
        });
        bills.collect()
    }

    /// What was to be paid for periods.
    fn charges(&self) -> Vec<Decimal> {
        let charges = self.bills().into_iter().filter_map(|bill| match bill {
            Bill::Charge { amount, .. } => Some(amount),
            _ => None,
        });
        charges.collect()
    }

    /// Since when which plan holds.
    fn plans(&self) -> Vec<(Micros, String)> {
        let plans = self.told.iter().filter_map(|effect| match &effect.what {
            What::Plan { plan, .. } => Some((effect.at, plan.clone())),
            What::Ended { .. } => Some((effect.at, "none".to_owned())),
            _ => None,
        });
        plans.collect()
    }

    fn available(&mut self, date: &str) -> String {
        self.until(at(date));
        self.account.free().to_string()
    }
}
