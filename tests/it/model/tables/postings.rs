//! The posting table: what each event debits and credits, in the order of its effects.

use crate::model::script::table;

#[test]
fn rows_stand_in_the_order_of_their_effects() {
    // Burns in burn order, in one grant the own pin first, then debt, absorbed; pins that come back.
    table(
        "account a overdraft=1
         grant g amount=10
         rows => rows=issued>free:g:10 event=grant
         reserve h amount=6 ttl=24h
         rows => rows=free>held:g:6 event=reserve
         extend h ttl=24h amount=1
         rows => rows=free>held:g:1 event=extend
         commit h amount=12
         rows => rows=held>spent:g:7,free>spent:g:3,debt>spent::1,absorbed>spent::1 event=commit
         grant g2 amount=3
         rows => rows=issued>free:g2:3,free>debt:g2:1
         refund h amount=2
         rows => rows=spent>free:g:1,spent>free:~refund:7:1 event=refund
         reserve i amount=1
         release i
         rows => rows=held>free:~refund:7:1 event=release
         charge c amount=2
         rows => rows=free>spent:~refund:7:1,free>spent:g:1 event=charge
         revoke g2
         rows => rows=free>issued:g2:2 event=revoke",
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
         rows => rows=free>free:month>~rollover:month:1 event=grant_expired
         release h
         rows => rows=held>free:month>~rollover:month:2
         release i
         rows => rows=held>breakage:month:1
         close
         rows => rows=free>breakage:~rollover:month:3,free>breakage:top:4 event=account_closed",
    );
    // Charge on credit; a pin that comes back after a revoke.
    table(
        "account a overdraft=5 credit=5
         grant g amount=2
         reserve h amount=2
         revoke g
         charge c amount=3
         rows => rows=debt>spent::3
         release h
         rows => rows=held>issued:g:2
         balance => debt=3 free=0",
    );
}
