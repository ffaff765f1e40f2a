"""What happened, read from the ledger once it has all that the account did before the call."""

import collections
from decimal import Decimal

from api import Api, has, later, pages, seconds
from stubs import account, grant, metering

ACTOR = [("x-holdbook-actor", "billing@example.com")]


def list_holds(api: Api) -> None:
    """Holds are listed newest first, by state and by time"""
    account_id = api.new_account("list-holds")
    api.top_up(account_id, "10")
    start, ids = api.now(), [f"job-{number}" for number in range(1, 6)]
    for hold_id in ids:
        api.metering.Reserve(
            metering.ReserveRequest(account_id=account_id, hold_id=hold_id, amount="1", ttl=seconds(600))
        )
        api.advance(10)
    api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="job-2", amount="0.5"))

    def listed(**filters) -> list[str]:
        request = metering.ListHoldsRequest(account_id=account_id, page_size=2, **filters)
        return [hold.hold_id for hold in pages(api.metering.ListHolds, request, "holds")]

    assert listed() == ids[::-1]
    assert listed(state="HOLD_STATE_OPEN") == ["job-5", "job-4", "job-3", "job-1"]
    assert listed(state="HOLD_STATE_COMMITTED") == ["job-2"]
    # From an instant, and before one.
    assert listed(created_from=later(start, 10), created_before=later(start, 30)) == ["job-3", "job-2"]

    hold = api.metering.ListHolds(metering.ListHoldsRequest(account_id=account_id, state="HOLD_STATE_COMMITTED")).holds[
        0
    ]
    assert hold == api.metering.GetHold(metering.GetHoldRequest(account_id=account_id, hold_id="job-2")).hold
    api.invalid(
        api.metering.ListHolds,
        metering.ListHoldsRequest(account_id=account_id, page_size=1001, state=9),
        "page_size",
        "state",
    )


def list_transfers(api: Api) -> None:
    """Every credit that moved is a row with two sides, and the rows add up to the balance"""
    account_id = api.new_account("transfers", overdraft_limit="2")
    start = api.now()
    gift = grant.GrantCreditsRequest(account_id=account_id, grant_id="gift", kind="GRANT_KIND_PROMO", amount="10")
    api.grants.GrantCredits(gift, metadata=ACTOR)
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="4"), metadata=ACTOR)
    api.metering.Commit(metering.CommitRequest(account_id=account_id, hold_id="job", amount="13"), metadata=ACTOR)
    api.advance(10)
    api.top_up(account_id, "5")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="open", amount="1"))

    def rows(**filters) -> list:
        request = account.ListTransfersRequest(account_id=account_id, page_size=3, **filters)
        return pages(api.accounts.ListTransfers, request, "transfers")

    transfers = rows()
    sides = account.LedgerAccount
    readable = [
        (row.event, sides.Name(row.debit)[15:], sides.Name(row.credit)[15:], row.amount, row.grant_id or row.hold_id)
        for row in transfers
    ]
    assert readable == [
        ("grant", "ISSUED", "FREE", "10", "gift"),
        ("reserve", "FREE", "HELD", "4", "gift"),
        ("commit", "HELD", "SPENT", "4", "gift"),
        ("commit", "FREE", "SPENT", "6", "gift"),
        ("commit", "DEBT", "SPENT", "2", "job"),
        ("commit", "ABSORBED", "SPENT", "1", "job"),
        ("grant", "ISSUED", "FREE", "5", "top-up-1"),
        ("grant", "FREE", "DEBT", "2", "top-up-1"),
        ("reserve", "FREE", "HELD", "1", "top-up-1"),
    ], readable
    positions = [(row.sequence, row.index) for row in transfers]
    assert positions == sorted(set(positions)), positions
    has(transfers[0], sequence=2, index=0, grant_kind="PROMO", actor=ACTOR[0][1], occurred_at=start, hold_id="")
    has(transfers[2], hold_id="job", actor=ACTOR[0][1])
    assert all(row.HasField("booked_at") for row in transfers)

    totals = collections.defaultdict(Decimal)
    for row in transfers:
        totals[row.debit] -= Decimal(row.amount)
        totals[row.credit] += Decimal(row.amount)
    balance = api.balance(account_id)
    has(balance, free="2", held="1", debt="0", balance="2")
    assert totals[sides.Value("LEDGER_ACCOUNT_FREE")] == Decimal(balance.free)
    assert totals[sides.Value("LEDGER_ACCOUNT_HELD")] == Decimal(balance.held)
    assert totals[sides.Value("LEDGER_ACCOUNT_DEBT")] == -Decimal(balance.debt)
    assert totals[sides.Value("LEDGER_ACCOUNT_SPENT")] == 13

    assert rows(hold_id="job") == transfers[1:6]
    assert rows(grant_id="top-up-1") == transfers[6:]
    assert rows(occurred_before=later(start, 10)) == transfers[:6]
    assert rows(occurred_from=later(start, 10)) == transfers[6:]
    api.invalid(
        api.accounts.ListTransfers,
        account.ListTransfersRequest(account_id=account_id, page_token="nonsense"),
        "page_token",
    )

    # What time did has the clock as its actor.
    api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="open"))
    short = grant.GrantCreditsRequest(account_id=account_id, grant_id="short", kind="GRANT_KIND_PROMO", amount="1")
    short.expires_in.CopyFrom(seconds(60))
    api.grants.GrantCredits(short)
    api.advance(61)
    breakage = rows()[-1]
    has(breakage, event="grant_expired", debit="FREE", credit="BREAKAGE", amount="1", grant_id="short", actor="clock")
