//! `holdbook subscription`: an account's plan, how it begins, changes and ends, and the money for it.

use clap::{Args, Subcommand};
use tonic::Status;

use super::{
    client::Services,
    show::{self, Record, Value},
    values::{DurabilityArgs, PageArgs},
};
use crate::proto::{
    CancelRequest, CancelScheduledChangeRequest, ChangePlanRequest, GetSubscriptionRequest,
    ListBillsRequest, PaidBy, RecordPaymentRequest, RefundSubscriptionRequest, ResumeRequest,
    SubscribeRequest,
};

/// What to do with subscriptions.
#[derive(Clone, Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// Begin a subscription: its plan holds, and its first credits are there, at once
    #[command(
        after_help = "Examples: by the month; by the year; a trial; an agreement of one account's own
  holdbook subscription create acme sub_1 --plan max
  holdbook subscription create acme sub_1 --plan max --yearly
  holdbook subscription create acme sub_1 --plan pro --trial
  holdbook subscription create acme sub_1 --plan enterprise --allowance 20000 --price 1500"
    )]
    Create {
        /// The account
        account: String,
        /// Your id of the subscription, unique per account for ever
        subscription: String,
        /// With the plan's trial
        #[arg(long)]
        trial: bool,
        /// Which plan.
        #[command(flatten)]
        plan: PlanArgs,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
    /// Show a subscription
    #[command(after_help = "Example:\n  holdbook subscription get acme")]
    Get {
        /// The account
        account: String,
        /// The subscription [default: the latest]
        #[arg(default_value = "", hide_default_value = true)]
        subscription: String,
    },
    /// Change the plan: at once if it is no less and has the same cycles, else from the end of what is paid
    #[command(after_help = "Examples: what it would come to; the same, done
  holdbook subscription change acme sub_1 --id up_1 --plan team --preview
  holdbook subscription change acme sub_1 --id up_1 --plan team")]
    Change {
        /// Which subscription.
        #[command(flatten)]
        of: OfArgs,
        /// Which plan.
        #[command(flatten)]
        plan: PlanArgs,
        /// Say what it would come to, and change nothing
        #[arg(long)]
        preview: bool,
    },
    /// Drop the change that waits for the end of what is paid
    #[command(after_help = "Example:\n  holdbook subscription keep acme sub_1 --id keep_1")]
    Keep(OfArgs),
    /// End it with what is paid for, or at once
    #[command(after_help = "Example:\n  holdbook subscription cancel acme sub_1 --id end_1")]
    Cancel {
        /// Which subscription.
        #[command(flatten)]
        of: OfArgs,
        /// At once: no money comes back, and what is unused of the cycle's credits is breakage
        #[arg(long)]
        at_once: bool,
    },
    /// Let one that is cancelled go on
    #[command(after_help = "Example:\n  holdbook subscription resume acme sub_1 --id on_1")]
    Resume(OfArgs),
    /// Tell that a period's payment has come in
    #[command(after_help = "Example: the cycle is the one that the bill names
  holdbook subscription paid acme sub_1 --id pi_3Nf --cycle 1")]
    Paid {
        /// Which subscription.
        #[command(flatten)]
        of: OfArgs,
        /// The cycle that the bill names
        #[arg(long)]
        cycle: u32,
    },
    /// Give back all that was paid, take the cycle's unused credits, and end it
    #[command(after_help = "Example:\n  holdbook subscription refund acme sub_1 --id re_1")]
    Refund(OfArgs),
    /// List money to take and to give, oldest first
    #[command(after_help = "Example:\n  holdbook subscription bills acme")]
    Bills {
        /// The account
        account: String,
        /// Which part of the list.
        #[command(flatten)]
        page: PageArgs,
    },
}

/// A plan, and what it leaves to each account.
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// A plan of the catalog in force
    #[arg(long)]
    plan: String,
    /// Paid by the year
    #[arg(long)]
    yearly: bool,
    /// Credits of a cycle, where the plan leaves them to each account
    #[arg(long, value_name = "CREDITS")]
    allowance: Option<String>,
    /// Money for what is paid at once, where the plan leaves it to each account
    #[arg(long, value_name = "MONEY")]
    price: Option<String>,
}

impl PlanArgs {
    fn paid_by(&self) -> i32 {
        if self.yearly {
            PaidBy::Year.into()
        } else {
            PaidBy::Cycle.into()
        }
    }
}

/// A call on a subscription.
#[derive(Args, Clone, Debug)]
pub struct OfArgs {
    /// The account
    account: String,
    /// The subscription
    subscription: String,
    /// Your id of this call, unique per subscription
    #[arg(long, value_name = "CHANGE")]
    id: String,
    /// How much the answer waits for.
    #[command(flatten)]
    durability: DurabilityArgs,
}

/// A request with the fields that all calls on a subscription have.
macro_rules! request {
    ($request:ident, $of:ident $(, $name:ident: $value:expr)*) => {
        $request {
            account_id: $of.account,
            subscription_id: $of.subscription,
            change_id: $of.id,
            durability: $of.durability.proto(),
            $($name: $value,)*
        }
    };
}

/// Sends it.
pub async fn run(services: &Services, command: SubscriptionCommand) -> Result<Record, Status> {
    use SubscriptionCommand as C;
    let mut client = services.subscription.clone();
    Ok(match command {
        C::Create {
            account,
            subscription,
            trial,
            plan,
            durability,
        } => {
            let request = SubscribeRequest {
                account_id: account,
                subscription_id: subscription,
                paid_by: plan.paid_by(),
                plan: plan.plan,
                trial,
                allowance: plan.allowance,
                price: plan.price,
                durability: durability.proto(),
            };
            client.subscribe(request).await?.into_inner().into()
        }
        C::Get {
            account,
            subscription,
        } => {
            let request = GetSubscriptionRequest {
                account_id: account,
                subscription_id: subscription,
            };
            client.get_subscription(request).await?.into_inner().into()
        }
        C::Change { of, plan, preview } => {
            let request = request!(
                ChangePlanRequest, of,
                paid_by: plan.paid_by(), plan: plan.plan, allowance: plan.allowance, price: plan.price, preview: preview
            );
            client.change_plan(request).await?.into_inner().into()
        }
        C::Keep(of) => {
            let request = request!(CancelScheduledChangeRequest, of);
            let answer = client.cancel_scheduled_change(request).await?;
            answer.into_inner().into()
        }
        C::Cancel { of, at_once } => {
            let request = request!(CancelRequest, of, at_once: at_once);
            client.cancel(request).await?.into_inner().into()
        }
        C::Resume(of) => {
            let request = request!(ResumeRequest, of);
            client.resume(request).await?.into_inner().into()
        }
        C::Paid { of, cycle } => {
            let request = request!(RecordPaymentRequest, of, cycle: cycle);
            client.record_payment(request).await?.into_inner().into()
        }
        C::Refund(of) => {
            let request = request!(RefundSubscriptionRequest, of);
            let answer = client.refund_subscription(request).await?;
            answer.into_inner().into()
        }
        C::Bills { account, page } => bills(services, account, &page).await?,
    })
}

async fn bills(services: &Services, account: String, page: &PageArgs) -> Result<Record, Status> {
    let (rows, token) = page
        .fetch(async |page_size, page_token| {
            let request = ListBillsRequest {
                account_id: account.clone(),
                page_size,
                page_token,
            };
            let mut client = services.subscription.clone();
            let answer = client.list_bills(request).await?.into_inner();
            Ok((answer.bills, answer.next_page_token))
        })
        .await?;
    Ok(Record::of([
        ("bills", show::bills(&rows)),
        ("next_page_token", Value::text(&token)),
    ]))
}
