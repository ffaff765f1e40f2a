//! When a worker looks, and that it moves no period.

use holdbook::{domain::plan::DAY, plans::look_at};

use super::at;

#[test]
fn renewals_of_one_instant_are_looked_at_over_an_hour() {
    let due = at("2027-02-28");
    let hour = DAY / 24;
    let mut minutes = [0; 60];
    for number in 0..10_000 {
        let id = format!("sub-{number}");
        let late = look_at(&id, due, hour) - due;
        assert!((0..hour).contains(&late), "{id}: {late}");
        assert_eq!(
            look_at(&id, due + DAY, hour) - due - DAY,
            late,
            "the same each time"
        );
        minutes[usize::try_from(late / (hour / 60)).expect("a minute")] += 1;
    }
    // 166.7 each; five standard deviations are 64.
    assert!(
        minutes.iter().all(|count| (103..=231).contains(count)),
        "{minutes:?}"
    );
}

#[test]
fn without_a_spread_it_is_looked_at_when_it_is_due() {
    assert_eq!(look_at("sub-1", 5, 0), 5);
    assert_eq!(look_at("sub-1", i64::MAX, DAY), i64::MAX);
}
