"""A subscription gives an account its plan: credits in each cycle, and what its jobs may be. Money is only told, as bills."""

from api import Api, has, later, pages
from stubs import account, grant, metering, pricing, subscription, types
from tour.prices import CATALOG

DAY = 86_400

PLANS = """
catalog: farm
accounts: {plan_required: true}
features: [denoise]
capacities: {storage: gigabyte}
resolutions: [[hd], [4k]]
meters:
  render:
    unit: second
    limited_by: [duration, resolution]
    attributes: {resolution: [hd, 4k]}
    prices: [{when: {resolution: hd}, price: 1}, {when: {resolution: 4k}, price: 3}]
  denoise: {unit: second, features: [denoise], price: 1}
  upload: {unit: file, capacities: [storage], price: 0}
plan_defaults: {cycle: days(30), refund_within: days(7), retention: days(30)}
plans:
  small:
    allowance: 100
    price: 10
    grant_on: payment
    limits: {concurrency: 2, duration: 60s, resolution: hd}
    trial: {for: days(14), allowance: 20, then: convert}
  large: {allowance: 400, price: 30, features: [denoise], yearly: {off: 20%}, capacities: {storage: 10}, pack_off: 20%}
  capped: {allowance: 100, price: 5, spend_caps: {day: 10}}
packs: {hundred: {credits: 100, price: 10, refundable: false}}
purchases: {minimum: 5, price: 0.5}
trust_tiers: {new: {maximum_purchase: 50}}
"""


def _usage(*items) -> types.Usage:
    return types.Usage(
        items=[types.UsageItem(meter=meter, quantity=quantity, attributes=attributes) for meter, quantity, attributes in items]
    )


def _reserve(account_id: str, hold_id: str, *items) -> metering.ReserveRequest:
    return metering.ReserveRequest(account_id=account_id, hold_id=hold_id, usage=_usage(*items))


def subscribe(api: Api) -> None:
    """A plan holds from the answer on; its credits may wait for the payment that the bill asks for"""
    api.prices.ApplyCatalog(pricing.ApplyCatalogRequest(yaml=PLANS))
    account_id = api.new_account("plan")
    job = _reserve(account_id, "job", ("render", "10", {"resolution": "hd"}))
    api.refused(api.metering.Reserve, job, "PLAN_INACTIVE")
    missing = subscription.GetSubscriptionRequest(account_id=account_id)
    api.refused(api.plans.GetSubscription, missing, "SUBSCRIPTION_NOT_FOUND")

    request = subscription.SubscribeRequest(account_id=account_id, subscription_id="sub", plan="small")
    answer = api.plans.Subscribe(request)
    has(answer, replayed=False, durability="LEDGER")
    has(answer.change, changed=True, charge="10", granted="0", holds_from=api.now())
    has(answer.subscription, plan="small", state="ACTIVE", cycle=1, awaiting_payment=True, price="10", allowance="100")
    has(answer.subscription, since=api.now(), until=later(api.now(), 30 * DAY), paid_until=later(api.now(), 30 * DAY))
    again = api.plans.Subscribe(request)
    has(again, replayed=True)
    assert (again.subscription, again.change) == (answer.subscription, answer.change)
    other = subscription.SubscribeRequest(account_id=account_id, subscription_id="sub", plan="large", paid_by="PAID_BY_YEAR")
    api.refused(api.plans.Subscribe, other, "ID_REUSED", fields="paid_by,plan", recorded=...)
    second = subscription.SubscribeRequest(account_id=account_id, subscription_id="sub-2", plan="large")
    api.refused(api.plans.Subscribe, second, "SUBSCRIPTION_ACTIVE", subscription_id="sub")
    api.refused(api.accounts.CloseAccount, account.CloseAccountRequest(account_id=account_id), "SUBSCRIPTION_ACTIVE")
    unknown = subscription.SubscribeRequest(account_id=account_id, subscription_id="sub-3", plan="smal", price="0.001")
    api.invalid(api.plans.Subscribe, unknown, "price")
    unknown.ClearField("price")
    api.invalid(api.plans.Subscribe, unknown, "plan")

    # A change would prorate money that has not come in.
    change = subscription.ChangePlanRequest(account_id=account_id, subscription_id="sub", change_id="up", plan="large")
    api.refused(api.plans.ChangePlan, change, "PAYMENT_OUTSTANDING", cycle="1")
    payment = subscription.RecordPaymentRequest(account_id=account_id, subscription_id="sub", change_id="pi-1", cycle=2)
    api.refused(api.plans.RecordPayment, payment, "PAYMENT_NOT_DUE", why="PERIOD_NOT_BEGUN", cycle="1")
    payment.cycle = 1
    has(api.plans.RecordPayment(payment).change, granted="100", changed=True)
    has(api.plans.RecordPayment(payment), replayed=True)
    has(api.balance(account_id), free="100")

    # What a job may be is the plan's; all that is against it is told, and the first is the status.
    api.refused(api.metering.Reserve, _reserve(account_id, "j", ("denoise", "1", {})), "FEATURE_NOT_IN_PLAN", features="denoise")
    long = _reserve(account_id, "long", ("render", "60.5", {"resolution": "hd"}))
    api.refused(api.metering.Reserve, long, "DURATION_LIMIT", seconds="60.5", limit="60")
    large = _reserve(account_id, "large", ("render", "61", {"resolution": "4k"}))
    refusal = api.refused(api.metering.Reserve, large, "DURATION_LIMIT", seconds="61", limit="60")
    assert refusal.metadata["reasons"] == "DURATION_LIMIT,RESOLUTION_LIMIT,INSUFFICIENT_CREDITS", refusal.metadata
    large = _reserve(account_id, "large", ("render", "1", {"resolution": "4k"}))
    api.refused(api.metering.Reserve, large, "RESOLUTION_LIMIT", resolutions="4k", allowed="hd")
    for hold_id in ("job", "another"):
        api.metering.Reserve(_reserve(account_id, hold_id, ("render", "10", {"resolution": "hd"})))
    third = _reserve(account_id, "third", ("render", "1", {"resolution": "hd"}))
    api.refused(api.metering.Reserve, third, "CONCURRENCY_LIMIT", open_holds="2", max_open_holds="2")

    # A preview changes nothing. An upgrade holds at once, and gives what is left of the difference: here all of it.
    change.preview = True
    looked = api.plans.ChangePlan(change)
    has(looked.subscription, plan="large")
    has(api.plans.GetSubscription(missing).subscription, plan="small")
    change.preview = False
    upgraded = api.plans.ChangePlan(change)
    assert upgraded.change == looked.change
    has(upgraded.change, granted="300", credit="10", charge="30")
    has(api.plans.ChangePlan(change), replayed=True)
    api.metering.Reserve(third)
    kinds = api.accounts.GetBalance(account.GetBalanceRequest(account_id=account_id)).kinds
    assert len(kinds) == 1, kinds
    has(kinds[0], kind="ALLOWANCE", granted="400", free="379", held="21")

    down = subscription.ChangePlanRequest(account_id=account_id, subscription_id="sub", change_id="down", plan="small")
    scheduled = api.plans.ChangePlan(down)
    has(scheduled.subscription, plan="large", next_plan="small")
    has(scheduled.change, holds_from=scheduled.subscription.paid_until, granted="0", charge="0")
    keep = subscription.CancelScheduledChangeRequest(account_id=account_id, subscription_id="sub", change_id="keep")
    has(api.plans.CancelScheduledChange(keep).subscription, plan="large", next_plan="")

    bills = pages(api.plans.ListBills, subscription.ListBillsRequest(account_id=account_id, page_size=1), "bills")
    assert [(b.cycle, b.charge, b.credit) for b in bills] == [(1, "10", "0"), (1, "30", "10")], bills
    has(bills[0], kind="PERIOD", subscription_id="sub", period_from=api.now())
    has(bills[1], kind="CHANGE", occurred_at=api.now())


def levels(api: Api) -> None:
    """What is stored is a level that the plan bounds: it is reported, and looked at by jobs that need room"""
    account_id = api.new_account("level")
    request = subscription.SubscribeRequest(account_id=account_id, subscription_id="sub", plan="large")
    api.plans.Subscribe(request)
    report = account.ChangeLevelRequest(account_id=account_id, change_id="1", capacity="storage", to="9.5")
    has(api.accounts.ChangeLevel(report), level="9.5", before="0", replayed=False, durability="LEDGER")
    has(api.accounts.ChangeLevel(report), level="9.5", before="0", replayed=True)
    report.to = "9"
    api.refused(api.accounts.ChangeLevel, report, "ID_REUSED", fields="change", recorded=...)
    more = account.ChangeLevelRequest(account_id=account_id, change_id="2", capacity="storage", allocate="0.6")
    api.refused(api.accounts.ChangeLevel, more, "CAPACITY_LIMIT", resource="storage", limit="10")
    more.allocate = "0.5"
    has(api.accounts.ChangeLevel(more), level="10", before="9.5")
    upload = _reserve(account_id, "upload", ("upload", "1", {}))
    api.refused(api.metering.Reserve, upload, "CAPACITY_LIMIT", resource="storage", limit="10")
    (level,) = api.accounts.GetBalance(account.GetBalanceRequest(account_id=account_id)).levels
    has(level, capacity="storage", level="10", limit="10")
    less = account.ChangeLevelRequest(account_id=account_id, change_id="3", capacity="storage", free="1")
    has(api.accounts.ChangeLevel(less), level="9")
    api.metering.Reserve(upload)
    api.invalid(api.accounts.ChangeLevel, account.ChangeLevelRequest(account_id=account_id, change_id="4"), "capacity", "to")
    less.change_id, less.free = "5", "9.000001"
    api.invalid(api.accounts.ChangeLevel, less, "free")


def caps(api: Api) -> None:
    """A plan may cap what is spent in an hour, a day or a month; what open holds have set aside counts"""
    account_id = api.new_account("caps")
    api.plans.Subscribe(subscription.SubscribeRequest(account_id=account_id, subscription_id="sub", plan="capped"))
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="a", amount="8"))
    api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="a", amount="7"))
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="b", amount="2"))
    more = metering.ReserveRequest(account_id=account_id, hold_id="c", amount="1.5")
    api.refused(api.metering.Reserve, more, "SPEND_CAP", window="day", limit="10", spent="7", held="2", amount="1.5")
    more.amount = "1"
    api.metering.Reserve(more)


def purchase(api: Api) -> None:
    """Credits are bought as the catalog sells them: by the pack, or an amount within the bounds of a trust tier"""
    account_id = api.new_account("purchase")
    request = grant.PurchaseCreditsRequest(account_id=account_id, grant_id="pi-1", pack="hundred", validate_only=True)
    has(api.grants.PurchaseCredits(request), amount="100", price="10", replayed=False)
    has(api.balance(account_id), free="0")
    request.validate_only = False
    bought = api.grants.PurchaseCredits(request)
    has(bought, amount="100", price="10", settled="0", durability="LEDGER")
    has(bought.grant, kind="TOP_UP", amount="100", free="100", non_refundable=True)
    # Sent again it has the price of the first time, whatever plan the account has by now.
    api.plans.Subscribe(subscription.SubscribeRequest(account_id=account_id, subscription_id="sub", plan="large"))
    again = api.grants.PurchaseCredits(request)
    has(again, price="10", replayed=True)
    request.grant_id = "pi-2"
    has(api.grants.PurchaseCredits(request), price="8")
    small = grant.PurchaseCreditsRequest(account_id=account_id, grant_id="pi-3", amount="4.99", trust_tier="new")
    api.invalid(api.grants.PurchaseCredits, small, "amount")
    small.amount = "50.01"
    api.invalid(api.grants.PurchaseCredits, small, "amount")
    small.amount = "5"
    has(api.grants.PurchaseCredits(small), price="2.5")
    small.amount = "6"
    api.refused(api.grants.PurchaseCredits, small, "ID_REUSED", fields="what", recorded=...)


def end(api: Api) -> None:
    """A cancelled subscription goes on to the end of what is paid; its money may come back within a week, once"""
    account_id = api.new_account("plan-end")
    trial = subscription.SubscribeRequest(account_id=account_id, subscription_id="try", plan="small", trial=True)
    has(api.plans.Subscribe(trial).subscription, state="TRIAL", cycle=0, until=later(api.now(), 14 * DAY))
    has(api.balance(account_id), free="20")
    cancel = subscription.CancelRequest(account_id=account_id, subscription_id="try", change_id="cancel")
    has(api.plans.Cancel(cancel).subscription, state="CANCELLED")
    change = subscription.ChangePlanRequest(account_id=account_id, subscription_id="try", change_id="up", plan="large")
    api.refused(api.plans.ChangePlan, change, "SUBSCRIPTION_CANCELLED", ends_at=...)
    resume = subscription.ResumeRequest(account_id=account_id, subscription_id="try", change_id="resume")
    has(api.plans.Resume(resume).subscription, state="TRIAL")
    now = subscription.CancelRequest(account_id=account_id, subscription_id="try", change_id="now", at_once=True)
    ended = api.plans.Cancel(now)
    has(ended.subscription, state="ENDED", keep_data_until=later(api.now(), 30 * DAY))
    has(ended.balance, free="0")
    resume.change_id = "too-late"
    api.refused(api.plans.Resume, resume, "SUBSCRIPTION_ENDED", ended_at=...)
    trial.subscription_id = "try-again"
    api.refused(api.plans.Subscribe, trial, "PLAN_UNAVAILABLE", why="TRIAL_USED")

    paid = subscription.SubscribeRequest(account_id=account_id, subscription_id="paid", plan="large", paid_by="PAID_BY_YEAR")
    has(api.plans.Subscribe(paid).change, charge="288", granted="400")
    refund = subscription.RefundSubscriptionRequest(account_id=account_id, subscription_id="paid", change_id="refund")
    refunded = api.plans.RefundSubscription(refund)
    has(refunded.change, credit="288")
    has(refunded.subscription, state="ENDED")
    has(refunded.balance, free="0")
    # The one before is known by its plan and its end.
    earlier = subscription.GetSubscriptionRequest(account_id=account_id, subscription_id="try")
    has(api.plans.GetSubscription(earlier).subscription, plan="small", state="ENDED")

    paid.subscription_id = "second"
    api.plans.Subscribe(paid)
    refund = subscription.RefundSubscriptionRequest(account_id=account_id, subscription_id="second", change_id="refund")
    api.refused(api.plans.RefundSubscription, refund, "NON_REFUNDABLE", why="NOT_FIRST_SUBSCRIPTION")
    api.prices.ApplyCatalog(pricing.ApplyCatalogRequest(yaml=CATALOG))
