//! D: what an account owes.

use crate::model::script::table;

#[test]
fn d1_no_commit_takes_debt_above_the_overdraft_limit() {
    table(
        "account a overdraft=10
         reserve h amount=0 ttl=24h
         commit h part=c1 amount=9.999999 => overdrawn=9.999999 absorbed=0
         commit h part=c2 amount=0.000001 => overdrawn=0.000001 absorbed=0 # D1: the limit itself
         commit h part=c3 amount=0.000001 => overdrawn=0 absorbed=0.000001 # D1: not a micro-credit above
         update overdraft=4
         balance => debt=10 # D1: lowering the limit only stops new debt
         commit h part=c4 amount=1 => overdrawn=0 absorbed=1
         grant g amount=7 => settled=7
         commit h part=c5 amount=2 => overdrawn=1 absorbed=1
         update overdraft=5
         commit h amount=2 => overdrawn=1 absorbed=1
         balance => debt=5",
    );
}

#[test]
fn d2_holds_promise_and_only_commits_make_debt() {
    table(
        "account b credit=1 => INVALID field=credit_limit # D2: credit_limit <= overdraft_limit
         account b overdraft=1 credit=1.000001 => INVALID field=credit_limit
         account a overdraft=20 credit=10
         update credit=20.000001 => INVALID field=credit_limit
         update overdraft=9.999999 => INVALID field=credit_limit
         grant g amount=5
         reserve h amount=15.000001 => INSUFFICIENT_CREDITS available=15 short_by=0.000001
         reserve h amount=12 ttl=24h => pinned=g:5 promised=7
         rows => rows=free>held:g:5 # D2: no transfer for a promise
         balance => available=3 free=0 held=5 promised=7 debt=0 # D2: it uses up the limit
         charge c amount=3 => charged=0 overdrawn=3
         balance => available=0 debt=3 promised=7
         reserve i amount=0.000001 => INSUFFICIENT_CREDITS
         extend h ttl=24h amount=0.000001 => INSUFFICIENT_CREDITS
         commit h amount=12 => charged=5 overdrawn=7 absorbed=0 # D2: debt only when committed
         balance => debt=10 promised=0 available=0",
    );
    table(
        "account a overdraft=10 credit=10
         reserve h amount=4 ttl=1h => pinned= promised=4
         extend h ttl=1h amount=2 => promised=2
         balance => available=4 promised=6 held=0
         +1h
         balance => available=10 promised=0 # D2: only while the hold is open
         reserve i amount=10 => promised=10
         release i => released=0
         balance => available=10 promised=0 debt=0
         reserve j amount=6 => promised=6
         update overdraft=3 credit=3
         balance => available=0 promised=6
         commit j amount=6 => overdrawn=3 absorbed=3",
    );
}

#[test]
fn d3_while_debt_exceeds_the_credit_limit_nothing_is_reserved() {
    table(
        "account a overdraft=20 credit=10
         reserve h amount=10 ttl=24h
         commit h part=c1 amount=10 => overdrawn=10
         reserve i amount=0 ttl=24h => promised=0 # D3: debt is not above the limit
         reserve j amount=0.000001 => INSUFFICIENT_CREDITS available=0 debt=10
         commit h amount=0.000001 => overdrawn=0.000001
         balance => available=0 debt=10.000001
         reserve j amount=0 => IN_DEBT debt=10.000001 credit_limit=10 available=0 # D3: in place of INSUFFICIENT_CREDITS
         charge c amount=0 => IN_DEBT # D3
         extend i ttl=24h amount=1 => IN_DEBT # D3, H4
         extend i ttl=24h
         grant g amount=0.000001 => settled=0.000001
         reserve j amount=0 => promised=0
         charge c amount=0 => charged=0",
    );
}

#[test]
fn d4_credits_that_become_free_settle_debt_at_once() {
    table(
        "account a overdraft=20
         grant g amount=5
         reserve h amount=5 ttl=24h
         reserve z amount=0 ttl=24h
         commit z amount=3 => overdrawn=3
         release h => released=5 # D4
         rows => rows=held>free:g:5,free>debt:g:3
         balance => free=2 debt=0",
    );
    table(
        "account a overdraft=20
         grant g amount=9
         reserve h amount=3 ttl=1h
         reserve i amount=6 ttl=24h
         reserve z amount=0 ttl=24h
         commit z amount=8 => overdrawn=8
         +1h
         balance => free=0 debt=5 held=6 # D4: the pins of an expired hold
         rows => event=hold_expired rows=held>free:g:3,free>debt:g:3
         commit i part=c amount=2 => charged=2 released=0
         commit i amount=1 => charged=1 released=3
         balance => free=0 debt=2 balance=-2 # D4: free and debt are never both positive
         refund i amount=3 => to=g:3 after=1
         rows => rows=spent>free:g:3,free>debt:g:2",
    );
}
