//! T and O: what time does, and in which order everything happens.

use crate::model::script::table;

#[test]
fn t1_time_is_the_clock_of_the_account() {
    // Every answer carries the instant of its balance, every row that of its event; both are compared with the model's clock.
    table(
        "account a
         grant g amount=10 expires=90s
         +90s
         charge c amount=1 => INSUFFICIENT_CREDITS available=0 # T1: no second clock lets it pass
         rows => rows=free>breakage:g:10
         grant h amount=10 until=1us # T1: to the microsecond
         balance => free=10
         +1us
         balance => free=0",
    );
}

#[test]
fn t2_what_is_due_is_applied_before_every_call() {
    // Nobody looked for four days.
    table(
        "account a overdraft=9
         grant m kind=allowance amount=6 expires=24h rolls=24h
         grant later amount=5 starts=12h expires=36h
         reserve h amount=2 ttl=18h
         reserve z amount=0 ttl=1h
         +1h
         commit z amount=9 => charged=4 overdrawn=5 late=true
         +95h
         balance => free=0 held=0 debt=0 sequence=11 # T2: it started and settled, the hold ended, both expired, the rollover too
         rows => rows=free>breakage:~rollover:m:2
         grants => m=EXPIRED:0:0 later=EXPIRED:0:0 ~rollover:m=EXPIRED:0:0",
    );
    table(
        "account a
         grant g amount=10 expires=1h
         reserve h amount=1 ttl=1h
         +1h
         update suspend # T2: also before a call that asks for no balance
         balance => sequence=6 free=0",
    );
}

#[test]
fn t2_at_one_instant_grants_end_then_start_then_holds_end() {
    table(
        "account a overdraft=9
         grant g amount=4
         grant m kind=allowance amount=3 expires=1h rolls=1h
         grant n amount=2 starts=1h
         reserve h amount=3 ttl=1h => pinned=m:3
         reserve i amount=4 ttl=1h => pinned=g:4
         reserve z amount=0 ttl=24h
         commit z amount=4 => overdrawn=4
         +1h
         balance => free=5 debt=0 sequence=12
         rows => event=hold_expired rows=held>free:g:4 # T2: then by creation
         grants => ~rollover:m=ACTIVE:1:0 n=ACTIVE:0:0 g=ACTIVE:4:0 # T2: n settled 2, then what h gave the rollover settled 2",
    );
    table(
        "account a
         grant old amount=5 expires=1h
         grant new amount=5 starts=1h
         reserve h amount=5 ttl=24h
         +1h
         commit h amount=6 => by=old:5,new:1 # T2, H6",
    );
}

#[test]
fn t3_time_moves_by_the_test_clock_only() {
    table(
        "account a
         grant g amount=1 until=1us
         balance => free=1
         balance => free=1 # T3: it stands still between two moves
         +0us
         balance => free=1
         +1us
         balance => free=0 # T3",
    );
}

#[test]
fn o1_events_are_numbered_without_a_gap() {
    table(
        "account a
         balance => sequence=1 # O1: the creation is the first
         grant g amount=10 => after=10
         balance => sequence=2
         reserve h amount=11 => INSUFFICIENT_CREDITS
         reserve h amount=0.0000001 => INVALID
         reserve h amount=1 validate
         balance => sequence=2 # O1: a refusal makes none
         reserve h amount=4 ttl=1h
         reserve h amount=4 ttl=1h => replayed=true
         balance => sequence=3 # O1: nor does a repeat
         extend h ttl=2h
         commit h part=c amount=1
         update slots=5
         update slots=5
         balance => sequence=6
         +2h
         balance => sequence=7 # O1: each thing due makes one
         commit h all => late=true
         refund h amount=1
         revoke g
         revoke g => replayed=true
         balance => sequence=10
         freeze
         freeze
         unfreeze
         close
         close => replayed=true
         balance => sequence=13",
    );
}
