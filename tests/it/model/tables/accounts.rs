//! C: the account and its states.

use crate::model::script::table;

#[test]
fn c1_active_suspended_frozen_closed() {
    table(
        "account a
         grant g amount=10
         reserve h amount=4 ttl=24h
         reserve i amount=2 ttl=24h
         update suspend => state=SUSPENDED
         reserve j amount=1 => ACCOUNT_SUSPENDED # C1: no new reserve
         charge j amount=1 => ACCOUNT_SUSPENDED # C1: nor charge
         extend h ttl=24h amount=1 => ACCOUNT_SUSPENDED
         grant g2 amount=1
         commit h part=c amount=1 => charged=1
         freeze
         show => state=FROZEN
         reserve j amount=1 => ACCOUNT_FROZEN # C1
         charge j amount=1 => ACCOUNT_FROZEN # C1
         grant g3 amount=1 => ACCOUNT_FROZEN # C1
         grant g2 amount=1 => replayed=true
         extend h ttl=24h amount=1 => ACCOUNT_FROZEN
         extend h id=free ttl=24h => promised=0
         commit h amount=1 => charged=1 # C1: commits and releases go on
         release i => released=2 # C1
         refund h amount=1 => to=g:1
         revoke g2 => revoked=1
         unfreeze
         show => state=SUSPENDED # C1: suspension survives a freeze
         update activate => state=ACTIVE
         reserve j amount=1 => pinned=g:1
         close
         show => state=CLOSED",
    );
}

#[test]
fn c2_closing_ends_grants_and_lets_open_holds_go_on() {
    table(
        "account a overdraft=5
         grant g amount=10
         grant m kind=allowance amount=2 expires=1h rolls=24h
         grant later amount=5 starts=1h
         reserve h amount=4 ttl=24h => pinned=m:2,g:2
         reserve i amount=1 ttl=24h
         reserve e amount=2 ttl=30h => INVALID field=ttl
         reserve e amount=2 ttl=2h
         charge c amount=1
         close => breakage=4 lapsed=5 replayed=false # C2
         rows => rows=free>breakage:g:4 event=account_closed
         close => breakage=4 lapsed=5 replayed=true # I1: by the account
         balance => free=0 held=7 pending=0
         grant g3 amount=1 => ACCOUNT_CLOSED # C2
         grant g amount=10 => replayed=true
         reserve j amount=0 => ACCOUNT_CLOSED # C2
         charge j amount=0 => ACCOUNT_CLOSED # C2
         extend h ttl=24h amount=1 => ACCOUNT_CLOSED INSUFFICIENT_CREDITS # C2
         extend h id=y ttl=24h
         refund c amount=1 => ACCOUNT_CLOSED # C2
         update overdraft=1 => ACCOUNT_CLOSED
         +2h
         hold e => state=EXPIRED # C2: open holds go on
         rows => rows=held>breakage:g:2
         commit h amount=3 => charged=3 released=1 # C2: what they return is breakage
         rows => rows=held>spent:m:2,held>spent:g:1,held>breakage:g:1
         release i => released=1
         commit e amount=9 => overdrawn=5 absorbed=4 late=true
         balance => free=0 held=0 debt=5 # C2: debt stays
         grants => later=CLOSED:0:0 g=CLOSED:0:0 m=CLOSED:0:0
         account a overdraft=5 => replayed=true # C2: the id is never reused
         account a => ID_REUSED fields=overdraft_limit
         show => state=CLOSED",
    );
}

#[test]
fn c3_limits_and_states_change_as_events_with_an_etag() {
    table(
        "account a slots=1
         show => etag=1 slots=1 overdraft=0 credit=0
         update overdraft=10 credit=5 etag=1 => etag=2 overdraft=10 credit=5 slots=1
         update activate etag=1 => ETAG_MISMATCH etag=2 # C3
         update credit=11 etag=1 => ETAG_MISMATCH
         update overdraft=10 credit=5 slots=1 activate => etag=2 # one that changes nothing is no event
         balance => sequence=2
         update slots=1000001 => INVALID field=max_open_holds
         update slots=0 => slots=0 etag=3
         balance => sequence=3 # C3: an event
         grant g amount=1
         show => etag=3 # etag counts what the operator changes
         freeze
         show => etag=4
         unfreeze
         update suspend etag=5 => etag=6
         close
         show => etag=7
         update activate etag=6 => ACCOUNT_CLOSED",
    );
}
