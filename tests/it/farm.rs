//! Many render nodes at once on one account: what is taken never passes what there is.

use std::sync::Arc;

use holdbook::{
    app::Service,
    proto::{
        ExtendRequest, GetBalanceRequest, ReserveRequest,
        account_service_client::AccountServiceClient,
        metering_service_client::MeteringServiceClient,
    },
    telemetry::Metrics,
};
use tokio::task::JoinSet;
use tonic::{Code, transport::Channel};

use crate::support::{Stack, channel_to, config, fund};

const ACCOUNT: &str = "farm";

/// Sends 500 reserves of 7 at once, spread over the channels; answers how many succeeded.
async fn stampede(channels: &[Channel]) -> usize {
    let mut nodes = JoinSet::new();
    let start = Arc::new(tokio::sync::Barrier::new(500));
    for node in 0..500 {
        let (mut client, start) = (
            MeteringServiceClient::new(channels[node % channels.len()].clone()),
            Arc::clone(&start),
        );
        nodes.spawn(async move {
            let reserve = ReserveRequest {
                account_id: ACCOUNT.into(),
                hold_id: format!("frame-{node}"),
                amount: "7".into(),
                ..Default::default()
            };
            start.wait().await;
            match client.reserve(reserve).await {
                Ok(_) => true,
                Err(refused) => {
                    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
                    false
                }
            }
        });
    }
    nodes
        .join_all()
        .await
        .into_iter()
        .filter(|reserved| *reserved)
        .count()
}

async fn leaves_six(stack: &Stack, channel: &Channel) {
    let request = GetBalanceRequest {
        account_id: ACCOUNT.into(),
    };
    let answer = AccountServiceClient::new(channel.clone())
        .get_balance(request)
        .await
        .expect("a balance")
        .into_inner();
    let balance = answer.balance.expect("in the answer");
    assert_eq!((balance.free.as_str(), balance.held.as_str()), ("6", "994"));
    stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_reserves_of_seven_on_a_thousand_take_142() {
    for _ in 0..3 {
        let stack = Stack::start(&[]).await;
        let channel = stack.channel();
        fund(&channel, ACCOUNT, "1000").await;
        assert_eq!(stampede(std::slice::from_ref(&channel)).await, 142);
        leaves_six(&stack, &channel).await;
    }
}

/// Three services on the same stores, as three processes would be: nothing is shared but Redis and Postgres.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_through_three_services() {
    let stack = Stack::start(&[]).await;
    let mut services = Vec::new();
    for _ in 0..2 {
        let config = config(&stack.redis.url(), &stack.postgres_url, &[]);
        services.push(
            Service::start(&config, Metrics::local().expect("metrics"))
                .await
                .expect("a further service"),
        );
    }
    let mut channels = vec![stack.channel()];
    channels.extend(services.iter().map(|service| channel_to(service.address())));
    fund(&channels[0], ACCOUNT, "1000").await;
    assert_eq!(stampede(&channels).await, 142);
    leaves_six(&stack, &channels[2]).await;
    for service in services {
        service.stop().await.expect("a graceful stop");
    }
}

/// Each call is judged by the settings of the service that it came through, whichever called before.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_with_settings_of_their_own() {
    let stack = Stack::start(&[]).await;
    let short = ["--max-ttl=1h", "--max-lifetime=1h"];
    let config = config(&stack.redis.url(), &stack.postgres_url, &short);
    let other = Service::start(&config, Metrics::local().expect("metrics"))
        .await
        .expect("a further service");
    let channels = [stack.channel(), channel_to(other.address())];
    fund(&channels[0], ACCOUNT, "1000").await;
    let reserve = ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: "long".into(),
        amount: "7".into(),
        ..ReserveRequest::default()
    };
    let mut metering = MeteringServiceClient::new(channels[0].clone());
    metering.reserve(reserve).await.expect("a hold");
    for turn in 0..3 {
        for (channel, lasts) in channels.iter().zip([true, false]) {
            let extend = ExtendRequest {
                account_id: ACCOUNT.into(),
                hold_id: "long".into(),
                extend_id: format!("{turn}-{lasts}"),
                ttl: Some(prost_types::Duration {
                    seconds: 3600,
                    nanos: 0,
                }),
                ..ExtendRequest::default()
            };
            let said = MeteringServiceClient::new(channel.clone())
                .extend(extend)
                .await;
            let code = said.err().map(|status| status.code());
            let expected = (!lasts).then_some(tonic::Code::InvalidArgument);
            assert_eq!(code, expected, "turn {turn}");
        }
    }
    other.stop().await.expect("a graceful stop");
}
