//! Accounts that Redis dropped while they were idle: every answer afterwards is the one that it would have been. Where something has just
//! come due, the sweeper may bring the account back before it is looked for.

use crate::model::script::table;

#[test]
fn open_holds_come_back_with_their_account() {
    table(
        "account a overdraft=5
         grant g amount=20 expires=10h
         grant p amount=3 kind=promo expires=2h
         reserve h1 amount=5
         reserve h2 amount=4
         reserve h3 amount=2 ttl=1h
         evict => dropped
         balance => free=12 held=11
         evict => dropped
         commit h1 amount=2 => charged=2 released=3 replayed=false
         evict => dropped
         release h2 => released=4 replayed=false
         +1h
         evict
         balance => held=0 # T2: the hold expired though the account was not here
         +2h
         evict
         commit h3 amount=1 => charged=1 # H11: late
         balance => free=19",
    );
}

#[test]
fn repeats_are_answered_across_a_drop() {
    table(
        "account a overdraft=9 slots=3
         grant g amount=20
         reserve h amount=5
         extend h id=x ttl=2h amount=1
         commit h part=c1 amount=1
         evict => dropped
         account a overdraft=9 slots=3 => replayed=true # I1
         evict => dropped
         grant g amount=20 => replayed=true # G5
         evict => dropped
         reserve h amount=5 => replayed=true pinned=g:5
         evict => dropped
         extend h id=x ttl=2h amount=1 => replayed=true pinned=g:1
         evict => dropped
         commit h part=c1 amount=1 => replayed=true charged=1
         commit h part=c2 amount=1 => replayed=false charged=1
         evict => dropped
         commit h part=c2 amount=1 => replayed=true charged=1
         commit h amount=2
         evict => dropped
         commit h amount=2 => replayed=true charged=2 released=2
         evict => dropped
         reserve h amount=5 => replayed=true # I4: also of a hold that has ended
         charge c amount=4
         evict => dropped
         charge c amount=4 => replayed=true
         evict => dropped
         refund c id=r1 amount=1 => to=g:1 replayed=false
         evict => dropped
         refund c id=r1 amount=1 => to=g:1 replayed=true
         revoke g
         evict => dropped
         revoke g => replayed=true
         close
         evict => dropped
         close => replayed=true
         evict => dropped
         reserve new amount=1 => ACCOUNT_CLOSED",
    );
}

/// What ended before Redis was lost only the ledger knows; that it must be asked is not forgotten with the account.
#[test]
fn what_ended_before_redis_was_lost_is_still_asked_for_after_a_drop() {
    table(
        "account a
         grant g amount=20
         reserve old amount=5
         commit old amount=2
         lose
         reserve new amount=1
         evict => dropped
         reserve old amount=5 => replayed=true # I4
         evict => dropped
         reserve new amount=1 => replayed=true
         +25h
         evict
         reserve old amount=5 => replayed=false # I4: after the window it is a new one",
    );
}

#[test]
fn what_time_does_to_grants_is_done_when_the_account_comes_back() {
    table(
        "account a
         grant g amount=20 expires=2h rolls=10h
         grant later amount=7 starts=1h
         evict => dropped
         +1h
         balance => free=27 # G7
         evict => dropped
         +1h
         reserve h amount=25 => pinned=~rollover:g:20,later:5 # G2
         evict => dropped
         balance => free=2 held=25",
    );
}

#[test]
fn frozen_accounts_stay() {
    table(
        "account a
         grant g amount=20
         reserve h amount=5
         freeze
         evict => kept # C1: what waits in quarantine is nowhere else
         commit h amount=1 => charged=1
         unfreeze
         evict => dropped
         balance => free=19",
    );
}
