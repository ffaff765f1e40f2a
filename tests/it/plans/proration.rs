//! Parts of a period sum to the whole, and each is what the time says.

use holdbook::{
    domain::credits::Credits,
    plans::{Period, credits_left, money_left},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::money;

#[test]
fn half_a_cent_goes_up_and_a_part_of_a_micro_credit_is_not_given() {
    let period = Period {
        from: 0,
        until: 1000,
    };
    for (price, at, left) in [
        ("1", 995, "0.01"),
        ("1", 996, "0"),
        ("0.01", 500, "0.01"),
        ("0.01", 501, "0"),
        ("19.95", 0, "19.95"),
        ("19.95", -5, "19.95"),
        ("19.95", 1000, "0"),
        ("19.95", 2000, "0"),
    ] {
        assert_eq!(
            money_left(money(price), period, at),
            money(left),
            "{price} at {at}"
        );
    }
    let micro = |micro, at| credits_left(Credits::from_micro(micro), period, at).micro();
    assert_eq!(
        [micro(1, 0), micro(1, 1), micro(999, 1), micro(999, 1000)],
        [1, 0, 998, 0]
    );
}

proptest! {
    /// However a period is cut: the parts sum to the whole, and each is within half a cent of its time at either end.
    #[test]
    fn the_parts_of_a_period_sum_to_the_whole(
        cents in 0_i64..=1_000_000_000,
        micro in 0_i64..=9_000_000_000_000_000,
        length in 1_i64..=400 * 86_400_000_000,
        cuts in prop::collection::vec(0_u32..=1_000_000, 0..6),
    ) {
        let from = 1_800_000_000_000_000;
        let period = Period { from, until: from + length };
        let mut cuts: Vec<_> = cuts
            .into_iter()
            .map(|part| from + i64::try_from(i128::from(length) * i128::from(part) / 1_000_000).expect("inside"))
            .chain([from, from + length])
            .collect();
        cuts.sort_unstable();
        let price = Decimal::new(cents, 2);
        let amount = Credits::from_micro(micro);
        let (mut paid, mut given) = (Decimal::ZERO, Credits::ZERO);
        for pair in cuts.windows(2) {
            let part = money_left(price, period, pair[0]) - money_left(price, period, pair[1]);
            prop_assert!(part >= Decimal::ZERO);
            paid += part;
            // In cents x microseconds, where nothing is rounded.
            let exact = i128::from(cents) * i128::from(pair[1] - pair[0]);
            let told = part * Decimal::ONE_HUNDRED;
            prop_assert!(told.is_integer());
            let told = told.normalize().mantissa() * i128::from(length);
            prop_assert!((told - exact).abs() <= i128::from(length), "{told} {exact}");
            let part = credits_left(amount, period, pair[0]) - credits_left(amount, period, pair[1]);
            prop_assert!(part >= Credits::ZERO);
            given += part;
        }
        prop_assert_eq!(paid, price);
        prop_assert_eq!(given, amount);
    }
}
