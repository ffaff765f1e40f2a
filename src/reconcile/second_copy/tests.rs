//! What is kept for a replay, and for how long.

use super::*;
use crate::{
    domain::hold::{HoldRequest, HoldState, Method, Usage},
    holds::{
        operation::{Caller, NEVER_IN_FORCE, NewAccount},
        packed::pack_commit,
    },
};

fn release(n: u64) -> Kept {
    let operation = Operation {
        account: "acme".into(),
        verb: Verb::Release {
            hold_id: format!("frame-{n}"),
        },
        caller: crate::holds::operation::Caller::default(),
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    };
    Kept {
        epoch: 7,
        n,
        operation,
    }
}

fn copy_of(count: u64) -> SecondCopy {
    let copy = SecondCopy::new(1, 3);
    for n in 1..=count {
        copy.keep(0, release(n));
    }
    copy
}

#[test]
fn only_the_same_epoch_lets_go() {
    let copy = copy_of(4);
    copy.settle(0, Cursor { epoch: 8, n: 100 });
    assert_eq!(copy.len(0), 4, "another epoch's numbers say nothing");
    copy.settle(0, Cursor { epoch: 7, n: 3 });
    assert_eq!(copy.len(0), 1);
    let old = copy.before(0, 8);
    assert_eq!((old.len(), copy.len(0)), (1, 0));
    assert_eq!(copy_of(1).before(0, 7).len(), 0, "it is of epoch 7 itself");
}

#[test]
fn what_cannot_be_replayed_does_not_stand_before_what_comes_after() {
    let copy = copy_of(1);
    let old = copy.before(0, 8);
    copy.put_back(0, old);
    let kept = Kept {
        epoch: 8,
        ..release(1)
    };
    copy.keep(0, kept);
    copy.settle(0, Cursor { epoch: 8, n: 1 });
    assert_eq!(copy.len(0), 1, "the newer one has gone");
    assert_eq!(copy.before(0, 8).len(), 1, "the older one is tried again");
}

#[test]
fn new_holds_are_refused_first() {
    let (reserve, release) = (
        Verb::CreateAccount {
            overdraft_limit: None,
            credit_limit: None,
            max_open_holds: 0,
            given: NewAccount::default(),
        },
        Verb::CloseAccount,
    );
    for (kept, expected) in [(2, (false, false)), (3, (true, false)), (6, (true, true))] {
        let copy = copy_of(kept);
        let refused = (copy.refuses(0, &reserve), copy.refuses(0, &release));
        assert_eq!(refused, expected, "{kept} are kept");
        assert!(!copy.refuses(0, &Verb::Read));
    }
}

fn usage(version: u32) -> Option<Usage> {
    Some(Usage {
        digest: [7; 16],
        version,
        text: [0; 4],
    })
}

fn made(amount: &str, version: u32) -> HoldRequest {
    HoldRequest {
        method: Method::Reserve,
        amount: Credits::parse(amount).expect("an amount"),
        usage: usage(version),
        ttl: None,
        overage: None,
        max_commit: None,
        labels: Vec::new(),
    }
}

fn hold(request: HoldRequest) -> Hold {
    Hold {
        sequence: 1,
        state: HoldState::Open,
        request,
        late: false,
        rejects_overage: false,
        created_at: 0,
        expires_at: 1,
        ended_at: None,
        pins: Vec::new(),
        first_pins: Vec::new(),
        promised: Credits::ZERO,
        first_promised: Credits::ZERO,
        charged: Credits::ZERO,
        overdrawn: Credits::ZERO,
        absorbed: Credits::ZERO,
        released: Credits::ZERO,
        refunded: Credits::ZERO,
    }
}

fn sent(verb: Verb) -> Operation {
    Operation {
        account: "acme".into(),
        verb,
        caller: Caller::default(),
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    }
}

/// Who answered first may be gone: then only this is left of it.
#[test]
fn a_repeat_by_usage_is_kept_as_it_was_priced_the_first_time() {
    let first = hold(made("10", 1));
    let reserve = sent(Verb::Reserve {
        hold_id: "frame-1".into(),
        request: made("30", 2),
        ttl: 1,
        validate_only: false,
        in_force: NEVER_IN_FORCE,
    });
    let kept = resolved(reserve, Some(&first), None, 0).expect("it is kept");
    let Verb::Reserve { request, .. } = kept.verb else {
        panic!("{:?}", kept.verb)
    };
    assert_eq!(request, first.request);

    let part = |amount: &str, version| {
        let amount = Credits::parse(amount).expect("an amount");
        (Some(amount), usage(version))
    };
    let ((amount, usage), (was, priced)) = (part("6", 2), part("2", 1));
    let commit = sent(Verb::Commit {
        hold_id: "frame-1".into(),
        amount,
        usage,
        last: false,
        commit_id: "part".into(),
        in_force: NEVER_IN_FORCE,
    });
    let outcome = Outcome {
        sent: pack_commit(was, priced, false, "part"),
        ..Outcome::default()
    };
    let kept = resolved(commit, Some(&first), Some(&outcome), 0).expect("it is kept");
    let Verb::Commit { amount, usage, .. } = kept.verb else {
        panic!("{:?}", kept.verb)
    };
    assert_eq!((amount, usage), (was, priced));
}
