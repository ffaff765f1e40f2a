//! A: what an amount is.

use crate::model::script::table;

#[test]
fn a1_amounts_are_decimal_strings() {
    table(
        "account a overdraft=0.000001 # A1: the smallest amount there is
         grant smallest amount=0.000001 => free=0.000001
         grant zeros amount=0007.500000 => free=7.5 # A1: no trailing zeros out
         grant g amount=.5 => INVALID field=amount
         grant g amount=5. => INVALID field=amount
         grant g amount=-5 => INVALID field=amount
         grant g amount=+5 => INVALID field=amount
         grant g amount=1e3 => INVALID field=amount
         grant g amount=0x10 => INVALID field=amount
         grant g amount=1,5 => INVALID field=amount
         grant g amount=٣ => INVALID field=amount
         grant g amount=00000000001 => INVALID field=amount # A1: eleven digits
         grant g amount=0000000001 => free=1
         reserve h amount=x max=-1 ttl=0s => INVALID field=amount field=max_commit field=ttl # every violated field is named
         charge c amount=8.500001
         balance => balance=0 available=0 sequence=5
         reserve h amount=0
         commit h amount=2 => overdrawn=0.000001 absorbed=1.999999 after=-0.000001 # A1: `-` only on balances
         balance => balance=-0.000001 free=0 debt=0.000001",
    );
}

#[test]
fn a2_what_comes_in_stays_where_lua_is_exact() {
    table(
        "account a
         grant g amount=9000000000.000001 => INVALID field=amount
         grant g amount=8999999999.999999
         grant h amount=0.000002 => CAPACITY_LIMIT resource=credits limit=9000000000 # A2
         grant h amount=0.000001 # A2: the bound itself
         charge c amount=0 => charged=0
         reserve h amount=9000000000 => pinned=g:8999999999.999999,h:0.000001
         release h => released=9000000000 # A2: no return has to be refused
         charge d amount=9000000000 => charged=9000000000
         refund d amount=8999999999.999999 => to=h:0.000001,g:8999999999.999998
         grant i amount=0.000001
         refund d id=r2 amount=0.000001 => CAPACITY_LIMIT resource=credits",
    );
    // A2: free, held and pending count together.
    table(
        "account a
         grant g amount=4000000000
         reserve h amount=1000000000 ttl=24h
         grant later amount=4999999999.999999 starts=1h
         balance => free=3000000000 held=1000000000 pending=4999999999.999999
         grant x amount=0.000002 => CAPACITY_LIMIT resource=credits # A2
         commit h all => charged=1000000000
         grant x amount=1000000000.000002 => CAPACITY_LIMIT resource=credits # A2
         grant x amount=1000000000.000001
         +1h
         balance => free=9000000000",
    );
    // A2 counts what would come in before it settles.
    table(
        "account a overdraft=10
         grant g amount=8999999995
         reserve z amount=0
         charge c amount=8999999995
         commit z amount=10 => overdrawn=10
         grant p amount=8999999999 starts=1h
         grant x amount=1.000001 => CAPACITY_LIMIT resource=credits # A2
         grant x amount=1 => settled=1",
    );
    // A2, H4: nor does what one hold sets aside, pins and promise together.
    table(
        "account a overdraft=9000000000 credit=9000000000
         grant g amount=9000000000
         reserve h amount=8999999999.999999 ttl=1h
         extend h id=e1 ttl=1h amount=0.000002 => CAPACITY_LIMIT resource=credits limit=9000000000 # A2
         extend h id=e2 ttl=1h amount=0.000001 => pinned=g:0.000001 promised=0 # A2: the bound itself
         extend h id=e3 ttl=2h amount=0.000001 => CAPACITY_LIMIT resource=credits # A2: though the credit limit has room
         extend h id=e4 ttl=2h => promised=0
         commit h all => charged=9000000000",
    );
    // A2, H8: nor does the sum of a hold's commits pass it.
    table(
        "account a
         reserve h amount=0
         commit h part=1 amount=8999999999.999999 => absorbed=8999999999.999999
         commit h part=2 amount=0.000002 => ABOVE_MAX_COMMIT amount=9000000000.000001 limit=9000000000 # A2
         commit h amount=0.000001 => absorbed=0.000001
         hold h => absorbed=9000000000",
    );
}

#[test]
fn a3_a_seventh_decimal_is_refused() {
    table(
        "account a overdraft=1.0000001 => INVALID field=overdraft_limit # A3
         account a
         grant g amount=1.0000001 => INVALID field=amount # A3: never rounded
         grant g amount=1.0000000 => INVALID field=amount
         grant g amount=1.999999 => free=1.999999
         reserve h amount=0.0000009 => INVALID field=amount # A3
         reserve h amount=1.9999990 => INVALID field=amount
         reserve h amount=1.999999 max=1.9999999 => INVALID field=max_commit
         reserve h amount=1.999999 max=1.999999
         extend h ttl=1h amount=0.0000001 => INVALID field=amount
         commit h amount=0.0000001 => INVALID field=amount
         commit h amount=1.999999
         refund h amount=0.0000001 => INVALID field=amount
         charge c amount=0.0000001 => INVALID field=amount",
    );
}

#[test]
fn a4_reserve_commit_and_charge_may_be_0_and_credits_coming_in_may_not() {
    table(
        "account a
         grant g amount=0 => INVALID field=amount # A4
         grant g amount=0.000000 => INVALID field=amount # A4
         grant g amount=5 expires=1h rolls=1h cap=0 => INVALID field=rollover.cap
         grant g amount=5
         reserve h amount=0 max=0 => pinned= promised=0 # A4
         extend h ttl=1h amount=0 => INVALID field=amount # A4: added credits may not
         extend h ttl=1h
         commit h amount=0 => charged=0 absorbed=0 # A4
         charge c amount=0 => charged=0 # A4
         refund c amount=0 => INVALID field=amount # A4
         refund c amount=0.000001 => ABOVE_HOLD amount=0.000001 limit=0",
    );
}
