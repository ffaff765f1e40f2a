//! G: credits coming in, ageing, and being taken back.

use crate::model::script::table;

#[test]
fn g1_burn_order_is_total() {
    // By kind: promo 5, rollover 9, allowance 10, top-up 100, refund 100.
    table(
        "account a
         grant old kind=allowance amount=1 expires=1h rolls=9d
         grant top amount=1 expires=3h => priority=100
         grant month kind=allowance amount=1 => priority=10
         grant gone amount=1 expires=1h
         grant gift kind=promo amount=1 => priority=5
         charge first amount=1 => by=gift:1
         charge second amount=1 => by=old:1
         refund second amount=1 => to=old:1
         charge third amount=3 => by=old:1,month:1,gone:1
         +1h
         refund third amount=2 => to=month:1,~refund:11:1
         charge all amount=3 => by=month:1,top:1,~refund:11:1 # G1: refunds burn as top-ups do, the sooner expiry first",
    );
    table(
        "account a
         grant m kind=allowance amount=2 expires=1h rolls=1h
         grant n kind=allowance amount=2
         grant own priority=9 amount=1 expires=2h
         grant never amount=1
         grant b amount=1 expires=9h
         grant B amount=1 expires=9h
         grant soon amount=1 expires=8h
         +1h
         grant late amount=1 until=8h
         grant gift kind=promo amount=1
         grant last priority=1000 amount=1
         grant first priority=0 amount=1
         grant no priority=1001 amount=1 => INVALID field=priority
         charge c amount=13 => by=first:1,gift:1,own:1,~rollover:m:2,n:2,soon:1,B:1,b:1,late:1,never:1,last:1 # G1: priority, soonest expiry, earliest start, id by bytes",
    );
}

#[test]
fn g1_at_most_64_grants_live() {
    let pending: String = (0..62)
        .map(|i| format!("grant g{i} amount=1 starts=1h durability=applied\n"))
        .collect();
    table(&format!(
        "account a
         grant spent amount=1
         charge c amount=1
         grant pinned amount=1
         reserve h amount=1 ttl=24h
         {pending}
         grant ends kind=allowance amount=1 expires=1h rolls=2h # G1: the 64th that lives; the spent one does not
         grant over amount=1 => CAPACITY_LIMIT resource=grants limit=64 # G1
         grant over amount=9000000000 => CAPACITY_LIMIT resource=grants # grants come first when both are full
         refund c amount=1 => CAPACITY_LIMIT resource=grants # H14: the spent one would live again
         +1h
         grant over amount=1 => CAPACITY_LIMIT resource=grants # G2: the rollover has the place of what it came from
         commit h all
         grant over amount=1
         grant more amount=1 => CAPACITY_LIMIT resource=grants",
    ));
}

#[test]
fn g2_credits_are_spendable_from_the_start_to_the_expiry() {
    table(
        "account a
         grant g amount=10 starts=2s expires=1h
         grant now amount=1 starts=-5s until=1h
         +1s
         balance => free=1 pending=10
         reserve h amount=1.000001 => INSUFFICIENT_CREDITS available=1
         +999999us
         balance => free=1 pending=10
         +1us
         balance => free=11 pending=0 # G2: start <= now
         reserve h amount=4 ttl=24h => pinned=now:1,g:3 # by the same instant of expiry, the earlier start first
         release h
         +3597s
         +999999us
         reserve i amount=11 ttl=24h => pinned=now:1,g:10 # G2: now < expires_at
         release i
         +1us
         balance => free=0 available=0 # G2: at expires_at it is breakage
         rows => rows=free>breakage:now:1 event=grant_expired actor=clock
         grants => g=EXPIRED:0:0 now=EXPIRED:0:0
         reserve j amount=0.000001 => INSUFFICIENT_CREDITS",
    );
    table(
        "account a
         grant g amount=1 until=0s => INVALID field=expires_at # G2: after now
         grant g amount=1 until=1us starts=1us => INVALID field=expires_at # G2: after the start
         grant g amount=1 starts=1h expires=1h => INVALID field=expires_in # G2: a duration counts from the call
         grant g amount=1 expires=999999us => INVALID field=expires_in
         grant g amount=1 rolls=1h => INVALID field=rollover
         grant g amount=1 expires=1h rolls=999999us => INVALID field=rollover.duration
         grant g amount=1 kind=rollover => INVALID field=kind
         balance => sequence=1
         grant g amount=1 until=1us
         grant h amount=1 expires=1s
         +1us
         balance => free=1
         +999999us
         balance => free=0",
    );
}

#[test]
fn g2_a_rest_rolls_over_once_up_to_its_cap() {
    table(
        "account a
         grant m1 kind=allowance amount=400 expires=30d rolls=30d
         charge c1 amount=300
         +30d
         grant m2 kind=allowance amount=400 expires=30d rolls=30d
         balance => available=500 # G2: 300 of 400 used
         charge c2 amount=150 => by=~rollover:m1:100,m2:50
         +30d
         balance => free=350
         rows => rows=free>free:m2>~rollover:m2:350
         +30d
         balance => free=0 # G2: a rollover does not roll over
         rows => rows=free>breakage:~rollover:m2:350",
    );
    table(
        "account a
         grant m amount=5.000001 expires=1h rolls=1h cap=5
         +1h
         balance => free=5
         rows => rows=free>free:m>~rollover:m:5,free>breakage:m:0.000001 # G2: only what is cut is breakage
         +3599s
         +999999us
         balance => free=5
         +1us
         balance => free=0",
    );
}

#[test]
fn g3_a_pin_outlives_its_grant() {
    table(
        "account a
         grant m amount=10 expires=1h
         reserve h amount=6 ttl=24h
         +2h
         balance => free=0 held=6
         commit h amount=4 => charged=4 by=m:4 released=2 # G3: it may still be committed
         rows => rows=held>spent:m:4,held>breakage:m:2
         balance => free=0 held=0 debt=0",
    );
    table(
        "account a
         grant m kind=allowance amount=10 expires=1h rolls=2h cap=5
         reserve h1 amount=3 ttl=24h
         reserve h2 amount=4 ttl=24h
         +1h
         balance => free=3 held=7
         release h1 => released=3 # G3: joins the rollover as far as the cap goes
         rows => rows=held>free:m>~rollover:m:2,held>breakage:m:1
         balance => free=5 held=4
         +2h
         balance => free=0 held=4
         release h2 => released=4 # G3: the rollover is over too
         rows => rows=held>breakage:m:4
         balance => free=0 held=0",
    );
    // In debt what joins a living rollover settles; breakage stays breakage.
    table(
        "account a overdraft=20
         grant m kind=allowance amount=6 expires=1h rolls=2h
         grant n amount=4 expires=1h
         reserve h amount=10 ttl=24h
         reserve z amount=0 ttl=24h
         +1h
         commit z amount=7 => overdrawn=7
         release h => released=10 # G3: also while in debt
         rows => rows=held>free:m>~rollover:m:6,held>breakage:n:4,free>debt:~rollover:m:6
         balance => debt=1 free=0",
    );
}

#[test]
fn g4_a_grant_settles_debt_when_it_starts() {
    table(
        "account a overdraft=10
         grant later amount=8 starts=1h expires=3h => free=8 settled=0
         reserve h amount=0 ttl=24h
         commit h amount=5 => charged=0 overdrawn=5 absorbed=0
         grant now amount=2 => settled=2 free=0 # G4
         balance => balance=-3 debt=3 available=0
         +1h
         balance => free=5 debt=0 pending=0 # G4: only the rest is spendable
         rows => rows=issued>free:later:8,free>debt:later:3 event=grant_started
         +2h
         balance => free=0",
    );
    // Settling takes free credits in burn order, whichever came back.
    table(
        "account a overdraft=10
         grant top amount=3
         grant gift kind=promo amount=2
         reserve h amount=5 ttl=24h
         reserve z amount=0
         commit z amount=4 => overdrawn=4
         release h => released=5
         rows => rows=held>free:gift:2,held>free:top:3,free>debt:gift:2,free>debt:top:2 # G4
         balance => free=1 debt=0",
    );
}

#[test]
fn g5_a_grant_id_is_one_grant_for_ever() {
    table(
        "account a
         grant evt amount=5 expires=1h
         grant evt amount=5.000000 expires=1h => replayed=true free=5 after=5 # G5
         charge c amount=2
         +400d
         grant evt amount=5 expires=1h => replayed=true free=5 settled=0 after=0 # G5: one grant, as answered then
         grant evt amount=6 expires=2h => ID_REUSED fields=amount,expires_in # I3
         forget
         grant evt amount=5 expires=1h => replayed=true free=5 settled=0 # G5: from the ledger
         grant evt amount=5 expires=1h kind=promo => ID_REUSED fields=kind
         balance => free=0 sequence=4
         account b
         grant evt amount=7 => replayed=false free=7 # G5: unique per account",
    );
}

#[test]
fn g6_a_revoke_takes_the_unpinned_part_at_once() {
    table(
        "account a
         grant g amount=10
         grant keep final amount=1
         reserve h amount=4 ttl=24h
         reserve i amount=2 ttl=24h
         revoke g => revoked=4 outstanding=6 replayed=false # G6
         rows => rows=free>issued:g:4
         revoke g => revoked=4 outstanding=6 replayed=true # G6: once per grant
         revoke keep => NON_REFUNDABLE # G6
         revoke nobody => GRANT_NOT_FOUND
         commit h amount=1 => by=g:1 released=3 # G6: the pins when they come back
         rows => rows=held>spent:g:1,held>issued:g:3
         release i => released=2
         rows => rows=held>issued:g:2
         balance => free=1 held=0
         grants => keep=ACTIVE:1:0 g=REVOKED:0:0",
    );
    table(
        "account a
         grant later amount=3 starts=1h
         grant spent amount=1
         grant gone amount=2 expires=1h
         grant m kind=allowance amount=3 expires=1h rolls=24h
         charge c amount=6
         refund c amount=5 => to=spent:1,gone:2,m:2
         reserve h amount=2 ttl=24h => pinned=m:2
         charge d amount=2 => by=gone:2
         revoke later => revoked=3 outstanding=0 # G6: a pending one lapses
         rows => event=charge
         revoke gone => revoked=0 outstanding=0
         refund d amount=1 => to=~refund:12:1 # G6: a revoked grant is no source any more
         +1h
         revoke m => revoked=0 outstanding=2 # G6: of an expired one its pins
         release h => released=2
         rows => rows=held>issued:m:2
         revoke ~refund:12 => revoked=1
         revoke spent => revoked=1
         balance => free=0 held=0 pending=0
         forget
         revoke later => revoked=3 replayed=true # G6, I4: from the ledger
         revoke m => revoked=0 outstanding=2 replayed=true",
    );
}

#[test]
fn g7_before_its_start_a_grant_is_pending() {
    table(
        "account a
         grant later amount=8 starts=1h expires=3h => state=PENDING free=8 # G7: visible
         balance => free=0 pending=8 available=0 sequence=2 # G7: not free
         grants => later=PENDING:8:0
         rows => rows= # G7: not posted
         reserve h amount=0.000001 => INSUFFICIENT_CREDITS available=0
         +3599s
         +999999us
         balance => free=0 pending=8 sequence=2
         +1us
         balance => free=8 pending=0 sequence=3
         rows => rows=issued>free:later:8 event=grant_started actor=clock
         +2h
         balance => free=0 sequence=4",
    );
}
