//! A plan of the catalog as a subscriber agrees to it.

use rust_decimal::Decimal;

use crate::{
    catalogs::Version,
    domain::{credits::Credits, plan::Gives},
    plans::{PaidBy, Rollover, Terms, Trial},
    pricing::{
        Catalog,
        amount::Quantity,
        meter::Pattern,
        plan::{Caps, Plan, Set},
        words::Overage,
    },
    proto,
    rpc::fields::Fields,
};

/// What was sent of a plan.
pub(super) struct Asked {
    plan: String,
    paid_by: PaidBy,
    allowance: Option<Credits>,
    price: Option<Decimal>,
}

const MONTHS: Decimal = Decimal::from_parts(12, 0, 0, false, 0);

impl Asked {
    /// Checked as far as it can be without a catalog.
    pub(super) fn read(
        fields: &mut Fields,
        plan: &str,
        paid_by: i32,
        (allowance, price): (Option<&String>, Option<&String>),
    ) -> Self {
        fields.text("plan", plan, 64);
        if plan.is_empty() {
            fields.violation("plan", "is required");
        }
        let chosen = fields.choice("paid_by", paid_by, true, "CYCLE or YEAR, or absent");
        let price = price.map(|text| match Credits::parse(text) {
            Ok(money) if money.to_decimal().normalize().scale() <= 2 => {
                money.to_decimal().normalize()
            }
            _ => {
                let what = "must be money like \"12\" or \"0.25\", with at most two decimal places";
                fields.violation("price", what);
                Decimal::ZERO
            }
        });
        Self {
            plan: plan.to_owned(),
            paid_by: match chosen {
                Some(proto::PaidBy::Year) => PaidBy::Year,
                _ => PaidBy::Cycle,
            },
            allowance: fields.optional_amount("allowance", allowance, true),
            price,
        }
    }

    /// For comparison with what was sent before.
    pub(super) fn sent(&self) -> impl Iterator<Item = (String, String)> {
        let paid_by = match self.paid_by {
            PaidBy::Cycle => "CYCLE",
            PaidBy::Year => "YEAR",
        };
        let text = |amount: Option<String>| amount.unwrap_or_default();
        [
            ("plan", self.plan.clone()),
            ("paid_by", paid_by.to_owned()),
            ("allowance", text(self.allowance.map(|it| it.to_string()))),
            ("price", text(self.price.map(|it| it.to_string()))),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// The plan of a catalog, all that it leaves to each account filled in.
    pub(super) fn terms(&self, fields: &mut Fields, version: &Version) -> Option<Terms> {
        let catalog = &*version.catalog;
        let Some(plan) = catalog.plans.get(&self.plan) else {
            let known: Vec<_> = catalog.plans.keys().map(String::as_str).collect();
            let known = known.join(", ");
            fields.violation("plan", format!("is no plan of the catalog: it has {known}"));
            return None;
        };
        let own_price = plan.price.map(|price| match price {
            Set::To(money) => Set::To(money.decimal()),
            Set::PerAccount => Set::PerAccount,
        });
        let allowance = settled(fields, "allowance", plan.allowance, self.allowance);
        let list_price = settled(
            fields,
            "price",
            own_price.unwrap_or(Set::To(Decimal::ZERO)),
            self.price,
        );
        let (price, list_price) = match (self.paid_by, plan.yearly) {
            (PaidBy::Cycle, _) => (list_price?, list_price?),
            (PaidBy::Year, None) => {
                fields.violation("paid_by", "must be CYCLE: the plan has no price of a year");
                return None;
            }
            (PaidBy::Year, Some(_)) => match plan.yearly_price() {
                Some(year) => (year.decimal(), list_price?),
                None => (list_price?, list_price? / MONTHS),
            },
        };
        Some(Terms {
            plan: self.plan.clone(),
            version: u32::try_from(version.number()).unwrap_or(u32::MAX),
            allowance: allowance?,
            cycle: plan.cycle,
            paid_by: self.paid_by,
            price,
            list_price,
            grant_on: plan.grant_on,
            rollover: plan.rollover.map(|rollover| Rollover {
                lasts: rollover.lasts,
                cap: rollover.cap,
            }),
            credits_on_upgrade: plan.credits_on_upgrade,
            trial: plan.trial.map(|trial| Trial {
                lasts: trial.lasts,
                allowance: trial.allowance,
                then: trial.then,
            }),
            refund_within: plan.refund_within,
            retention: plan.retention,
            gives: gives(catalog, plan),
            debt_after: debt_without(catalog),
        })
    }
}

/// What the plan says for all, or what was sent for this account: exactly one of the two.
fn settled<T>(
    fields: &mut Fields,
    field: &str,
    of_plan: Set<T>,
    of_account: Option<T>,
) -> Option<T> {
    match (of_plan, of_account) {
        (Set::To(value), None) | (Set::PerAccount, Some(value)) => Some(value),
        (Set::To(_), Some(_)) => {
            fields.violation(field, "must be absent: the plan says it for all accounts");
            None
        }
        (Set::PerAccount, None) => {
            fields.violation(field, "is required: the plan leaves it to each account");
            None
        }
    }
}

/// How far an account may go into debt that has no subscription: as the plan says that all have.
pub fn debt_without(catalog: &Catalog) -> (Credits, Credits) {
    let plan = catalog.accounts.plan.as_ref();
    let plan = plan.and_then(|name| catalog.plans.get(name));
    plan.map_or_else(Default::default, |plan| {
        (plan.overdraft_limit, plan.credit_limit)
    })
}

/// What a plan gives, in the words of a hold.
pub fn gives(catalog: &Catalog, plan: &Plan) -> Gives {
    let resolutions = plan.limits.resolution.as_deref().map(|largest| {
        let largest = Pattern::new(largest);
        let row = |row: &Vec<Pattern>| row.iter().any(|value| value.covers(&largest));
        let last = catalog.resolutions.iter().position(row);
        let allowed = catalog.resolutions.iter().take(last.map_or(0, |at| at + 1));
        allowed.flatten().map(ToString::to_string).collect()
    });
    let capacity = |(name, most): (&String, &Quantity)| (name.clone(), millionths(*most));
    Gives {
        concurrency: plan.limits.concurrency.unwrap_or(0),
        duration: plan.limits.duration.map_or(0, millionths),
        resolutions: resolutions.unwrap_or_default(),
        features: plan.features.clone(),
        capacities: plan.capacities.iter().map(capacity).collect(),
        spend_caps: plan.spend_caps.account.of_windows(),
        label_caps: plan.spend_caps.per_label.iter().map(label_caps).collect(),
        rejects_overage: plan.overage == Overage::Reject,
        overdraft_limit: plan.overdraft_limit,
        credit_limit: plan.credit_limit,
    }
}

fn label_caps((label, caps): (&String, &Caps)) -> (String, [Option<Credits>; 3]) {
    (label.clone(), caps.of_windows())
}

/// A quantity has at most six decimal places.
pub fn millionths(quantity: Quantity) -> i64 {
    Credits::from_decimal(quantity.decimal()).map_or(i64::MAX, Credits::micro)
}
