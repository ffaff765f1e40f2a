//! Spend caps of an account without a subscription, where calls of one batch or a loss of Redis come between: what was only looked at is
//! nobody's, and what is replayed is counted.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use holdbook::{
    domain::plan::Gives,
    holds::{
        operation::InForce,
        step::{self, By, Step},
    },
};

use super::*;

/// ABOVE_HOLD and SPEND_CAP.
const ABOVE_HOLD: u8 = 11;
const SPEND_CAP: u8 = 5;

fn caps_of_users() -> Gives {
    Gives {
        label_caps: BTreeMap::from([("user".into(), [None, None, Some(credits("20"))])]),
        ..Gives::default()
    }
}

/// What a catalog says for accounts without a subscription that only caps what a user spends (`lua/plan.lua`, `read_need`).
fn in_force() -> InForce {
    let caps = step::pack_caps(&caps_of_users()).expect("one cap");
    // No reason against it; 0 slots, no length, no overage rejected; no features, resolutions, levels.
    let nothing = vec![0; 1 + 4 + 7 + 1 + 3];
    InForce {
        need: [nothing, caps].concat(),
        ..NEVER_IN_FORCE
    }
}

fn for_ada(amount: &str) -> HoldRequest {
    HoldRequest {
        method: Method::Reserve,
        amount: credits(amount),
        usage: None,
        ttl: None,
        overage: None,
        max_commit: None,
        labels: vec![("user".into(), "ada".into())],
    }
}

fn reserve(hold_id: &str, amount: &str, in_force: InForce) -> Verb {
    Verb::Reserve {
        hold_id: hold_id.into(),
        request: for_ada(amount),
        ttl: HOUR,
        validate_only: false,
        in_force,
    }
}

fn commit(hold_id: &str, amount: &str) -> Verb {
    Verb::Commit {
        hold_id: hold_id.into(),
        amount: Some(credits(amount)),
        usage: None,
        last: true,
        commit_id: String::new(),
        in_force: NEVER_IN_FORCE,
    }
}

fn operation(rooms: &Rooms, account: &str, verb: Verb) -> Operation {
    Operation {
        account: account.into(),
        verb,
        caller: Caller::default(),
        remembered: Some(rooms.never_seen()),
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    }
}

/// Does again what was acknowledged; `rejects_overage` is of the hold then.
async fn replayed(rooms: &Rooms, verb: Verb, amount: &str, rejects_overage: bool) {
    let replay = Replay {
        amount: credits(amount),
        instant: LONG_AFTER,
        created: LONG_AFTER,
        rejects_overage,
        ..Replay::default()
    };
    let again = Operation {
        replay: Some(Box::new(replay)),
        ..operation(rooms, ACCOUNT, verb)
    };
    let (_, reply) = rooms.memory().run(again).await.expect("an answer");
    match reply.body {
        Body::Answer(answer) => assert!(answer.reasons.is_empty(), "{answer:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_counts_under_the_caps_of_the_catalog() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    replayed(&rooms, reserve("lost", "20", in_force()), "0", false).await;
    replayed(&rooms, commit("lost", "20"), "20", false).await;
    let more = rooms.run(reserve("more", "0.000001", in_force())).await;
    assert_eq!(more.expect("an answer").reasons, [SPEND_CAP]);
    rooms.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_hold_rejects_overage_as_it_did() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    for (hold, rejects, reasons) in [("strict", true, &[ABOVE_HOLD][..]), ("open", false, &[])] {
        replayed(&rooms, reserve(hold, "2", NEVER_IN_FORCE), "0", rejects).await;
        let above = rooms.run(commit(hold, "3")).await.expect("an answer");
        assert_eq!(above.reasons, reasons, "{hold}");
    }
    rooms.whole().await;
}

/// In one batch: a reserve that the catalog's caps refuse, a subscription that begins, the end of an older hold.
#[tokio::test(flavor = "multi_thread")]
async fn the_caps_of_a_refused_reserve_do_not_touch_a_plan_that_begins() {
    let rooms = Rooms::open().await;
    let begins = Step {
        from: 0,
        by: By::Call,
        to: 1,
        next_due: None,
        gives: Some(Gives {
            concurrency: 7,
            ..Gives::default()
        }),
        record: b"{}".to_vec(),
        said: Vec::new(),
        at: 1,
        effects: Vec::new(),
    };
    let accounts: Vec<_> = (0..20).map(|number| format!("together-{number}")).collect();
    for account in &accounts {
        let create = Verb::CreateAccount {
            overdraft_limit: None,
            credit_limit: None,
            max_open_holds: 0,
            given: NewAccount::default(),
        };
        let before = [create, Rooms::top_up(), reserve("old", "2", NEVER_IN_FORCE)];
        for verb in before {
            let done = rooms.memory().run(operation(&rooms, account, verb)).await;
            done.expect("an answer");
        }
        // A new account is looked for in the ledger, which nobody else brings forward.
        rooms.whole().await;
    }
    // Calls that are made together come into one batch more often than not.
    for account in accounts {
        let order = String::new();
        let begin = Operation {
            step: step::pack(&begins),
            ..operation(&rooms, &account, Verb::Subscription { order })
        };
        let release = Verb::Release {
            hold_id: "old".into(),
        };
        let together = [
            operation(&rooms, &account, Verb::Read),
            operation(&rooms, &account, reserve("big", "21", in_force())),
            begin,
            operation(&rooms, &account, release),
        ];
        let answers = join_all(together.map(|operation| rooms.holds.run(operation))).await;
        for answer in answers {
            answer.expect("an answer");
        }
        let (_, reply) = rooms
            .memory()
            .run(operation(&rooms, &account, Verb::Balance))
            .await
            .expect("an answer");
        let Body::Answer(answer) = reply.body else {
            panic!("{:?}", reply.body);
        };
        let plan = answer.plan.expect("a plan");
        assert!(plan.active, "{account}: {plan:?}");
        assert_eq!((plan.concurrency, plan.capped_labels.len()), (7, 0));
    }
}
