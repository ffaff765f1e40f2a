//! H: instant charges, and giving back.

use crate::model::script::table;

#[test]
fn h13_charge_is_reserve_and_commit_in_one_step() {
    table(
        "account a slots=1 overdraft=20 credit=10
         grant g amount=5
         grant gift kind=promo amount=1
         reserve h amount=2 ttl=24h => pinned=gift:1,g:1
         charge c amount=3 => charged=3 by=g:3 overdrawn=0 is=COMMITTED # H13: takes no slot
         charge d amount=11.000001 => INSUFFICIENT_CREDITS available=11 short_by=0.000001 # H13: needs available credits
         charge d amount=11 => charged=1 overdrawn=10 after=-10
         charge d amount=11 => replayed=true charged=1 by=g:1 overdrawn=10
         charge d amount=12 => ID_REUSED fields=amount
         charge d amount=11 labels=node:n1 => ID_REUSED fields=labels
         reserve d amount=11 => ID_REUSED fields=method # H13: its id is a hold id
         commit d amount=1 => HOLD_ENDED state=COMMITTED
         commit d part=c amount=1 => HOLD_ENDED
         extend d ttl=1h => HOLD_ENDED
         release d => released=0
         hold d => requested=11 charged=1 overdrawn=10 amount=0
         charge e amount=0.000001 => INSUFFICIENT_CREDITS available=0
         release h",
    );
}

#[test]
fn h14_refunds_go_where_the_charge_came_from() {
    table(
        "account a overdraft=10
         grant gone amount=2 expires=1h
         grant top amount=3
         reserve h amount=5 ttl=24h
         commit h amount=16 => by=gone:2,top:3 overdrawn=10 absorbed=1
         grant pay amount=7 => settled=7
         +1h
         refund h id=r0 amount=15.000001 => ABOVE_HOLD amount=15.000001 limit=15 # H14: never what was absorbed
         refund h id=r1 amount=11 => reduced=3 to=top:1,~refund:7:7 # H14: the overdrawn part first, against debt still owed
         rows => rows=spent>free::3,free>debt::3,spent>free:top:1,spent>free:~refund:7:7
         refund h id=r1 amount=11 => replayed=true reduced=3 to=top:1,~refund:7:7
         refund h id=r1 amount=4 => ID_REUSED fields=amount
         refund h id=r2 amount=4.000001 => ABOVE_HOLD amount=4.000001 limit=4
         refund h id=r2 amount=4 => reduced=0 to=top:2,~refund:8:2 # H14: what has no live source becomes one refund grant
         balance => free=12 debt=0
         hold h => refunded=15 charged=5 overdrawn=10 absorbed=1
         +719h
         +3599s
         +999999us
         balance => free=12
         +1us
         balance => free=3 # H14: a refund grant lives 30 days",
    );
    table(
        "account a
         grant a amount=1
         grant b amount=2
         grant c amount=3
         reserve h amount=6 ttl=24h
         commit h part=1 amount=6 => by=a:1,b:2,c:3
         refund h id=r1 amount=4 => to=c:3,b:1 # H14: last burned first; spent sources live again; also of an open hold
         commit h part=2 amount=2 => by=b:1,c:1
         refund h id=r2 amount=4 => to=c:1,b:2,a:1 # H14: by latest burn
         refund h id=r3 amount=0.000001 => ABOVE_HOLD limit=0
         hold h => state=OPEN amount=0 charged=8 refunded=8
         refund nobody amount=1 => HOLD_NOT_FOUND
         balance => free=6",
    );
    // What is free after a refund settles further debt.
    table(
        "account a overdraft=5
         grant g amount=2
         reserve h amount=2 ttl=24h
         reserve i amount=0 ttl=24h
         commit h amount=4 => charged=2 overdrawn=2
         commit i amount=2 => overdrawn=2
         refund h amount=3 => reduced=2 to=g:1 after=-1 # H14, D4
         rows => rows=spent>free::2,free>debt::2,spent>free:g:1,free>debt:g:1
         balance => debt=1 free=0",
    );
}

#[test]
fn h14_of_spent_grants_the_64_latest_are_known() {
    let others: String = (1..=64)
        .map(|i| format!("grant g{i} amount=1 durability=applied\ncharge c{i} amount=1\n"))
        .collect();
    table(&format!(
        "account a
         grant g0 amount=1
         charge c0 amount=1
         grant gx amount=1
         charge cx amount=1
         {others}
         refund c1 amount=1 => to=g1:1 # H14: the 64th latest
         charge again amount=1 => by=g1:1
         refund cx amount=1 => to=~refund:136:1 # H14: one more is too many
         refund c0 amount=1 => to=~refund:137:1
         refund again amount=1 => to=g1:1",
    ));
}
