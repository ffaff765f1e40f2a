//! Which of several prices holds, and how amounts are rounded, on small catalogs.

use holdbook::pricing::Catalog;

use super::prices::usage;

fn catalog(meter: &str) -> Catalog {
    let text = format!("catalog: small\nmeters:\n  job:\n    unit: second\n{meter}");
    Catalog::read(&text).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

fn costs(catalog: &Catalog, text: &str) -> String {
    let charge = catalog
        .charge(&usage(text), None)
        .unwrap_or_else(|problems| panic!("{text}: {problems}"));
    charge.total.to_string()
}

/// Every order of a list.
fn orders<T: Clone>(rows: &[T]) -> Vec<Vec<T>> {
    if rows.len() < 2 {
        return vec![rows.to_vec()];
    }
    let mut all = Vec::new();
    for at in 0..rows.len() {
        let mut rest = rows.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn the_row_that_says_more_about_the_first_attribute_holds_in_any_order() {
    let attributes = "    attributes: {size: [s, l], look: [old, new-*]}\n    prices:\n";
    let rows = [
        "{price: 1}",
        "{when: {look: new-*}, price: 2}",
        "{when: {look: new-a*}, price: 3}",
        "{when: {look: new-art}, price: 4}",
        "{when: {size: l}, price: 5}",
        "{when: {size: l, look: new-*}, price: 6}",
    ];
    for rows in orders(&rows) {
        let rows: String = rows.iter().map(|row| format!("      - {row}\n")).collect();
        let catalog = catalog(&format!("{attributes}{rows}"));
        for (job, expected) in [
            ("size=s look=old", "1"),
            ("size=s look=new-x", "2"),
            ("size=s look=new-ax", "3"),
            ("size=s look=new-art", "4"),
            ("size=l look=old", "5"),
            // The size comes first, however much is said about the look.
            ("size=l look=new-art", "6"),
        ] {
            assert_eq!(
                costs(&catalog, &format!("job 1 {job}")),
                expected,
                "{job}\n{rows}"
            );
        }
    }
}

#[test]
fn quantities_are_rounded_as_the_meter_says() {
    for (rounding, [low, middle, above]) in [
        ("up", ["2", "2", "2"]),
        ("down", ["1", "1", "1"]),
        ("half_up", ["1", "2", "2"]),
        ("half_even", ["1", "2", "2"]),
        ("exact", ["1.4", "1.5", "1.6"]),
    ] {
        let catalog = catalog(&format!(
            "    increment: 10\n    rounding: {rounding}\n    price: 1\n"
        ));
        let found = ["job 14", "job 15", "job 16"].map(|job| costs(&catalog, job));
        assert_eq!(found, [low, middle, above], "{rounding}");
    }
    let even = catalog("    increment: 10\n    rounding: half_even\n    price: 1\n");
    assert_eq!(
        (costs(&even, "job 25"), costs(&even, "job 35")),
        ("2".to_owned(), "4".to_owned())
    );
}

/// A line's amount is rounded once, a total is the sum of what was rounded.
#[test]
fn amounts_are_rounded_by_line_as_the_meter_says() {
    for (rounding, one, sum) in [
        ("up", "1.2", "2.4"),
        ("down", "1.1", "2.2"),
        ("half_up", "1.2", "2.4"),
        ("half_even", "1.2", "2.4"),
    ] {
        let words = format!(
            "    increment: 100\n    rounding: exact\n    amount_decimals: 1\n    amount_rounding: {rounding}\n    price: 1\n"
        );
        let catalog = catalog(&words);
        assert_eq!(
            (
                costs(&catalog, "job 115"),
                costs(&catalog, "job 115; job 115")
            ),
            (one.to_owned(), sum.to_owned()),
            "{rounding}"
        );
    }
    let even =
        catalog("    increment: 100\n    rounding: exact\n    amount_decimals: 1\n    price: 1\n");
    assert_eq!(
        (costs(&even, "job 125"), costs(&even, "job 135")),
        ("1.2".to_owned(), "1.4".to_owned())
    );
    // A third of a credit has no end: six places, to the nearest.
    let third = catalog("    increment: 3\n    rounding: exact\n    price: 1\n");
    assert_eq!(
        (costs(&third, "job 1"), costs(&third, "job 2")),
        ("0.333333".to_owned(), "0.666667".to_owned())
    );
}

/// The same file however an editor saved it.
#[test]
fn quotes_comments_and_line_ends_do_not_matter() {
    let text = "catalog: small\nmeters:\n  job: {unit: second, increment: 30, price: 0.5}\n";
    let plain = Catalog::read(text).expect("right");
    for same in [
        text.replace('\n', "\r\n"),
        text.replace("0.5", "\"0.50\"").replace("30", "'30.000'"),
        format!("---\n# a comment\n{text}...\n"),
        format!("\u{feff}{text}"),
    ] {
        assert_eq!(Catalog::read(&same).as_ref(), Ok(&plain), "{same:?}");
    }
}
