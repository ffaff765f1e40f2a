//! H: setting credits aside, adding, letting go.

use crate::model::script::table;

#[test]
fn h1_reserve_takes_all_or_nothing_in_burn_order() {
    table(
        "account a
         grant top amount=100
         grant month kind=allowance amount=10 expires=30d
         reserve h1 amount=15 => pinned=month:10,top:5 promised=0 # H1
         release h1 => released=15
         reserve h2 amount=8 => pinned=month:8
         reserve h3 amount=102.000001 => INSUFFICIENT_CREDITS available=102 held=8 debt=0 short_by=0.000001 # H1: nothing
         balance => free=102 held=8 sequence=6
         reserve h3 amount=102 => pinned=month:2,top:100 # H1: all
         reserve h4 amount=0 => promised=0
         reserve h5 amount=0.000001 => INSUFFICIENT_CREDITS available=0 short_by=0.000001
         balance => free=0 held=110 available=0",
    );
    table(
        "account a
         grant g amount=10
         reserve h amount=4 validate => pinned=g:4 after=10 is=OPEN # validate_only answers as if, and does nothing
         balance => free=10 held=0 sequence=2
         hold h => HOLD_NOT_FOUND
         reserve h amount=10.000001 validate => INSUFFICIENT_CREDITS
         reserve h amount=5 => replayed=false
         reserve h amount=5 validate => replayed=true
         reserve h amount=4 validate => ID_REUSED fields=amount",
    );
}

#[test]
fn h2_a_hold_id_is_the_callers_and_per_account() {
    let (longest, longer) = ("j".repeat(128), "j".repeat(129));
    table(&format!(
        "account a
         grant g amount=10
         reserve job/42:frame-7@farm+a=b#c_d.e amount=1 # H2: [A-Za-z0-9][A-Za-z0-9._:/@+=#-]{{0,127}}
         release job/42:frame-7@farm+a=b#c_d.e => released=1
         reserve {longest} amount=1
         reserve {longer} amount=1 => INVALID field=hold_id
         reserve -h amount=1 => INVALID field=hold_id
         reserve ~h amount=1 => INVALID field=hold_id
         reserve h*  amount=1 => INVALID field=hold_id
         reserve h amount=1 => pinned=g:1
         account b
         release h => HOLD_NOT_FOUND # H2: per account
         grant g amount=3
         reserve h amount=2 => replayed=false pinned=g:2
         in a
         hold h => amount=1
         release h => released=1
         in b
         hold h => amount=2 state=OPEN",
    ));
}

#[test]
fn h3_a_refused_reserve_leaves_no_trace() {
    table(
        "account a slots=1
         reserve h amount=7 => INSUFFICIENT_CREDITS available=0 short_by=7
         balance => sequence=1
         hold h => HOLD_NOT_FOUND
         grant topup amount=9
         reserve h amount=8 => replayed=false pinned=topup:8 # H3: also with other content
         reserve i amount=1 => CONCURRENCY_LIMIT open_holds=1 max_open_holds=1
         commit i amount=1 => HOLD_NOT_FOUND
         release h
         reserve i amount=1 => replayed=false # H3
         charge c amount=8.000001 => INSUFFICIENT_CREDITS
         charge c amount=8 => charged=8 # H3: a charge is a reserve and a commit",
    );
}

#[test]
fn h3_all_that_refuses_is_reported_in_order() {
    table(
        "account a slots=1 overdraft=5
         grant g amount=10
         reserve h amount=4 ttl=24h
         update suspend
         reserve i amount=6.000001 => ACCOUNT_SUSPENDED CONCURRENCY_LIMIT INSUFFICIENT_CREDITS # H3: the first is the status
         update activate
         reserve i amount=6.000001 => CONCURRENCY_LIMIT INSUFFICIENT_CREDITS open_holds=1 max_open_holds=1
         commit h amount=11
         reserve j amount=0 => IN_DEBT debt=1
         freeze
         reserve j amount=1 => ACCOUNT_FROZEN IN_DEBT
         close
         reserve j amount=1 => ACCOUNT_CLOSED IN_DEBT",
    );
}

#[test]
fn h4_every_hold_has_an_expiry() {
    table(
        "account a
         grant g amount=10
         reserve h amount=1 # H4: an hour unless it says otherwise
         reserve i amount=1 ttl=1ms
         reserve j amount=1 ttl=999us => INVALID field=ttl
         reserve j amount=1 ttl=24h
         reserve k amount=1 ttl=24h
         reserve l amount=1 ttl=86400001ms => INVALID field=ttl # H4: refused, never clamped
         +999us
         hold i => state=OPEN
         +1us
         hold i => state=EXPIRED released=1
         +3599s
         +998ms
         +999us
         hold h => state=OPEN
         balance => held=3
         +1us
         hold h => state=EXPIRED held=0
         balance => held=2 free=8
         extend h ttl=1h => HOLD_ENDED state=EXPIRED # H4
         extend nobody ttl=1h => HOLD_NOT_FOUND
         release j
         extend j ttl=1h => HOLD_ENDED state=RELEASED
         commit k amount=1
         extend k ttl=1h => HOLD_ENDED state=COMMITTED",
    );
}

#[test]
fn h4_extend_counts_from_now_and_may_add_credits() {
    table(
        "account a slots=1
         grant g amount=10
         reserve h amount=1 ttl=24h
         extend h id=near ttl=2h => pinned= promised=0 # H4: also nearer
         +1h
         extend h id=more ttl=90s amount=3 => pinned=g:3 # H4: passes all of a reserve's checks but slots
         extend h id=more ttl=90s amount=3 => replayed=true pinned=g:3
         extend h id=more ttl=91s => ID_REUSED fields=ttl,amount
         extend h id=over ttl=24h amount=6.000001 => INSUFFICIENT_CREDITS available=6 held=4
         extend h id=far ttl=86400001ms => INVALID field=ttl
         +89s
         hold h => state=OPEN amount=4 # H4: the refused one changed nothing
         extend h id=over ttl=90s amount=6 => pinned=g:6
         update suspend
         extend h id=s ttl=90s amount=1 => ACCOUNT_SUSPENDED INSUFFICIENT_CREDITS
         extend h id=s ttl=90s => promised=0 # H4: without an amount in every state
         +90s
         hold h => state=EXPIRED",
    );
    table(
        "account a
         reserve h amount=0 ttl=24h
         +2h
         extend h id=x ttl=24h # H4: a lifetime of 26 h
         +1us
         extend h id=y ttl=24h => INVALID field=ttl # H4: a microsecond more
         extend h id=y ttl=1ms
         +1ms
         hold h => state=EXPIRED",
    );
}

#[test]
fn h5_a_partial_commit_keeps_the_hold_open() {
    table(
        "account a
         grant g amount=10
         reserve h amount=6 ttl=24h
         commit h part=frame-1 amount=2 => charged=2 released=0 is=OPEN # H5
         hold h => amount=4 held=4 charged=2
         commit h part=frame-2 amount=3 => charged=3 is=OPEN
         commit h amount=0.5 => charged=0.5 released=0.5 is=COMMITTED # H5: what it adds, and the hold ends
         hold h => charged=5.5 released=0.5 amount=0
         commit h part=frame-3 amount=1 => HOLD_ENDED state=COMMITTED
         balance => free=4.5 held=0
         reserve i amount=1
         commit i final id=bill-7 amount=1 => is=COMMITTED # H5: final is the default
         commit i id=bill-7 amount=1 => replayed=true
         reserve j amount=1
         commit j part=-1 amount=1 => INVALID field=commit_id",
    );
}

#[test]
fn h12_release_is_safe_after_everything_else() {
    table(
        "account a
         grant g amount=10
         release h => HOLD_NOT_FOUND # H12
         reserve h amount=4
         release h => released=4 replayed=false is=RELEASED
         release h => released=4 replayed=true # H12: the first answer again
         commit h amount=1 => HOLD_ENDED state=RELEASED # H12
         commit h part=c amount=1 => HOLD_ENDED state=RELEASED
         reserve c amount=4
         commit c amount=1 => charged=1 released=3
         release c => released=0 replayed=false is=COMMITTED # H12: finally { release } is safe
         hold c => charged=1 released=3
         reserve e amount=4 ttl=1s
         +1s
         release e => released=0 replayed=false is=EXPIRED
         commit e amount=1 => late=true charged=1
         release e => released=0 is=EXPIRED # H12: never undoes a commit
         charge z amount=1
         release z => released=0 is=COMMITTED
         balance => free=7 held=0",
    );
}
