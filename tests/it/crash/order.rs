//! The order of steps, each cut off right before the one that must not come first: entry and state, rows and cursor, post and trim, the
//! stream's rest and the new era, an era's end and its last word.

use tokio_postgres::NoTls;

use super::*;

/// Postgres ends whoever comes to wait for this table, while something is done that does.
async fn cut_at<T>(postgres_url: &str, table: &str, doing: impl Future<Output = T>) -> T {
    let (mut owner, connection) = tokio_postgres::connect(postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let lock = owner.transaction().await.expect("a transaction");
    lock.batch_execute(&format!("lock table {table} in exclusive mode"))
        .await
        .expect("its writers have to wait");
    let cut = async {
        // The lock tables are read anew by every query, so this ends as soon as somebody has come to the lock.
        let waits = format!(
            "select pg_terminate_backend(pid) from pg_locks where not granted and relation = '{table}'::regclass
             and database = (select oid from pg_database where datname = current_database())"
        );
        while lock.query(&waits, &[]).await.expect("an answer").is_empty() {}
    };
    let (done, ()) = tokio::join!(doing, cut);
    lock.rollback().await.expect("the lock is gone");
    done
}

/// Whatever Postgres has of a post that was cut at the cursor, posting the same again makes nothing double.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_cut_at_the_cursor() {
    let url = support::postgres_url().await;
    let rooms = Rooms::open_on(support::redis().await, &url).await;
    rooms.used().await;
    // Its statements are prepared then, which waits for the lock, too.
    let mut relay = rooms.relay();
    assert!(relay.step().await.expect("a step") > 0);
    rooms.commit("frame-2").await.expect("a commit");
    let (from, entries) = relay.read().await.expect("entries");
    let posted = cut_at(&url, "partitions", relay.post(from, &entries)).await;
    assert!(posted.is_err(), "{posted:?}");
    rooms.whole().await;
}

/// A post that fails has trimmed nothing: the entries are there for the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_cannot_post_leaves_the_stream_as_it_was() {
    let url = support::postgres_url().await;
    let rooms = Rooms::open_on(support::redis().await, &url).await;
    rooms.fund().await;
    let mut relay = rooms.relay();
    assert!(relay.step().await.expect("a step") > 0);
    for hold in ["frame-1", "frame-2"] {
        rooms.reserve(hold).await.expect("a hold");
    }
    let (_, before) = relay.read().await.expect("entries");
    let stepped = cut_at(&url, "partitions", relay.step()).await;
    assert!(stepped.is_err(), "{stepped:?}");
    let (_, after) = rooms.relay().read().await.expect("entries");
    assert_eq!(after.len(), before.len(), "none is gone");
    rooms.whole().await;
}

/// Nobody keeps a second copy here: what the recovery does not post itself is lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_survived_in_the_stream_is_posted_before_the_new_era() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let entries = rooms.holds.head(0).await.expect("Redis answers").n;
    let before = rooms.run(Verb::Read).await.expect("an answer").balance;
    let mut server = rooms.redis.lock().await;
    server.restart().await.expect("Redis comes back");
    drop(server);
    assert_eq!(rooms.recover().await, Look::Recovered);
    let report = rooms.ledger.last_recoveries().await.expect("a row")[&0];
    assert_eq!((report.drained, report.missing), (entries, 0));
    while rooms.memory().touch(ACCOUNT).await.is_err() {}
    let after = rooms.run(Verb::Read).await.expect("an answer").balance;
    assert_eq!((after.free, after.held), (before.free, before.held));
    rooms.whole().await;
}

/// A relay that was slow tells Redis of an era that is over: it would let go of what the new one does not have yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_of_an_older_era_is_not_published() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    rooms.whole().await;
    let old = rooms.holds.head(0).await.expect("Redis answers");
    let mut server = rooms.redis.lock().await;
    server.restart().await.expect("Redis comes back");
    drop(server);
    assert_eq!(rooms.recover().await, Look::Recovered);
    let late = rooms
        .holds
        .publish_ledger(0, (old.epoch, old.n), None)
        .await;
    assert!(matches!(late, Err(HoldsError::Fenced(_))), "{late:?}");
    let head = rooms.holds.head(0).await.expect("Redis answers");
    assert_eq!((head.n, head.ledger_n), (0, 0));
    rooms.whole().await;
}

/// Redis refuses the last write of a call: its entry stands in the stream, so what the call has written of the account is no secret
/// from the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_breaks_in_the_middle_is_in_the_stream() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    rooms.whole().await;
    let before = rooms.holds.head(0).await.expect("Redis answers");
    let client = redis::Client::open(rooms.redis.lock().await.url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("Redis answers");
    let meta: Vec<String> = redis::cmd("KEYS")
        .arg("hb:*:meta")
        .query_async(&mut connection)
        .await
        .expect("one partition");
    let due = meta[0].replace(":meta", ":due");
    let broken: String = redis::cmd("SET")
        .arg(&due)
        .arg("no sorted set")
        .query_async(&mut connection)
        .await
        .expect("an answer");
    assert_eq!(broken, "OK");
    let reserve = Operation {
        account: ACCOUNT.into(),
        verb: Rooms::reserve_of("frame-1"),
        caller: Caller::default(),
        remembered: Some(rooms.never_seen()),
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    };
    let answer = rooms.holds.run(reserve).await;
    assert!(matches!(answer, Err(HoldsError::CutShort(_))), "{answer:?}");
    let entries = rooms.holds.read_log(0, before.epoch, before.n, 10).await;
    assert_eq!(entries.expect("Redis answers").len(), 1, "its entry");
    let deleted: i64 = redis::cmd("DEL")
        .arg(&due)
        .query_async(&mut connection)
        .await
        .expect("an answer");
    assert_eq!(deleted, 1);
    assert_eq!(rooms.recover().await, Look::Recovered);
    let again = rooms.reserve("frame-1").await.expect("an answer");
    assert!(again.replayed, "the call was done once");
    assert_eq!(again.balance.held, credits("2"));
    rooms.whole().await;
}
