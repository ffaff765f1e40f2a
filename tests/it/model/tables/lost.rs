//! Holds that nobody knows, after Redis was lost: they may have been acknowledged, so what ends them is taken.

use crate::model::script::table;

#[test]
fn a_commit_of_a_hold_that_may_be_lost_is_booked_once_as_late() {
    table(
        "account a overdraft=3
         grant g amount=10
         lose
         commit h amount=4 => late=true charged=4 released=0 replayed=false is=EXPIRED
         commit h amount=4 => replayed=true late=true charged=4 # I1
         commit h amount=5 => ID_REUSED fields=amount # I3
         commit h part=c1 amount=1 => HOLD_ENDED # H11: one late commit
         hold h => state=EXPIRED requested=0 charged=4
         extend h id=x ttl=1h => HOLD_ENDED
         release h => released=0 replayed=false is=EXPIRED # H12
         refund h id=r amount=1 => to=g:1 # H14
         commit debt amount=12 => charged=7 overdrawn=3 absorbed=2 # H10
         rows => rows=free>spent:g:7,debt>spent::3,absorbed>spent::2
         balance => free=0 debt=3",
    );
}

#[test]
fn the_book_remembers_it_after_redis_is_lost_again() {
    table(
        "account a
         grant g amount=10
         lose
         commit h part=c1 amount=4 => late=true charged=4 is=EXPIRED # H11: final whatever it says
         release r => released=0 replayed=false is=RELEASED
         lose
         commit h part=c1 amount=4 => replayed=true charged=4
         commit h part=c2 amount=1 => HOLD_ENDED
         release r => replayed=true released=0
         commit r amount=1 => HOLD_ENDED state=RELEASED # H12
         evict
         commit h part=c1 amount=4 => replayed=true
         balance => free=6 held=0",
    );
}

#[test]
fn a_reserve_of_an_id_that_has_ended_makes_no_hold() {
    table(
        "account a
         grant g amount=10
         lose
         commit h amount=4
         reserve h amount=6 => ID_REUSED fields=amount
         charge h amount=6 => ID_REUSED fields=method
         reserve h amount=0 => replayed=true is=EXPIRED
         release r
         reserve r amount=6 => ID_REUSED fields=amount
         balance => free=6 held=0
         +24h
         +1us
         reserve h amount=6 => replayed=false is=OPEN # I4: after the window it is a new one",
    );
}

/// Only what ends a hold, and says by how much, can be booked without knowing it.
#[test]
fn what_needs_the_hold_is_refused() {
    table(
        "account a
         grant g amount=10
         lose
         commit h all => HOLD_NOT_FOUND
         commit h all part=c1 => HOLD_NOT_FOUND
         extend h id=x ttl=1h => HOLD_NOT_FOUND
         refund h id=r amount=1 => HOLD_NOT_FOUND
         hold h => HOLD_NOT_FOUND
         commit h amount=0 => late=true charged=0 # H7",
    );
}

/// As long as a hold of before the loss could still be committed: here 26 h of life and 24 h after it.
#[test]
fn after_the_longest_life_and_the_late_window_it_is_unknown() {
    table(
        "account a
         grant g amount=10
         commit h amount=1 => HOLD_NOT_FOUND
         release h => HOLD_NOT_FOUND
         lose
         balance
         +50h
         commit last amount=1 => late=true
         release end => is=RELEASED
         +1us
         commit h amount=1 => HOLD_NOT_FOUND
         release h => HOLD_NOT_FOUND
         commit last amount=1 => replayed=true",
    );
}

#[test]
fn dropped_accounts_and_those_that_are_closed_take_it_too() {
    table(
        "account a
         grant g amount=10
         lose
         balance
         evict => dropped
         commit h amount=4 => late=true charged=4
         close
         commit i amount=4 => late=true charged=0 absorbed=4 # H10
         balance => free=0",
    );
}
