//! H: what a commit takes, from where, and what it answers.

use crate::model::script::table;

#[test]
fn h6_a_commit_spares_the_top_up() {
    table(
        "account a
         grant top amount=10
         reserve h amount=6 ttl=24h => pinned=top:6
         grant month kind=allowance amount=4 expires=30d
         commit h amount=5 => by=month:4,top:1 released=5 # H6: allowance has come free meanwhile
         rows => rows=free>spent:month:4,held>spent:top:1,held>free:top:5
         balance => free=9",
    );
    table(
        "account a
         grant old amount=3 expires=1h
         grant top amount=5
         reserve h amount=5 ttl=24h => pinned=old:3,top:2
         +1h
         grant gift kind=promo amount=3
         commit h amount=4 => by=old:3,gift:1 released=2 # H6: pins of ended grants first
         balance => free=7",
    );
    table(
        "account a
         grant g amount=10
         reserve i amount=2 ttl=24h
         reserve h amount=3 ttl=24h
         commit h amount=5
         rows => rows=held>spent:g:3,free>spent:g:2 # H6: within one grant the own pin goes first
         balance => held=2 free=3",
    );
}

#[test]
fn h6_a_partial_commit_makes_the_hold_smaller() {
    table(
        "account a overdraft=10 credit=10
         grant top amount=4
         grant month kind=allowance amount=2 expires=30d
         reserve h amount=8 ttl=24h => pinned=month:2,top:4 promised=2
         grant gift kind=promo amount=5
         commit h part=c1 amount=3 => by=gift:3 released=1 # H6: a promise goes first, then the pins that burn last
         hold h => amount=5 held=5 promised=0 pinned=month:2,top:3
         balance => held=5 promised=0 free=3
         commit h part=c1 amount=3 => replayed=true charged=3 released=1
         commit h part=c1 amount=4 => ID_REUSED fields=amount
         commit h part=c2 amount=9 => by=gift:2,month:2,top:4 overdrawn=1 released=0 # H6: not below 0
         hold h => amount=0 state=OPEN
         commit h amount=0 => charged=0 released=0
         commit h part=c3 amount=1 => HOLD_ENDED state=COMMITTED
         commit h amount=1 => ID_REUSED fields=amount
         commit h amount=0 => replayed=true",
    );
}

#[test]
fn h7_a_commit_of_0_charges_0() {
    table(
        "account a overdraft=10 credit=10
         grant g amount=5
         reserve h amount=4
         commit h amount=0 => charged=0 overdrawn=0 absorbed=0 released=4 is=COMMITTED # H7
         reserve i amount=7 => pinned=g:5 promised=2
         commit i part=c all => charged=5 overdrawn=2 is=OPEN # H7: everything held is its own choice
         hold i => amount=0 held=0 promised=0
         commit i all => charged=0 is=COMMITTED
         balance => debt=2",
    );
}

#[test]
fn h8_above_the_hold_comes_free_then_debt_then_the_platform() {
    table(
        "account a overdraft=5
         grant g amount=10
         reserve h amount=6 ttl=24h
         commit h amount=15 => charged=10 overdrawn=5 absorbed=0 released=0 # H8: up to the limit itself
         reserve h2 amount=0 => IN_DEBT available=0 debt=5 credit_limit=0
         grant pay amount=3 => settled=3 free=0
         reserve h2 amount=0 => IN_DEBT
         grant pay2 amount=3 => settled=2 free=1
         reserve h2 amount=1 => pinned=pay2:1
         commit h2 amount=6.000001 => charged=1 overdrawn=5 absorbed=0.000001 # H8: what is left is absorbed
         balance => balance=-5 debt=5 available=0",
    );
    table(
        "account a
         grant g amount=10
         reserve h amount=10
         commit h amount=12 => charged=10 overdrawn=0 absorbed=2 # H8: with limit 0 you are not charged extra
         reserve h2 amount=1 => INSUFFICIENT_CREDITS",
    );
    table(
        "account a overdraft=5
         grant g amount=4
         reserve h amount=4
         update overdraft=7
         commit h amount=12 => charged=4 overdrawn=7 absorbed=1 # H8: the limit of now",
    );
}

#[test]
fn h8_reject_and_max_commit_leave_the_hold_open() {
    table(
        "account a overdraft=100
         grant g amount=30
         reserve h reject amount=5 max=6
         commit h amount=5.000001 => ABOVE_HOLD amount=5.000001 limit=5 # H8: whatever is free
         commit h part=c amount=4 => charged=4
         commit h amount=1.000001 => ABOVE_HOLD limit=1
         hold h => state=OPEN amount=1 charged=4
         commit h amount=1 => charged=1
         reserve i amount=5 max=6
         commit i part=c amount=4
         commit i amount=2.000001 => ABOVE_MAX_COMMIT amount=6.000001 limit=6 # H8: the sum of all commits
         commit i part=d amount=2.000001 => ABOVE_MAX_COMMIT
         hold i => state=OPEN amount=1
         commit i amount=2 => charged=2
         reserve j reject amount=5 max=4
         commit j amount=6 => ABOVE_HOLD limit=5 # above both: the hold is named first
         commit j all => ABOVE_MAX_COMMIT amount=5 limit=4
         commit j amount=4
         reserve k allow amount=1 max=0
         commit k amount=0.000001 => ABOVE_MAX_COMMIT limit=0
         commit k amount=0 => released=1",
    );
}

#[test]
fn h9_the_answer_says_what_happened() {
    table(
        "account a overdraft=3
         grant m amount=4 expires=1h
         grant g amount=4
         reserve h amount=8 ttl=24h
         +1h
         commit h amount=1 => charged=1 by=m:1 overdrawn=0 absorbed=0 released=7 after=4 # H9: released, whatever became of it
         rows => rows=held>spent:m:1,held>breakage:m:3,held>free:g:4
         reserve i amount=4
         commit i amount=9 => charged=4 by=g:4 overdrawn=3 absorbed=2 released=0 after=-3 # H9
         hold i => charged=4 overdrawn=3 absorbed=2 released=0 requested=4",
    );
}

#[test]
fn h10_a_commit_is_never_refused_for_credits_or_state() {
    table(
        "account a overdraft=2
         grant g amount=10
         reserve poor amount=0 ttl=24h
         reserve h amount=2 ttl=24h
         reserve i amount=2 ttl=24h
         reserve j amount=2 ttl=24h
         commit poor amount=7 => charged=4 overdrawn=2 absorbed=1 # H10: no credits
         update suspend
         commit h amount=2 => charged=2 # H10: suspended
         freeze
         commit i part=c amount=1 => charged=1 # H10: frozen
         close
         commit i amount=2 => charged=1 absorbed=1 # H10: closed
         commit j amount=1 => charged=1 released=1
         balance => debt=2 held=0",
    );
}

#[test]
fn h11_an_expired_hold_is_committed_late_once() {
    table(
        "account a overdraft=1
         grant g amount=10
         reserve h amount=4 ttl=1h
         reserve x amount=4 ttl=1h
         +1h
         balance => free=10 held=0 # H11: an expired hold returns its pins
         rows => rows=held>free:g:4 event=hold_expired actor=clock
         commit h all part=c => charged=4 late=true is=EXPIRED # H11: final whatever `final` says
         commit h all part=c => replayed=true
         commit h amount=1 part=c => ID_REUSED fields=amount,all_held
         commit h amount=1 part=d => HOLD_ENDED state=EXPIRED # H11: once
         commit h amount=1 => ID_REUSED fields=amount,all_held,final,commit_id
         +24h
         commit x amount=8 => charged=6 overdrawn=1 absorbed=1 late=true # H11: free, then debt, then absorbed; the window's last instant
         hold x => state=EXPIRED late=true charged=6 overdrawn=1 absorbed=1 released=4",
    );
    table(
        "account a
         grant g amount=10
         reserve h amount=4 ttl=1h
         +25h
         +1us
         commit h all => LATE_WINDOW_PASSED window_seconds=86400 # H11: a microsecond later
         commit h part=c amount=0 => LATE_WINDOW_PASSED
         release h => released=0 is=EXPIRED
         balance => free=10",
    );
    table(
        "account a overdraft=10 credit=5
         grant g amount=4
         reserve h reject amount=6 ttl=1h => pinned=g:4 promised=2
         commit h part=c amount=1
         reserve i amount=2 max=2 ttl=1h => promised=2
         commit i part=c amount=1 => overdrawn=1
         reserve k amount=1 ttl=1s => promised=1
         +1h
         grant top amount=9 => settled=0 free=9
         commit h amount=5.000001 => ABOVE_HOLD amount=5.000001 limit=5 # H11: REJECT looks at what it held when it expired
         commit h all => charged=5 late=true # H11: so does `all_held`, the promise included
         commit i amount=1.000001 => ABOVE_MAX_COMMIT amount=2.000001 limit=2 # H11
         commit i part=c amount=1 => replayed=true late=false
         commit i part=d amount=1 => charged=1 late=true
         commit k all => charged=1 late=true",
    );
}
