//! The stream of operations: each answered by itself, a slow reader alone with its slowness, an end that loses nothing unsaid.

use std::{collections::BTreeSet, path::Path, time::Duration};

use holdbook::{
    cli::stream::{MeterStream, status},
    proto::{
        ChargeRequest, CommitRequest, ExtendRequest, GetAccountRequest, GetBalanceRequest,
        MeterRequest, MeterResponse, RefundRequest, ReleaseRequest, ReserveRequest,
        account_service_client::AccountServiceClient, commit_request::What,
        meter_request::Operation, meter_response::Outcome,
        metering_service_client::MeteringServiceClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming, transport::Channel};
use tonic_types::StatusExt;

use crate::support::{Stack, fund};

#[allow(dead_code, reason = "its main is for those who start it")]
#[path = "../../clients/meter.rs"]
mod example;

const ACCOUNT: &str = "acme";

fn reserve(hold: &str, amount: &str) -> Operation {
    Operation::Reserve(ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        amount: amount.into(),
        ..Default::default()
    })
}

fn commit(hold: &str, amount: &str) -> Operation {
    Operation::Commit(CommitRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        what: Some(What::Amount(amount.into())),
        ..Default::default()
    })
}

fn release(hold: &str) -> Operation {
    Operation::Release(ReleaseRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        durability: 0,
    })
}

async fn funded(amount: &str) -> Stack {
    let stack = Stack::start(&[]).await;
    fund(&stack.channel(), ACCOUNT, amount).await;
    stack
}

/// A stream whose two ends the test holds itself.
async fn raw(stack: &Stack) -> (mpsc::Sender<MeterRequest>, Streaming<MeterResponse>) {
    let (requests, sent) = mpsc::channel(1);
    // By default a client takes megabytes of answers that it does not read.
    let url = format!("http://{}", stack.address());
    let channel = Channel::from_shared(url).expect("an address");
    let channel = channel.initial_stream_window_size(64 * 1024).connect_lazy();
    let mut client = MeteringServiceClient::new(channel);
    let answers = client.meter(ReceiverStream::new(sent)).await;
    (requests, answers.expect("a stream").into_inner())
}

fn numbered(sequence: u64, operation: Operation) -> MeterRequest {
    MeterRequest {
        sequence,
        operation: Some(operation),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_is_answered_as_its_call_would_be() {
    let stack = funded("100").await;
    let stream = MeterStream::open(stack.channel()).await.expect("a stream");
    let done = async |operation| stream.call(operation).await.expect("done");
    let Outcome::Reserve(answer) = done(reserve("a", "10")).await else {
        panic!("another answer");
    };
    assert_eq!(
        (answer.hold.expect("it").held.as_str(), answer.replayed),
        ("10", false)
    );
    let Outcome::Reserve(again) = done(reserve("a", "10")).await else {
        panic!("another answer");
    };
    assert!(again.replayed);
    let extend = Operation::Extend(ExtendRequest {
        account_id: ACCOUNT.into(),
        hold_id: "a".into(),
        extend_id: "longer".into(),
        ttl: Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        amount: Some("5".into()),
        ..Default::default()
    });
    let Outcome::Extend(answer) = done(extend).await else {
        panic!("another answer");
    };
    assert_eq!(answer.hold.expect("it").held, "15");
    let Outcome::Commit(answer) = done(commit("a", "7")).await else {
        panic!("another answer");
    };
    assert_eq!(
        (answer.charged.as_str(), answer.released.as_str()),
        ("7", "8")
    );
    let refund = Operation::Refund(RefundRequest {
        account_id: ACCOUNT.into(),
        hold_id: "a".into(),
        refund_id: "sorry".into(),
        amount: "2".into(),
        durability: 0,
    });
    let Outcome::Refund(answer) = done(refund).await else {
        panic!("another answer");
    };
    assert_eq!(answer.balance.expect("it").free, "95");
    let charge = Operation::Charge(ChargeRequest {
        account_id: ACCOUNT.into(),
        hold_id: "now".into(),
        amount: "5".into(),
        ..Default::default()
    });
    let Outcome::Charge(answer) = done(charge).await else {
        panic!("another answer");
    };
    assert_eq!(answer.charged, "5");
    done(reserve("b", "90")).await;
    // Refused, and not known, and not right: with all that a call's status says; the stream goes on.
    let short = stream
        .call(reserve("c", "1"))
        .await
        .expect_err("no credits");
    let info = short.get_details_error_info().expect("a reason");
    assert_eq!(
        (short.code(), info.reason.as_str()),
        (Code::ResourceExhausted, "INSUFFICIENT_CREDITS")
    );
    assert_eq!(
        (
            info.metadata["short_by"].as_str(),
            info.metadata["http_status"].as_str()
        ),
        ("1", "402")
    );
    assert!(short.get_details_quota_failure().is_some());
    let unknown = stream.call(release("nothing")).await.expect_err("no hold");
    assert_eq!(
        unknown.get_details_error_info().expect("a reason").reason,
        "HOLD_NOT_FOUND"
    );
    let wrong = stream.call(reserve("", "x")).await.expect_err("two fields");
    let fields = wrong
        .get_details_bad_request()
        .expect("fields")
        .field_violations;
    assert_eq!(fields.len(), 2, "{fields:?}");
    let Outcome::Release(answer) = done(release("b")).await else {
        panic!("another answer");
    };
    assert_eq!(answer.released, "90");
    stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_operation_is_answered_under_its_sequence() {
    let stack = funded("1").await;
    let (requests, mut answers) = raw(&stack).await;
    let empty = MeterRequest {
        sequence: u64::MAX,
        ..Default::default()
    };
    requests.send(empty).await.expect("sent");
    let answer = answers
        .message()
        .await
        .expect("the stream is open")
        .expect("an answer");
    assert_eq!(answer.sequence, u64::MAX);
    let Some(Outcome::Failed(failure)) = answer.outcome else {
        panic!("done");
    };
    let fields = status(failure).get_details_bad_request().expect("fields");
    assert_eq!(fields.field_violations[0].field, "operation");
    // No more requests: the stream ends well.
    drop(requests);
    assert!(answers.message().await.expect("no error").is_none());
}

/// Who reads nothing has little done, holds up nobody, and finds every answer when it reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_harms_only_itself() {
    const HOLDS: u64 = 20_000;
    let stack = funded("1000000").await;
    let (requests, mut answers) = raw(&stack).await;
    let sender = tokio::spawn(async move {
        for n in 0..HOLDS {
            let sent = requests
                .send(numbered(n, reserve(&format!("h{n}"), "1")))
                .await;
            sent.expect("the stream is open");
        }
    });
    let open_holds = async || {
        let request = GetAccountRequest {
            account_id: ACCOUNT.into(),
        };
        let mut accounts = AccountServiceClient::new(stack.channel());
        let account = accounts
            .get_account(request)
            .await
            .expect("an account")
            .into_inner();
        u64::from(account.account.expect("it").open_holds)
    };
    // It comes to a halt: what the transport holds, and what is under way.
    let (mut before, mut now) = (u64::MAX, 0);
    while before != now {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (before, now) = (now, open_holds().await);
    }
    assert!(
        (1..HOLDS / 4).contains(&now),
        "{now} holds were made for a reader that does not read"
    );
    // Another stream meanwhile.
    let other = MeterStream::open(stack.channel()).await.expect("a stream");
    for n in 0..100 {
        let hold = format!("other-{n}");
        other.call(reserve(&hold, "1")).await.expect("done");
        other.call(release(&hold)).await.expect("done");
    }
    assert!(!sender.is_finished());
    let mut seen = BTreeSet::new();
    while seen.len() < HOLDS as usize {
        let answer = answers
            .message()
            .await
            .expect("the stream is open")
            .expect("an answer");
        assert!(
            matches!(answer.outcome, Some(Outcome::Reserve(_))),
            "{answer:?}"
        );
        assert!(seen.insert(answer.sequence), "{} twice", answer.sequence);
    }
    assert_eq!(open_holds().await, HOLDS);
}

/// What was read is answered, then the stream says why it ends; what is not answered is sent again, and done once.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_answers_what_it_has_read() {
    let stack = funded("1000").await;
    let (requests, mut answers) = raw(&stack).await;
    let sender = tokio::spawn(async move {
        for n in 0..500 {
            if requests
                .send(numbered(n, reserve(&format!("h{n}"), "1")))
                .await
                .is_err()
            {
                break;
            }
        }
        requests
    });
    let first = answers.message().await.expect("open").expect("an answer");
    let mut answered = BTreeSet::from([first.sequence]);
    let Stack {
        service,
        redis,
        postgres_url,
    } = stack;
    let stopping = tokio::spawn(service.stop());
    let why = loop {
        match answers.message().await {
            Ok(Some(answer)) => assert!(answered.insert(answer.sequence)),
            Ok(None) => panic!("an end without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(why.code(), Code::Unavailable, "{why}");
    assert_eq!(
        why.get_details_error_info().expect("a reason").reason,
        "STORE_UNAVAILABLE"
    );
    drop(answers);
    drop(sender.await);
    stopping.await.expect("no panic").expect("it stops");
    let stack = Stack::start_on(redis, postgres_url, &[]).await;
    let stream = MeterStream::open(stack.channel()).await.expect("a stream");
    for n in 0..500 {
        let again = stream.call(reserve(&format!("h{n}"), "1")).await;
        let Outcome::Reserve(again) = again.expect("done") else {
            panic!("another answer");
        };
        assert!(
            again.replayed || !answered.contains(&n),
            "h{n} was answered"
        );
    }
    stack.balanced().await;
}

/// What `clients/` shows is true.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_render_and_pay() {
    let stack = funded("18").await;
    let url = format!("http://{}", stack.address());
    let paid = example::render(url, ACCOUNT.into())
        .await
        .expect("rendered");
    assert_eq!(paid, 200);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = format!(
        "import sys; sys.path[:0] = ['tests/python', 'clients']; import stubs, meter; meter.main('{}', '{ACCOUNT}')",
        stack.address()
    );
    let output = tokio::process::Command::new(root.join(".venv/bin/python"))
        .current_dir(root)
        .args(["-c", &run])
        .output()
        .await
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim(), "200 of 200 frames are paid", "{errors}");
    let mut accounts = AccountServiceClient::new(stack.channel());
    let request = GetBalanceRequest {
        account_id: ACCOUNT.into(),
    };
    let balance = accounts.get_balance(request).await.expect("a balance");
    assert_eq!(balance.into_inner().balance.expect("it").balance, "2");
    stack.balanced().await;
}

/// A message can say what no header can: of what is no trace nothing is kept, and nothing else is touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_none_is_no_trace() {
    let stack = funded("10").await;
    let (requests, mut answers) = raw(&stack).await;
    let traces = [
        format!("\0{}01", "x".repeat(52)),
        "x".repeat(53) + "01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
    ];
    for (n, traceparent) in (0..).zip(traces) {
        let request = MeterRequest {
            traceparent,
            ..numbered(n, reserve(&format!("h{n}"), "1"))
        };
        requests.send(request).await.expect("sent");
        let answer = answers.message().await.expect("open").expect("an answer");
        assert!(
            matches!(answer.outcome, Some(Outcome::Reserve(_))),
            "{answer:?}"
        );
    }
    stack.balanced().await;
}

/// Operations that need the ledger give its connections back whether or not their answers are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_keeps_no_connection_of_the_ledger() {
    let stack = Stack::start(&["--postgres-pool=2"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    let (requests, answers) = raw(&stack).await;
    let sender = tokio::spawn(async move {
        // Nobody knows them but the ledger, which does not either.
        for n in 0..5000 {
            if requests
                .send(numbered(n, release(&format!("cold-{n}"))))
                .await
                .is_err()
            {
                break;
            }
        }
        requests
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!sender.is_finished(), "it was not held up");
    let other = MeterStream::open(stack.channel()).await.expect("a stream");
    for n in 0..20 {
        let unknown = other
            .call(release(&format!("other-{n}")))
            .await
            .expect_err("no hold");
        assert_eq!(unknown.code(), Code::NotFound, "{unknown}");
    }
    drop(answers);
    sender.abort();
}
