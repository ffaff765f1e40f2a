//! `holdbook grant`: credits coming in, and being taken back.

use clap::{Args, Subcommand};
use tonic::Status;

use super::{
    client::Services,
    show::{self, Record, Value},
    values::{DurabilityArgs, PageArgs, duration, instant},
};
use crate::proto::{
    GrantCreditsRequest, GrantKind, GrantState, ListGrantsRequest, PurchaseCreditsRequest,
    RevokeGrantRequest, Rollover, grant_credits_request::Expiry, purchase_credits_request::What,
};

/// What to do with grants.
#[derive(Clone, Debug, Subcommand)]
pub enum GrantCommand {
    /// Give credits; debt is settled first
    #[command(
        after_help = "Examples: a paid top-up; a monthly allowance whose rest, up to 100, lives on for a month
  holdbook grant create acme evt_7f3a --kind top-up --amount 250 --provider stripe
  holdbook grant create acme plan-2026-11 --kind allowance --amount 500 --expires-in 30d --rollover 30d --rollover-cap 100

Use the payment's own event id as the grant id: sent twice, it is one grant."
    )]
    Create(Box<CreateArgs>),
    /// Give the credits of a purchase, as the catalog sells them to the account's plan
    #[command(after_help = "Examples: what a pack costs; the same, bought; an amount
  holdbook grant buy acme pi_3Nf --pack pack_500 --validate-only
  holdbook grant buy acme pi_3Nf --pack pack_500 --provider stripe
  holdbook grant buy acme pi_4Qr --amount 25 --trust-tier new")]
    Buy(Box<BuyArgs>),
    /// List the grants of an account, newest first
    #[command(after_help = "Example:\n  holdbook grant list acme --state active")]
    List {
        /// The account
        account: String,
        /// Only grants in this state
        #[arg(long)]
        state: Option<GrantState>,
        /// Which part of the list.
        #[command(flatten)]
        page: PageArgs,
    },
    /// Take a grant back: what is free at once, what holds have pinned when it comes back
    #[command(after_help = "Example:\n  holdbook grant revoke acme evt_7f3a")]
    Revoke {
        /// The account
        account: String,
        /// The grant
        grant: String,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
}

/// A grant to make.
#[derive(Args, Clone, Debug)]
pub struct CreateArgs {
    /// The account
    account: String,
    /// Your id of the grant, unique per account for ever
    grant: String,
    /// Where the credits come from; it sets the default priority: promo 5, allowance 10, top-up 100
    #[arg(long)]
    kind: GrantKind,
    /// Credits, more than 0, at most six decimals
    #[arg(long, value_name = "CREDITS")]
    amount: String,
    /// Lower burns first, 0 to 1000 [default: the kind's]
    #[arg(long)]
    priority: Option<u32>,
    /// Spendable from here [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    starts_at: Option<prost_types::Timestamp>,
    /// Spendable before here [default: for ever]
    #[arg(long, value_name = "INSTANT", value_parser = instant, conflicts_with = "expires_in")]
    expires_at: Option<prost_types::Timestamp>,
    /// Spendable for this long from now
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires_in: Option<prost_types::Duration>,
    /// How long the unspent rest lives on after the expiry [default: it is breakage]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    rollover: Option<prost_types::Duration>,
    /// The most that lives on [default: all of it]
    #[arg(long, value_name = "CREDITS", requires = "rollover")]
    rollover_cap: Option<String>,
    /// May not be revoked
    #[arg(long)]
    non_refundable: bool,
    /// Who took the payment
    #[arg(long, default_value = "", hide_default_value = true)]
    provider: String,
    /// The provider's reference
    #[arg(long, default_value = "", hide_default_value = true)]
    external_reference: String,
    /// How much the answer waits for.
    #[command(flatten)]
    durability: DurabilityArgs,
}

/// Credits to buy.
#[derive(Args, Clone, Debug)]
pub struct BuyArgs {
    /// The account
    account: String,
    /// Your id of the grant, unique per account for ever
    grant: String,
    /// One of the catalog's packs
    #[arg(long, conflicts_with = "amount", required_unless_present = "amount")]
    pack: Option<String>,
    /// Credits, within the catalog's bounds
    #[arg(long, value_name = "CREDITS")]
    amount: Option<String>,
    /// The trust tier that the account has; bounds the amount
    #[arg(
        long,
        value_name = "TIER",
        default_value = "",
        hide_default_value = true
    )]
    trust_tier: String,
    /// Spendable from here [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    starts_at: Option<prost_types::Timestamp>,
    /// Who took the payment
    #[arg(long, default_value = "", hide_default_value = true)]
    provider: String,
    /// The provider's reference
    #[arg(long, default_value = "", hide_default_value = true)]
    external_reference: String,
    /// Say what it would come to, and change nothing
    #[arg(long)]
    validate_only: bool,
    /// How much the answer waits for.
    #[command(flatten)]
    durability: DurabilityArgs,
}

impl From<BuyArgs> for PurchaseCreditsRequest {
    fn from(args: BuyArgs) -> Self {
        Self {
            account_id: args.account,
            grant_id: args.grant,
            what: args.pack.map(What::Pack).or(args.amount.map(What::Amount)),
            trust_tier: args.trust_tier,
            starts_at: args.starts_at,
            provider: args.provider,
            external_reference: args.external_reference,
            validate_only: args.validate_only,
            durability: args.durability.proto(),
        }
    }
}

impl From<CreateArgs> for GrantCreditsRequest {
    fn from(args: CreateArgs) -> Self {
        let expires_at = args.expires_at.map(Expiry::ExpiresAt);
        Self {
            account_id: args.account,
            grant_id: args.grant,
            kind: args.kind.into(),
            amount: args.amount,
            priority: args.priority,
            starts_at: args.starts_at,
            expiry: expires_at.or(args.expires_in.map(Expiry::ExpiresIn)),
            rollover: args.rollover.map(|duration| Rollover {
                duration: Some(duration),
                cap: args.rollover_cap,
            }),
            non_refundable: args.non_refundable,
            provider: args.provider,
            external_reference: args.external_reference,
            durability: args.durability.proto(),
        }
    }
}

/// Sends it.
pub async fn run(services: &Services, command: GrantCommand) -> Result<Record, Status> {
    let mut client = services.grant.clone();
    Ok(match command {
        GrantCommand::Create(args) => {
            let request = GrantCreditsRequest::from(*args);
            client.grant_credits(request).await?.into_inner().into()
        }
        GrantCommand::Buy(args) => {
            let request = PurchaseCreditsRequest::from(*args);
            client.purchase_credits(request).await?.into_inner().into()
        }
        GrantCommand::List {
            account,
            state,
            page,
        } => {
            let filter = ListGrantsRequest {
                account_id: account,
                state: state.unwrap_or_default().into(),
                ..Default::default()
            };
            list(services, filter, &page).await?
        }
        GrantCommand::Revoke {
            account,
            grant,
            durability,
        } => {
            let request = RevokeGrantRequest {
                account_id: account,
                grant_id: grant,
                durability: durability.proto(),
            };
            client.revoke_grant(request).await?.into_inner().into()
        }
    })
}

async fn list(
    services: &Services,
    filter: ListGrantsRequest,
    page: &PageArgs,
) -> Result<Record, Status> {
    let (rows, token) = page
        .fetch(async |page_size, page_token| {
            let request = ListGrantsRequest {
                page_size,
                page_token,
                ..filter.clone()
            };
            let answer = services
                .grant
                .clone()
                .list_grants(request)
                .await?
                .into_inner();
            Ok((answer.grants, answer.next_page_token))
        })
        .await?;
    Ok(Record::of([
        ("grants", show::grants(&rows)),
        ("next_page_token", Value::text(&token)),
    ]))
}
