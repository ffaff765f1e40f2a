//! Which of two plans is more.

use std::cmp::Ordering::{Equal, Greater, Less};

use holdbook::{domain::plan::Cycle, plans::PaidBy};

use super::{credits, money, terms};

#[test]
fn more_is_by_the_money_of_a_day_then_by_the_credits_of_a_day() {
    use Cycle::{CalendarMonth, Days};
    for (one, price, allowance, other, other_price, other_allowance, expected) in [
        (Days(30), "30", "400", Days(30), "12", "120", Greater),
        (Days(30), "30", "400", Days(30), "30", "400", Equal),
        (Days(30), "30", "120", Days(30), "12", "400", Greater),
        (Days(30), "30", "400", Days(30), "30", "900", Less),
        // 10 a week are more than 30 a month, 6 are less.
        (Days(7), "10", "100", CalendarMonth, "30", "900", Greater),
        (Days(7), "6", "900", CalendarMonth, "30", "100", Less),
        // A month is the twelfth part of 365 days, so longer than 30.
        (Days(30), "30", "400", CalendarMonth, "30", "400", Greater),
        (
            Days(365),
            "365",
            "1200",
            CalendarMonth,
            "30.4166",
            "100",
            Greater,
        ),
        (Days(365), "0", "1200", CalendarMonth, "0", "100", Equal),
        (Days(30), "0", "100", CalendarMonth, "0", "100", Greater),
    ] {
        let with = |cycle, price, allowance| {
            let mut terms = terms("studio", "max", PaidBy::Cycle);
            (terms.cycle, terms.list_price) = (cycle, money(price));
            terms.allowance = credits(allowance);
            terms
        };
        let (a, b) = (
            with(one, price, allowance),
            with(other, other_price, other_allowance),
        );
        let row = format!("{price} for {one}, {other_price} for {other}");
        assert_eq!(a.rank(&b), expected, "{row}");
        assert_eq!(b.rank(&a), expected.reverse(), "{row}");
    }
}

/// A year is cheaper by 40 %, and takes twelve times the money at once: neither makes it another plan.
#[test]
fn paying_by_the_year_is_no_upgrade_and_no_downgrade() {
    let of = |plan, paid_by| terms("studio", plan, paid_by);
    let (month, year) = (of("max", PaidBy::Cycle), of("max", PaidBy::Year));
    assert_eq!(year.rank(&month), Equal);
    assert_eq!(of("plus", PaidBy::Year).rank(&month), Less);
    assert_eq!(of("team", PaidBy::Cycle).rank(&year), Greater);
}
