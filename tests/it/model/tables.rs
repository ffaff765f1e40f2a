//! Table tests of the model itself, from the rules and from what five products must be able to say. They guard the model
//! against a misreading, so that it is not only compared with a service that misreads the same.
//!
//! It is long because it is one list of cases.

use super::script::table;

#[test]
fn grants_burn_in_order_and_all_or_nothing() {
    // G1, H1: allowance 10, top-up 100: 15 takes 10 + 5, 8 takes nothing from the top-up.
    table(
        "account a
         grant top amount=100
         grant month kind=allowance amount=10 expires=30d
         reserve h1 amount=15 => pinned=month:10,top:5 promised=0
         release h1 => released=15
         reserve h2 amount=8 => pinned=month:8
         reserve h3 amount=102.000001 => INSUFFICIENT_CREDITS available=102 held=8 debt=0 short_by=0.000001
         reserve h3 amount=102 => pinned=month:2,top:100
         reserve h4 amount=0 => promised=0
         balance => free=0 held=110 available=0",
    );
    // G1: priority, soonest expiry, earliest start, id by bytes.
    table(
        "account a
         grant never amount=1
         grant b amount=1 expires=2h
         grant B amount=1 expires=2h
         grant soon amount=1 expires=1h
         grant gift kind=promo amount=1
         charge c amount=5 => by=gift:1,soon:1,B:1,b:1,never:1",
    );
}

#[test]
fn a_grant_is_one_grant_for_ever() {
    // G5, I2, I3
    table(
        "account a
         grant evt amount=5 expires=1h
         charge c amount=2
         +400d
         grant evt amount=5.0 expires=1h => replayed=true free=5 settled=0
         grant evt amount=6 expires=2h => ID_REUSED fields=amount,expires_in
         balance => free=0",
    );
}

#[test]
fn a_rest_rolls_over_once_up_to_its_cap() {
    // G2: 300 of 400 used: available is 500, and 150 used takes the 100 rolled first.
    table(
        "account a
         grant m1 kind=allowance amount=400 expires=30d rolls=30d
         charge c1 amount=300
         +30d
         grant m2 kind=allowance amount=400 expires=30d rolls=30d
         balance => available=500
         charge c2 amount=150 => by=~rollover:m1:100,m2:50
         +30d
         balance => free=350
         +30d
         balance => free=0",
    );
    // G2, G3: the cap bounds what rolls and what joins; a pin that comes back joins while the rollover lives.
    table(
        "account a
         grant m kind=allowance amount=10 expires=1h rolls=2h cap=5
         reserve h1 amount=3 ttl=24h
         reserve h2 amount=4 ttl=24h
         +1h
         balance => free=3 held=7
         release h1 => released=3
         balance => free=5 held=4
         +2h
         balance => free=0 held=4
         release h2 => released=4
         balance => free=0 held=0",
    );
    // G3: a pin outlives its grant and may still be committed.
    table(
        "account a
         grant m amount=10 expires=1h
         reserve h amount=6 ttl=24h
         +2h
         commit h amount=4 => charged=4 by=m:4 released=2
         balance => free=0 held=0 debt=0",
    );
}

#[test]
fn pending_grants_start_and_settle() {
    // G7, G4
    table(
        "account a overdraft=10
         grant later amount=8 starts=1h expires=3h => free=8
         balance => free=0 pending=8 available=0 sequence=2
         reserve h amount=0 ttl=24h
         commit h amount=3 => charged=0 overdrawn=3 absorbed=0
         balance => balance=-3 debt=3 available=0
         +1h
         balance => free=5 debt=0 pending=0 sequence=5
         grant past amount=1 expires=1s starts=1s => INVALID field=expires_in
         +2h
         balance => free=0 sequence=6",
    );
}

#[test]
fn a_revoke_takes_the_unpinned_part_and_later_the_pins() {
    // G6
    table(
        "account a
         grant g amount=10
         grant keep final amount=1
         reserve h amount=4 ttl=1h
         revoke g => revoked=6 outstanding=4 replayed=false
         revoke g => revoked=6 outstanding=4 replayed=true
         revoke keep => NON_REFUNDABLE
         revoke nobody => GRANT_NOT_FOUND
         commit h amount=1 => by=g:1 released=3
         balance => free=1 held=0",
    );
}

#[test]
fn a_commit_burns_free_credits_and_own_pins_in_one_order() {
    // H6: a top-up pinned by this hold is spared if allowance has come free meanwhile.
    table(
        "account a
         grant top amount=10
         reserve h amount=6 ttl=24h => pinned=top:6
         grant month kind=allowance amount=4 expires=30d
         commit h amount=5 => by=month:4,top:1 released=5
         balance => free=9",
    );
    // H6: pins of ended grants first, although their grant would burn later.
    table(
        "account a
         grant old amount=3 expires=1h
         reserve h amount=3 ttl=24h
         +1h
         grant gift kind=promo amount=3
         commit h amount=4 => by=old:3,gift:1 released=0",
    );
    // H6: a partial commit of x makes the hold x smaller; a promise goes first, then the pins that would burn last.
    table(
        "account a overdraft=10 credit=10
         grant top amount=4
         grant month kind=allowance amount=2 expires=30d
         reserve h amount=8 ttl=24h => pinned=month:2,top:4 promised=2
         grant gift kind=promo amount=5
         commit h part=c1 amount=3 => by=gift:3 released=1
         balance => held=5 promised=0 free=3
         commit h part=c1 amount=3 => replayed=true charged=3 released=1
         commit h part=c1 amount=4 => ID_REUSED fields=amount
         commit h all part=c2 => by=gift:2,month:2,top:1 released=2
         balance => held=0
         commit h amount=0 => charged=0 released=0
         commit h part=c3 amount=1 => HOLD_ENDED state=COMMITTED
         commit h amount=1 => ID_REUSED fields=amount
         commit h amount=0 => replayed=true",
    );
}

#[test]
fn above_the_hold_comes_free_then_debt_then_the_platform() {
    // H8, H9, D1
    table(
        "account a overdraft=5
         grant g amount=10
         reserve h amount=6 ttl=24h
         commit h amount=17 => charged=10 overdrawn=5 absorbed=2 released=0
         balance => balance=-5 debt=5 available=0
         reserve h2 amount=0 => IN_DEBT available=0 debt=5 credit_limit=0
         grant pay amount=3 => settled=3 free=0
         reserve h2 amount=0 => IN_DEBT
         grant pay2 amount=3 => settled=2 free=1
         reserve h2 amount=1 => pinned=pay2:1",
    );
    // H8: with limit 0 the render completes and is not charged beyond what there was.
    table(
        "account a
         grant g amount=10
         reserve h amount=10
         commit h amount=12 => charged=10 overdrawn=0 absorbed=2
         reserve h2 amount=1 => INSUFFICIENT_CREDITS",
    );
    // H8: REJECT and max_commit leave the hold open.
    table(
        "account a overdraft=100
         grant g amount=20
         reserve h reject amount=5 max=6
         commit h amount=5.000001 => ABOVE_HOLD amount=5.000001 limit=5
         commit h part=c amount=4 => charged=4
         commit h amount=2 => ABOVE_HOLD limit=1
         commit h all => charged=1
         reserve i amount=5 max=6
         commit i part=c amount=4
         commit i amount=3 => ABOVE_MAX_COMMIT amount=7 limit=6
         commit i amount=2 => charged=2",
    );
}

#[test]
fn an_expired_hold_is_committed_late_once() {
    // H11
    table(
        "account a overdraft=1
         grant g amount=10
         reserve h amount=4 ttl=1h
         reserve x amount=4 ttl=1h
         +1h
         balance => free=10 held=0
         release h => released=0 replayed=false
         commit h all part=c => charged=4 late=true
         commit h all part=c => replayed=true
         commit h amount=1 part=c => ID_REUSED fields=amount,all_held
         commit h amount=1 part=d => HOLD_ENDED state=EXPIRED
         commit h amount=1 => ID_REUSED fields=amount,all_held,final,commit_id
         +24h
         commit x amount=8 => charged=6 overdrawn=1 absorbed=1 late=true
         account a overdraft=1 => replayed=true",
    );
    table(
        "account a
         grant g amount=10
         reserve h amount=4 ttl=1h
         +25h
         +1us
         commit h all => LATE_WINDOW_PASSED window_seconds=86400
         balance => free=10",
    );
}

#[test]
fn release_is_safe_after_everything_else() {
    // H12, I4
    table(
        "account a
         grant g amount=10
         release h => HOLD_NOT_FOUND
         reserve h amount=4
         release h => released=4 replayed=false
         release h => released=4 replayed=true
         commit h amount=1 => HOLD_ENDED state=RELEASED
         reserve h amount=4 => replayed=true pinned=g:4
         reserve h amount=4 ttl=1h => ID_REUSED fields=ttl
         charge h amount=4 => ID_REUSED fields=method
         +24h
         reserve h amount=4 => replayed=true
         +1us
         reserve h amount=5 => replayed=false pinned=g:5
         balance => held=5",
    );
}

#[test]
fn limits_at_reserve_are_all_reported() {
    // C1, H3, H4, H13
    table(
        "account a slots=1
         grant g amount=10
         reserve h amount=4 ttl=24h
         charge c amount=1 => charged=1
         update suspend => etag=2
         reserve i amount=9 => ACCOUNT_SUSPENDED CONCURRENCY_LIMIT INSUFFICIENT_CREDITS
         extend h ttl=1h amount=1 => ACCOUNT_SUSPENDED
         extend h ttl=1h => pinned=
         update activate etag=1 => ETAG_MISMATCH etag=2
         update activate etag=2 => etag=3
         update credit=1 => INVALID field=credit_limit
         reserve i amount=1 => CONCURRENCY_LIMIT open_holds=1 max_open_holds=1
         freeze
         grant g2 amount=1 => ACCOUNT_FROZEN
         commit h amount=5 => charged=5
         unfreeze
         reserve i amount=1 => pinned=g:1
         extend i id=x ttl=24h amount=2 => pinned=g:2
         extend i id=x ttl=24h amount=2 => replayed=true
         extend i id=x ttl=23h amount=2 => ID_REUSED fields=ttl
         +2h
         extend i id=y ttl=24h => promised=0
         +1us
         extend i id=z ttl=24h => INVALID field=ttl",
    );
}

#[test]
fn a_credit_limit_is_promised_and_becomes_debt_when_committed() {
    // D2, D3, D4
    table(
        "account a overdraft=20 credit=10
         grant g amount=5
         reserve h amount=12 ttl=24h => pinned=g:5 promised=7
         balance => available=3 free=0 held=5 promised=7 debt=0
         charge c amount=3 => charged=0 overdrawn=3
         balance => available=0 debt=3 promised=7
         reserve i amount=1 => INSUFFICIENT_CREDITS
         commit h amount=20 => charged=5 overdrawn=15 absorbed=0
         balance => debt=18 available=0
         reserve i amount=0 => IN_DEBT
         grant g2 amount=8 => settled=8
         reserve i amount=0 => promised=0",
    );
    // D4: pins that come back settle debt.
    table(
        "account a overdraft=20
         grant g amount=5
         reserve h amount=5 ttl=24h
         reserve z amount=0 ttl=24h
         commit z amount=3 => overdrawn=3
         release h => released=5
         balance => free=2 debt=0",
    );
}

#[test]
fn refunds_go_where_the_charge_came_from() {
    // H14
    table(
        "account a overdraft=10
         grant gone amount=2 expires=1h
         grant top amount=3
         reserve h amount=5 ttl=24h
         commit h amount=9 => by=gone:2,top:3 overdrawn=4
         grant pay amount=1 => settled=1
         +1h
         refund h id=r1 amount=5 => reduced=3 to=top:1,~refund:7:1
         refund h id=r1 amount=5 => replayed=true reduced=3
         refund h id=r1 amount=4 => ID_REUSED fields=amount
         refund h id=r2 amount=4.000001 => ABOVE_HOLD amount=4.000001 limit=4
         refund h id=r2 amount=4 => reduced=0 to=top:2,~refund:8:2
         balance => free=6 debt=0
         +30d
         balance => free=3",
    );
}

#[test]
fn closing_ends_grants_and_lets_open_holds_go_on() {
    // C2
    table(
        "account a
         grant g amount=10
         grant later amount=5 starts=1h
         reserve h amount=4 ttl=24h
         reserve i amount=1 ttl=24h
         close => breakage=5 lapsed=5 replayed=false
         close => breakage=5 lapsed=5 replayed=true
         balance => free=0 held=5 pending=0
         grant g3 amount=1 => ACCOUNT_CLOSED
         reserve j amount=1 => ACCOUNT_CLOSED INSUFFICIENT_CREDITS
         update overdraft=1 => ACCOUNT_CLOSED
         commit h amount=3 => charged=3 released=1
         refund h amount=1 => ACCOUNT_CLOSED
         release i => released=1
         balance => free=0 held=0",
    );
}

#[test]
fn amounts_are_exact_and_bounded() {
    // A1, A2, A3, A4, G1
    table(
        "account a
         grant g amount=0 => INVALID field=amount
         grant g amount=1.0000001 => INVALID field=amount
         grant g amount=9000000001 => INVALID field=amount
         grant g amount=8999999999.999999
         grant h amount=0.000002 => CAPACITY_LIMIT resource=credits limit=9000000000
         grant h amount=0.000001
         charge c amount=0 => charged=0
         reserve h amount=9000000000 => pinned=g:8999999999.999999,h:0.000001",
    );
    let many: String = (0..64)
        .map(|i| format!("grant g{i} amount=1 starts=1h\n"))
        .collect();
    table(&format!(
        "account a\n{many} grant g64 amount=1 => CAPACITY_LIMIT resource=grants limit=64"
    ));
}

#[test]
fn rows_stand_in_the_order_of_their_effects() {
    // The posting table: burns in burn order, in one grant the own pin first, then debt, absorbed; pins that come back.
    table(
        "account a overdraft=1
         grant g amount=10
         rows => rows=issued>free:g:10
         reserve h amount=6 ttl=24h
         rows => rows=free>held:g:6
         commit h amount=12
         rows => rows=held>spent:g:6,free>spent:g:4,debt>spent::1,absorbed>spent::1
         grant g2 amount=3
         rows => rows=issued>free:g2:3,free>debt:g2:1
         refund h amount=2
         rows => rows=spent>free:g:1,spent>free:~refund:6:1",
    );
    // H14: against debt without a grant, then the grants, then what settles.
    table(
        "account a overdraft=5
         grant g amount=2
         reserve h amount=2 ttl=24h
         reserve i amount=0 ttl=24h
         commit h amount=4
         commit i amount=2
         refund h amount=3
         rows => rows=spent>free::2,free>debt::2,spent>free:g:1,free>debt:g:1",
    );
    // H6: of a hold that shrinks, those that burn last come back first. G3: into the rollover, the rest is breakage.
    table(
        "account a
         grant top amount=4
         grant month kind=allowance amount=4 expires=1h rolls=24h cap=3
         reserve h amount=8 ttl=24h
         grant gift kind=promo amount=6
         commit h part=c amount=6
         rows => rows=free>spent:gift:6,held>free:top:4,held>free:month:2
         reserve i amount=1 ttl=24h
         +1h
         balance
         rows => rows=free>free:month>~rollover:month:1
         release h
         rows => rows=held>free:month>~rollover:month:2
         release i
         rows => rows=held>breakage:month:1
         close
         rows => rows=free>breakage:~rollover:month:3,free>breakage:top:4",
    );
}
