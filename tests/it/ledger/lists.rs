//! What callers ask the ledger: pages, single things, and waiting for the cursor.

use std::time::Duration;

use holdbook::{
    domain::{
        event::Fact,
        grant::{GrantKind, Rollover},
        hold::HoldState,
    },
    ledger::{Cursor, GrantFilter, GrantStatus, HoldFilter, TransferFilter, TransferKey},
    reconcile::LedgerWait,
};
use tokio::sync::watch;

use super::{
    EPOCH, Fresh,
    book::{Book, NEW_YEAR, credits, grant_terms},
    fresh,
};

/// Three holds and two grants of one account, the third grant pending.
async fn filled() -> Fresh {
    let fresh = fresh().await;
    let mut book = Book::new(0);
    book.created("acme")
        .grant("acme", 1, "pi_1", "100")
        .grant("acme", 2, "pi_2", "50");
    book.reserve("acme", "job-1", 1, "1")
        .reserve("acme", "job-2", 2, "2");
    book.commit("acme", "job-1", 4, 1, "1")
        .reserve("acme", "job-1", 2, "3");
    let mut terms = grant_terms(3, "spring", "7");
    terms.started = false;
    terms.starts_at = NEW_YEAR + 1_000_000_000;
    terms.expires_at = Some(NEW_YEAR + 2_000_000_000);
    terms.kind = GrantKind::Promo;
    terms.rollover = Some(Rollover {
        duration: 86_400_000_000,
        cap: Some(credits("2.5")),
    });
    book.event("acme", Fact::Grant(terms), vec![]);
    let entry = book.created("bolt").entry();
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    fresh
}

async fn all_transfers(fresh: &Fresh, filter: &TransferFilter, limit: u32) -> Vec<(u64, String)> {
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = fresh
            .ledger
            .list_transfers("acme", filter, after, limit)
            .await
            .unwrap();
        assert!(page.rows.len() <= limit as usize);
        found.extend(
            page.rows
                .iter()
                .map(|row| (row.key.sequence, row.amount.to_string())),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn transfers_come_in_order_whatever_the_page() {
    let fresh = filled().await;
    let all = [
        (2, "100"),
        (3, "50"),
        (4, "1"),
        (5, "2"),
        (6, "1"),
        (7, "3"),
    ]
    .map(|(s, a)| (s, a.to_string()));
    for limit in [1, 2, 3, 6, 7, 100] {
        assert_eq!(
            all_transfers(&fresh, &TransferFilter::default(), limit).await,
            all,
            "{limit} a page"
        );
    }
    let page = fresh
        .ledger
        .list_transfers("acme", &TransferFilter::default(), None, 1)
        .await
        .unwrap();
    assert_eq!(
        page.next,
        Some(TransferKey {
            sequence: 2,
            line: 0
        })
    );
    assert_eq!(page.rows[0].grant, Some(("pi_1".into(), GrantKind::TopUp)));
}

#[tokio::test]
async fn transfers_are_filtered_by_hold_grant_and_time() {
    let fresh = filled().await;
    let sequences = async |filter| {
        all_transfers(&fresh, &filter, 2)
            .await
            .into_iter()
            .map(|(sequence, _)| sequence)
            .collect::<Vec<_>>()
    };
    let by_hold = |id: &str| TransferFilter {
        hold_id: Some(id.into()),
        ..TransferFilter::default()
    };
    assert_eq!(sequences(by_hold("job-1")).await, [4, 6, 7]);
    assert_eq!(sequences(by_hold("job-2")).await, [5]);
    assert_eq!(sequences(by_hold("job-3")).await, [0; 0]);
    let by_grant = TransferFilter {
        grant_id: Some("pi_2".into()),
        ..TransferFilter::default()
    };
    assert_eq!(sequences(by_grant).await, [3, 5, 7]);
    let second = |n: i64| Some(NEW_YEAR + n * 1_000_000);
    let between = TransferFilter {
        occurred_from: second(3),
        occurred_before: second(6),
        ..TransferFilter::default()
    };
    assert_eq!(sequences(between).await, [3, 4, 5]);
}

#[tokio::test]
async fn holds_come_newest_first_and_an_id_used_again_is_two_holds() {
    let fresh = filled().await;
    let page = fresh
        .ledger
        .list_holds("acme", &HoldFilter::default(), None, 2)
        .await
        .unwrap();
    let ids: Vec<_> = page
        .rows
        .iter()
        .map(|row| (row.sequence, row.hold_id.as_str(), row.state))
        .collect();
    assert_eq!(
        ids,
        [(7, "job-1", HoldState::Open), (5, "job-2", HoldState::Open)]
    );
    assert_eq!(page.rows[0].labels["project"], "short \"film\"");
    let last = fresh
        .ledger
        .list_holds("acme", &HoldFilter::default(), page.next, 2)
        .await
        .unwrap();
    assert_eq!(
        (last.rows.len(), last.rows[0].state, last.next),
        (1, HoldState::Committed, None)
    );
    let open = HoldFilter {
        state: Some(HoldState::Committed),
        ..HoldFilter::default()
    };
    let page = fresh
        .ledger
        .list_holds("acme", &open, None, 10)
        .await
        .unwrap();
    assert_eq!(
        page.rows.iter().map(|row| row.sequence).collect::<Vec<_>>(),
        [4]
    );
    let packed = fresh.ledger.hold_packed("acme", "job-1").await.unwrap();
    assert_eq!(packed.as_deref(), Some(b"job-1 open".as_slice()));
    assert_eq!(
        fresh.ledger.hold_packed("bolt", "job-1").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_grant_expires_with_the_clock_also_when_no_event_says_so() {
    let fresh = filled().await;
    let states = async |now, status| {
        let page = fresh
            .ledger
            .list_grants("acme", &GrantFilter { status, now }, None, 10)
            .await
            .unwrap();
        page.rows
            .into_iter()
            .map(|row| (row.no, row.status))
            .collect::<Vec<_>>()
    };
    let (before, after) = (NEW_YEAR, NEW_YEAR + 2_000_000_000);
    let active = [(2, GrantStatus::Active), (1, GrantStatus::Active)];
    assert_eq!(
        states(before, None).await,
        [(3, GrantStatus::Pending), active[0], active[1]]
    );
    assert_eq!(
        states(after - 1, None).await,
        [(3, GrantStatus::Pending), active[0], active[1]]
    );
    assert_eq!(
        states(after, None).await,
        [(3, GrantStatus::Expired), active[0], active[1]]
    );
    assert_eq!(states(after, Some(GrantStatus::Active)).await, active);
    let page = fresh
        .ledger
        .list_grants(
            "acme",
            &GrantFilter {
                status: None,
                now: before,
            },
            Some(3),
            1,
        )
        .await
        .unwrap();
    assert_eq!((page.rows[0].no, page.next), (2, Some(2)));
}

#[tokio::test]
async fn single_things_are_found_by_what_callers_know() {
    let fresh = filled().await;
    let spring = fresh.ledger.grant("acme", "spring").await.unwrap().unwrap();
    assert_eq!(
        (spring.no, spring.status, spring.priority),
        (3, GrantStatus::Pending, 100)
    );
    assert_eq!(
        spring.rollover,
        Some(Rollover {
            duration: 86_400_000_000,
            cap: Some(credits("2.5"))
        })
    );
    assert_eq!(fresh.ledger.grant("bolt", "spring").await.unwrap(), None);
    for _ in 0..2 {
        let names = fresh.ledger.grant_names("acme", &[1, 3, 9]).await.unwrap();
        let mut ids: Vec<_> = names
            .iter()
            .map(|(no, name)| (*no, name.grant_id.to_string(), name.kind))
            .collect();
        ids.sort_by_key(|(no, ..)| *no);
        assert_eq!(
            ids,
            [
                (1, "pi_1".into(), GrantKind::TopUp),
                (3, "spring".into(), GrantKind::Promo)
            ]
        );
    }
    let made = fresh.ledger.deed("acme", "created").await.unwrap().unwrap();
    assert!(made.starts_with(b"acme/1/"));
    assert_eq!(fresh.ledger.deed("acme", "closed").await.unwrap(), None);
}

#[tokio::test]
async fn who_waits_for_the_ledger_hears_of_it_from_another_process() {
    let fresh = fresh().await;
    let waits = LedgerWait::new(&fresh.ledger).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let (long, none) = (Duration::from_secs(30), Duration::ZERO);
    assert!(waits.wait_for(0, EPOCH, 0, none).await);
    assert!(!waits.wait_for(0, EPOCH, 1, none).await);
    let told = waits.clone();
    let hear = tokio::spawn(
        fresh
            .ledger
            .clone()
            .watch_cursors(move |id, cursor| told.reached(id, cursor), stopped),
    );
    let mut writer = fresh.ledger.writer().await.unwrap();
    let mut book = Book::new(0);
    let entries = [book.created("acme").entry(), book.created("bolt").entry()];
    writer.post(0, fresh.start, &entries).await.unwrap();
    assert!(waits.wait_for(0, EPOCH, 2, long).await);
    assert!(waits.wait_for(0, EPOCH, 1, none).await);
    // Its connection is cut: it makes a new one and goes on.
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' or query like '%from partitions'";
    fresh.owner.batch_execute(cut).await.unwrap();
    let mut writer = fresh.ledger.writer().await.unwrap();
    let next = book.created("cole").entry();
    writer
        .post(0, Cursor { epoch: EPOCH, n: 2 }, &[next])
        .await
        .unwrap();
    assert!(waits.wait_for(0, EPOCH, 3, long).await);
    // Nobody can tell what became of an older era, and no other partition has moved.
    assert!(!waits.wait_for(0, EPOCH - 1, 1, long).await);
    assert!(!waits.wait_for(1, EPOCH, 1, none).await);
    assert!(!waits.wait_for(7, EPOCH, 0, long).await);
    stop.send_replace(true);
    hear.await.unwrap();
}
