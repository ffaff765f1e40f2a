//! Tests of the posting table: conservation under any moves, and the page in docs/ that it renders.

use proptest::prelude::*;

use super::*;

fn moved(kind: MoveKind, grant_no: u32, to_grant_no: u32, micro: i64) -> Move {
    Move {
        kind,
        grant_no,
        to_grant_no,
        amount: Credits::from_micro(micro),
    }
}

fn transfers(moves: &[Move]) -> Vec<Transfer> {
    (0..)
        .zip(moves)
        .map(|(line, moved)| transfer(line, moved))
        .collect()
}

#[test]
fn every_move_has_the_sides_of_the_contract() {
    let table: Vec<_> = MoveKind::ALL
        .into_iter()
        .map(|kind| {
            let (debit, credit) = sides(kind);
            format!("{kind:?} {} {}", debit.name(), credit.name())
        })
        .collect();
    let expected = [
        "Issue issued free",
        "Pin free held",
        "BurnPin held spent",
        "BurnFree free spent",
        "Overdraw debt spent",
        "Absorb absorbed spent",
        "Return held free",
        "ReturnJoin held free",
        "ReturnBreak held breakage",
        "ReturnIssued held issued",
        "Lapse free breakage",
        "Roll free free",
        "Revoke free issued",
        "Refund spent free",
        "Settle free debt",
    ];
    assert_eq!(table, expected);
}

#[test]
fn a_job_above_its_hold_leaves_debt_that_the_next_grant_settles() {
    let totals = Totals::of(&transfers(&[
        moved(MoveKind::Issue, 1, 0, 100),
        moved(MoveKind::Pin, 1, 0, 60),
        moved(MoveKind::BurnPin, 1, 0, 60),
        moved(MoveKind::BurnFree, 1, 0, 40),
        moved(MoveKind::Overdraw, 0, 0, 30),
        moved(MoveKind::Absorb, 0, 0, 5),
        moved(MoveKind::Issue, 2, 0, 50),
        moved(MoveKind::Settle, 2, 0, 30),
    ]));
    let micro = Credits::from_micro;
    let expected = Totals {
        free: micro(20),
        granted: micro(150),
        absorbed: micro(5),
        spent: micro(135),
        ..Totals::default()
    };
    assert_eq!(totals, expected);
}

#[test]
fn credits_that_pass_into_a_rollover_leave_one_grant_and_arrive_in_the_other() {
    let grants = grant_totals(&transfers(&[
        moved(MoveKind::Issue, 1, 0, 100),
        moved(MoveKind::Pin, 1, 0, 30),
        moved(MoveKind::Roll, 1, 2, 50),
        moved(MoveKind::Lapse, 1, 0, 20),
        moved(MoveKind::ReturnJoin, 1, 2, 10),
        moved(MoveKind::ReturnBreak, 1, 0, 20),
    ]));
    let micro = Credits::from_micro;
    assert_eq!(
        grants[&1],
        GrantTotals {
            breakage: micro(40),
            ..GrantTotals::default()
        }
    );
    assert_eq!(
        grants[&2],
        GrantTotals {
            free: micro(60),
            ..GrantTotals::default()
        }
    );
}

fn any_move() -> impl Strategy<Value = Move> {
    (
        0..MoveKind::ALL.len(),
        0..4_u32,
        0..4_u32,
        1..=Credits::MAX.micro() / 1000,
    )
        .prop_map(|(kind, grant_no, to_grant_no, micro)| {
            moved(MoveKind::ALL[kind], grant_no, to_grant_no, micro)
        })
}

proptest! {
    #[test]
    fn credits_are_conserved_by_any_moves(moves in proptest::collection::vec(any_move(), 0..200)) {
        let transfers = transfers(&moves);
        prop_assert_eq!(transfers.len(), moves.len());
        prop_assert!(Totals::of(&transfers).conserved());
    }

    #[test]
    fn grants_add_up_to_their_account(moves in proptest::collection::vec(any_move(), 0..200)) {
        // With a grant behind every move, what the grants have is what the account has.
        let moves: Vec<_> = moves.into_iter().map(|m| Move { grant_no: m.grant_no + 1, ..m }).collect();
        let transfers = transfers(&moves);
        let (account, grants) = (Totals::of(&transfers), grant_totals(&transfers));
        let sum = |of: fn(&GrantTotals) -> Credits| grants.values().map(of).sum::<Credits>();
        prop_assert_eq!(sum(|g| g.free), account.free);
        prop_assert_eq!(sum(|g| g.held), account.held);
        prop_assert_eq!(sum(|g| g.spent), account.spent);
        prop_assert_eq!(sum(|g| g.breakage), account.breakage);
    }
}
