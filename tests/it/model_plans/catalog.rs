//! The catalog of the test, once as the text that the service reads and once as the model knows it: written twice on purpose.

use super::reference::{Catalog, Credits, Cycle, OnUpgrade, Plan, Term, Trial};

/// Of all kinds of cycles, payments, rollovers, upgrades, trials and limits.
pub const TEXT: &str = "
catalog: model-plans
currency: EUR
accounts:
  plan: free
  welcome: {credits: 3.5, expires: days(90)}
meters: {job: {unit: second, price: 1}}
plans:
  free: {allowance: 10, overdraft_limit: 5, credit_limit: 2}
  starter:
    allowance: 100
    price: 19.95
    yearly: {off: 10%}
    credits_on_upgrade: full
    refund_within: days(7)
    retention: days(30)
  pro:
    allowance: 333.333333
    price: 49.99
    yearly: {off: 20%, round_to: 1, rounding: half_up}
    rollover: {for: days(30), cap: 50}
    credits_on_upgrade: prorated_difference
    trial: {for: days(14), allowance: 25, then: convert}
    refund_within: days(10)
    retention: years(1)
    overdraft_limit: 50
    credit_limit: 20
  twin:
    allowance: 333.333333
    price: 49.99
    credits_on_upgrade: full
    retention: days(1)
  plus:
    allowance: 400
    price: 49.99
    yearly: {off: 0%}
    grant_on: payment
    rollover: {for: days(10), cap: 120.5}
    credits_on_upgrade: difference
    refund_within: days(40)
    overdraft_limit: 60
    credit_limit: 30
  studio:
    cycle: days(30)
    allowance: 400
    price: 30
    yearly: {off: 40%}
    grant_on: payment
    rollover: {for: days(30)}
    credits_on_upgrade: difference
    refund_within: days(10)
  studio-max:
    cycle: days(30)
    allowance: 900
    price: 61.03
    rollover: {for: days(45), cap: 300}
    credits_on_upgrade: full
    trial: {for: days(30), allowance: 90, then: convert}
    overdraft_limit: 12.5
  weekly:
    cycle: days(7)
    allowance: 70
    price: 7.77
    trial: {for: days(3), allowance: 5, then: end}
    refund_within: days(7)
  weekly-large:
    cycle: days(7)
    allowance: 200.000001
    price: 21.5
    credits_on_upgrade: none
    rollover: {for: days(7), cap: 100}
  custom:
    allowance: per_account
    price: per_account
    yearly: {off: 5%}
    rollover: {for: days(365), cap: 1000}
    refund_within: days(30)
    retention: days(90)
";

const CREDIT: Credits = 1_000_000;

fn plan(name: &'static str, allowance: Credits, price: i64) -> Plan {
    Plan {
        name,
        allowance: Some(allowance),
        price: Some(price),
        cycle: Cycle::Month,
        yearly: None,
        on_payment: false,
        rollover: None,
        on_upgrade: OnUpgrade::ProratedDifference,
        trial: None,
        refund_within: None,
        retention: None,
        overdraft_limit: 0,
        credit_limit: 0,
    }
}

fn trial(days: i64, allowance: Credits, converts: bool) -> Option<Trial> {
    Some(Trial {
        lasts: Term::Days(days),
        allowance: allowance * CREDIT,
        converts,
    })
}

/// The same as the model has it, money in cents.
pub fn known() -> Catalog {
    let days = |days| Some(Term::Days(days));
    let rolls = |days, cap| Some((Term::Days(days), cap));
    let plans = vec![
        Plan {
            overdraft_limit: 5 * CREDIT,
            credit_limit: 2 * CREDIT,
            ..plan("free", 10 * CREDIT, 0)
        },
        Plan {
            yearly: Some(Some(21_546)),
            on_upgrade: OnUpgrade::Full,
            refund_within: days(7),
            retention: days(30),
            ..plan("starter", 100 * CREDIT, 1995)
        },
        Plan {
            yearly: Some(Some(48_000)),
            rollover: rolls(30, Some(50 * CREDIT)),
            trial: trial(14, 25, true),
            refund_within: days(10),
            retention: Some(Term::Years(1)),
            overdraft_limit: 50 * CREDIT,
            credit_limit: 20 * CREDIT,
            ..plan("pro", 333_333_333, 4999)
        },
        Plan {
            on_upgrade: OnUpgrade::Full,
            retention: days(1),
            ..plan("twin", 333_333_333, 4999)
        },
        Plan {
            yearly: Some(Some(59_988)),
            on_payment: true,
            rollover: rolls(10, Some(120_500_000)),
            on_upgrade: OnUpgrade::Difference,
            refund_within: days(40),
            overdraft_limit: 60 * CREDIT,
            credit_limit: 30 * CREDIT,
            ..plan("plus", 400 * CREDIT, 4999)
        },
        Plan {
            cycle: Cycle::Days(30),
            yearly: Some(Some(21_600)),
            on_payment: true,
            rollover: rolls(30, None),
            on_upgrade: OnUpgrade::Difference,
            refund_within: days(10),
            ..plan("studio", 400 * CREDIT, 3000)
        },
        Plan {
            cycle: Cycle::Days(30),
            rollover: rolls(45, Some(300 * CREDIT)),
            on_upgrade: OnUpgrade::Full,
            trial: trial(30, 90, true),
            overdraft_limit: 12_500_000,
            ..plan("studio-max", 900 * CREDIT, 6103)
        },
        Plan {
            cycle: Cycle::Days(7),
            trial: trial(3, 5, false),
            refund_within: days(7),
            ..plan("weekly", 70 * CREDIT, 777)
        },
        Plan {
            cycle: Cycle::Days(7),
            on_upgrade: OnUpgrade::Nothing,
            rollover: rolls(7, Some(100 * CREDIT)),
            ..plan("weekly-large", 200_000_001, 2150)
        },
        Plan {
            allowance: None,
            price: None,
            yearly: Some(None),
            rollover: rolls(365, Some(1000 * CREDIT)),
            refund_within: days(30),
            retention: days(90),
            ..plan("custom", 0, 0)
        },
    ];
    Catalog {
        plans,
        overdraft_limit: 5 * CREDIT,
        credit_limit: 2 * CREDIT,
        welcome: 3_500_000,
        welcome_for: Term::Days(90),
    }
}
