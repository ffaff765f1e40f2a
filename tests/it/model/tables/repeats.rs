//! I: every call is safe to send again.

use crate::model::script::table;

#[test]
fn i1_every_mutating_call_is_safe_to_send_again() {
    table(
        "account a overdraft=9 slots=3
         account a overdraft=9.0 slots=3 => replayed=true # I1: CreateAccount
         grant g amount=20
         grant g amount=20 => replayed=true # I1: Grant
         reserve h amount=5
         reserve h amount=5.000 => replayed=true pinned=g:5 # I1: Reserve
         extend h id=x ttl=2h amount=1
         extend h id=x ttl=2h amount=1 => replayed=true pinned=g:1 # I1: Extend
         commit h part=c1 amount=1
         commit h part=c1 amount=1 => replayed=true charged=1 # I1: partial Commit
         commit h part=c2 amount=1 => replayed=false charged=1
         commit h amount=2
         commit h amount=2 => replayed=true charged=2 released=2 # I1: final Commit
         commit h part=c1 amount=1 => replayed=true charged=1
         commit h id=c1 amount=2 => ID_REUSED fields=commit_id # a commit id of a final one is content
         reserve r amount=3
         release r
         release r => replayed=true released=3 # I1: Release
         charge c amount=4
         charge c amount=4 => replayed=true charged=4 # I1: Charge
         refund c id=r1 amount=1
         refund c id=r1 amount=1 => replayed=true to=g:1 # I1: Refund
         refund c id=r2 amount=1 => replayed=false
         refund h id=r1 amount=1 => replayed=false # an id of its own hold
         revoke g => revoked=15
         revoke g => revoked=15 replayed=true # I1: Revoke
         balance => sequence=14 free=0 held=0
         close
         close => replayed=true # I1: CloseAccount",
    );
}

#[test]
fn i1_calls_sent_twice_at_once_are_done_once() {
    table(
        "account a overdraft=9
         | account b
         | account b
         in a
         grant g amount=100
         | reserve h1 amount=1
         | reserve h1 amount=1
         | charge c1 amount=3
         | charge c1 amount=3
         | reserve h2 amount=2
         | grant g2 amount=5 kind=promo
         | reserve h2 amount=2
         | grant g2 amount=5 kind=promo
         | reserve h3 amount=4 ttl=1h
         | charge c2 amount=8
         | charge c2 amount=8
         | reserve h3 amount=4 ttl=1h
         | reserve h4 amount=1 ttl=1h
         balance => held=8 free=86 sequence=9 # I1, O1
         | commit h1 part=a amount=0.25
         | extend h2 id=x ttl=2h amount=1
         | commit h1 part=b amount=0.25
         | commit h1 part=a amount=0.25
         | refund c1 id=r amount=2
         | extend h2 id=x ttl=2h amount=1
         | revoke g2
         | release h4
         | commit h1 part=b amount=0.25
         | refund c1 id=r amount=2
         | revoke g2
         | release h4
         balance => sequence=15
         +1h
         | commit h3 amount=3 part=late
         | commit h2 amount=3
         | charge c3 amount=1
         | commit h3 amount=3 part=late
         | charge c3 amount=1
         | commit h2 amount=3
         balance => held=0 sequence=20
         | close
         | close
         | close
         show => state=CLOSED",
    );
}

#[test]
fn i2_a_repeat_gives_the_first_outcome_with_the_status_of_now() {
    table(
        "account a
         grant g amount=10
         reserve h amount=4 ttl=1h => after=6 is=OPEN durability=APPLIED
         extend h id=x ttl=2h amount=1 => after=5
         commit h part=c amount=2 => released=0 after=5
         reserve h amount=4 ttl=1h => replayed=true pinned=g:4 after=5 is=OPEN # I2: as answered then, balance of now
         commit h amount=1 => released=2 after=7
         reserve h amount=4 ttl=1h => replayed=true pinned=g:4 after=7 is=COMMITTED # I2: status of now
         extend h id=x ttl=2h amount=1 => replayed=true pinned=g:1 is=COMMITTED after=7
         reserve h amount=4 ttl=1h durability=ledger => replayed=true durability=LEDGER # I2: waits if it asks for more
         reserve h amount=4 ttl=3600s => replayed=true
         commit h amount=1 durability=ledger => replayed=true released=2",
    );
    table(
        "account a
         grant g amount=10
         ledger stops
         reserve h amount=4 durability=ledger => pinned=g:4 durability=APPLIED # less than asked is no error: the effect exists
         balance => held=4
         ledger goes-on
         reserve h amount=4 durability=ledger => replayed=true pinned=g:4 durability=LEDGER # I2: waits if it asks for more
         rows => rows=free>held:g:4",
    );
    table(
        "account a
         grant g amount=10 expires=1h
         revoke g => revoked=10 after=0
         grant g amount=10 expires=1h => replayed=true free=10 state=ACTIVE after=0 # I2",
    );
}

#[test]
fn i3_the_same_id_with_other_content_names_the_fields() {
    table(
        "account a overdraft=5
         account a overdraft=5 credit=0 => ID_REUSED fields=credit_limit # I3: absent and default differ where a field can be absent
         account a slots=1 => ID_REUSED fields=overdraft_limit,max_open_holds
         grant g amount=50 starts=-1s
         grant g amount=50 priority=100 => ID_REUSED fields=priority,starts_at
         grant g amount=50 starts=-1s final expires=1h rolls=1h => ID_REUSED fields=expires_in,rollover,non_refundable
         reserve h amount=4 labels=project:p1,node:n2
         reserve h amount=4 labels=node:n2,project:p1 => replayed=true
         reserve h amount=4 labels=node:n2,project:p1 allow => ID_REUSED fields=overage # I3: absent is what the plan says
         reserve h amount=4.000001 ttl=1h reject max=9 => ID_REUSED fields=amount,ttl,overage,max_commit,labels # I3
         charge h amount=4 => ID_REUSED fields=method # I3
         extend h id=x ttl=1h
         extend h id=x ttl=1h amount=1 => ID_REUSED fields=amount
         commit h part=c amount=1
         commit h part=c all => ID_REUSED fields=amount,all_held # I3
         commit h all
         commit h amount=3 => ID_REUSED fields=amount,all_held # I3: also if it is what was charged
         refund h id=r amount=1
         refund h id=r amount=2 => ID_REUSED fields=amount
         charge c amount=1
         reserve c amount=1 => ID_REUSED fields=method
         balance => free=46 sequence=8",
    );
}

#[test]
fn labels_are_kept_as_sent_within_their_bounds() {
    let many = |count: usize| -> String {
        let pairs: Vec<String> = (0..count).map(|i| format!("k{i:02}:v")).collect();
        pairs.join(",")
    };
    let (key, longer) = ("k".repeat(63), "k".repeat(64));
    let value = "v".repeat(255);
    // 4 * (1 + 255) = 1024
    let full = format!("a:{value},b:{value},c:{value},d:{value}");
    let (sixteen, seventeen) = (many(16), many(17));
    table(&format!(
        "account a
         grant g amount=9
         reserve h amount=1 labels=user:ü,node: => is=OPEN
         hold h => labels=node:,user:ü
         reserve i amount=1 labels={sixteen}
         hold i => labels={sixteen}
         reserve j amount=1 labels={seventeen} => INVALID field=labels
         reserve j amount=1 labels={key}:v
         reserve k amount=1 labels={longer}:v => INVALID field=labels
         reserve k amount=1 labels=:v => INVALID field=labels
         reserve k amount=1 labels=k:{value}v => INVALID field=labels
         reserve k amount=1 labels={full}
         reserve l amount=1 labels={full},e: => INVALID field=labels
         charge l amount=1 labels={full},e: => INVALID field=labels
         charge l amount=1 labels=project:p
         hold l => labels=project:p",
    ));
}

#[test]
fn i4_a_hold_id_is_remembered_for_the_window_after_its_end() {
    table(
        "account a
         grant g amount=20
         reserve h amount=4
         reserve open amount=1 ttl=1h
         release h => released=4
         charge c amount=1
         +24h
         reserve h amount=4 => replayed=true # I4: at least the window
         charge c amount=1 => replayed=true
         reserve open amount=1 ttl=1h => replayed=true is=EXPIRED
         +1us
         reserve h amount=5 => replayed=false pinned=g:5 # I4: after that it is a new hold
         release h => released=5 replayed=false # I4: every verb means the newest
         charge c amount=2 => replayed=false charged=2
         reserve open amount=1 ttl=1h => replayed=true # it ended an hour later
         holds => holds=c:COMMITTED:0,h:RELEASED:0,c:COMMITTED:0,open:EXPIRED:0,h:RELEASED:0",
    );
    // Nobody looked: the hold expires in the very call that uses its id again.
    table(
        "account a
         grant g amount=20
         reserve h amount=4 ttl=1h
         reserve i amount=5 ttl=1h
         +25h
         +1us
         charge h amount=6 => replayed=false by=g:6 # I4, T2
         reserve i amount=7 => replayed=false pinned=g:7
         hold h => state=COMMITTED charged=6
         hold i => state=OPEN amount=7
         balance => held=7 free=7
         holds => holds=i:OPEN:7,h:COMMITTED:0,i:EXPIRED:0,h:EXPIRED:0",
    );
}

#[test]
fn i4_after_the_window_a_commit_is_answered_from_the_ledger() {
    table(
        "account a
         grant g amount=10
         reserve h amount=6 ttl=1h labels=project:p1
         extend h id=x ttl=2h amount=1 => pinned=g:1
         commit h part=c1 amount=2 => charged=2
         commit h amount=3 => charged=3 released=2
         refund h id=r1 amount=1 => to=g:1
         +24h
         +1us
         forget
         commit h amount=3 => replayed=true charged=3 released=2 late=false # I4: outcomes are answered for ever
         commit h part=c1 amount=2 => replayed=true charged=2 released=0 # I4
         commit h part=c2 amount=1 => HOLD_ENDED state=COMMITTED
         commit h amount=4 => ID_REUSED fields=amount # I3
         extend h id=x ttl=2h amount=1 => replayed=true pinned=g:1 # I4
         extend h id=x ttl=2h => ID_REUSED fields=amount
         extend h id=y ttl=2h => HOLD_ENDED state=COMMITTED
         refund h id=r1 amount=1 => replayed=true to=g:1 # I4
         refund h id=r2 amount=4.000001 => ABOVE_HOLD limit=4
         refund h id=r2 amount=3 => replayed=false to=g:3
         refund h id=r2 amount=3 => replayed=true to=g:3
         release h => released=0 replayed=false is=COMMITTED
         hold h => state=COMMITTED charged=5 released=2 refunded=4 labels=project:p1
         balance => free=9 held=0",
    );
}

/// At the very end of the window the ledger is asked by every call, not only by the first that finds the account.
#[test]
fn i4_the_windows_last_instant_belongs_to_it_after_a_loss() {
    table(
        "account a
         grant g amount=10
         charge first amount=1
         charge second amount=2
         lose
         +24h
         charge first amount=1 => replayed=true # I4
         grant later amount=1
         charge second amount=2 => replayed=true # I4
         balance => free=8",
    );
}

#[test]
fn i4_after_the_window_a_reserve_makes_a_new_hold() {
    table(
        "account a
         grant g amount=10
         reserve h amount=6 ttl=1h
         extend h id=x ttl=2h
         commit h part=c1 amount=2
         refund h id=r1 amount=1
         commit h amount=1
         +24h
         +1us
         forget
         reserve h amount=2 labels=take:two => replayed=false pinned=g:2 # I4: used again after that it is a new hold
         hold h => state=OPEN amount=2 charged=0 labels=take:two # I4: the newest
         extend h id=x ttl=1h => replayed=false # its ids are its own
         commit h part=c1 amount=1 => replayed=false charged=1
         refund h id=r1 amount=1 => replayed=false to=g:1
         refund h id=r2 amount=0.000001 => ABOVE_HOLD limit=0
         commit h amount=1 => replayed=false is=COMMITTED
         commit h amount=1 => replayed=true
         holds => holds=h:COMMITTED:0,h:COMMITTED:0
         +24h
         +1us
         forget
         charge h amount=1 => replayed=false charged=1 # I4
         commit h part=c1 amount=1 => HOLD_ENDED
         release h => released=0
         hold h => requested=1 charged=1",
    );
}

#[test]
fn i4_after_the_window_other_ends_are_answered_from_the_ledger() {
    table(
        "account a
         grant g amount=10
         reserve r amount=1
         release r => released=1
         charge c amount=2
         reserve e amount=3 ttl=1s
         reserve l amount=4 ttl=1s
         +1s
         commit l amount=3 => late=true charged=3
         +24h
         +1us
         forget
         release r => replayed=true released=1 # I4
         commit r amount=1 => HOLD_ENDED state=RELEASED
         extend r ttl=1h => HOLD_ENDED state=RELEASED
         commit c amount=1 => HOLD_ENDED state=COMMITTED
         refund c amount=2 => to=g:2 # H14: whenever
         commit e all => LATE_WINDOW_PASSED # H11: the ledger knows when it expired
         release e => released=0 is=EXPIRED
         commit l amount=3 => replayed=true late=true charged=3 # I4
         commit l amount=4 => ID_REUSED fields=amount
         release l => released=0 is=EXPIRED
         refund l amount=1 => to=g:1
         release nobody => HOLD_NOT_FOUND
         charge c amount=9 => INSUFFICIENT_CREDITS available=8
         charge c amount=8 => replayed=false charged=8
         release r => replayed=true released=1
         balance => free=0 held=0",
    );
}
