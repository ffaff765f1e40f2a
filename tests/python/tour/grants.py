"""A grant is a block of credits given to an account: kind, amount, priority, expiry."""

import json

from google.protobuf import timestamp_pb2

from api import Api, has, later, pages, seconds
from stubs import account, grant, metering, types

DAY = 86_400


def _grants(api: Api, account_id: str) -> dict[str, types.Grant]:
    return {g.grant_id: g for g in api.grants.ListGrants(grant.ListGrantsRequest(account_id=account_id)).grants}


def give(api: Api) -> None:
    """A payment provider's event is one grant, however often it is delivered"""
    account_id = api.new_account("grant")
    request = grant.GrantCreditsRequest(
        account_id=account_id,
        grant_id="evt_1",
        kind="GRANT_KIND_TOP_UP",
        amount="100.50",
        provider="acme-pay",
        external_reference="invoice 7",
    )
    first = api.grants.GrantCredits(request)
    has(first, settled="0", replayed=False, durability="LEDGER")
    has(
        first.grant,
        kind="TOP_UP",
        state="ACTIVE",
        amount="100.5",
        free="100.5",
        held="0",
        priority=100,
        starts_at=api.now(),
    )
    has(first.grant, provider="acme-pay", external_reference="invoice 7", non_refundable=False)
    assert not first.grant.HasField("expires_at"), "a grant without expiry expires"
    has(first.balance, balance="100.5", available="100.5", free="100.5", sequence=2)

    again = api.grants.GrantCredits(request)
    has(again, replayed=True)
    assert (again.grant, again.balance.sequence) == (first.grant, 2)

    # The same id with other content is a mistake of the caller, and says which.
    request.amount = "200"
    refusal = api.refused(api.grants.GrantCredits, request, "ID_REUSED", fields="amount", recorded=...)
    json.loads(refusal.metadata["recorded"])

    # A grant that starts later is visible and not spendable.
    request = grant.GrantCreditsRequest(
        account_id=account_id, grant_id="next", kind="GRANT_KIND_ALLOWANCE", amount="10"
    )
    request.starts_at.CopyFrom(later(api.now(), DAY))
    request.expires_in.CopyFrom(seconds(31 * DAY))
    pending = api.grants.GrantCredits(request)
    has(pending.grant, state="PENDING", free="10", priority=10, expires_at=later(api.now(), 31 * DAY))
    has(pending.balance, free="100.5", pending="10")
    api.advance(DAY)
    has(api.balance(account_id), free="110.5", pending="0")

    bad = grant.GrantCreditsRequest(
        account_id=account_id,
        grant_id="?",
        kind="GRANT_KIND_ROLLOVER",
        amount="0",
        priority=1001,
        rollover=types.Rollover(duration=seconds(DAY)),
        provider="p" * 65,
        external_reference="r" * 129,
    )
    fields = ["grant_id", "kind", "amount", "priority", "rollover", "provider", "external_reference"]
    api.invalid(api.grants.GrantCredits, bad, *fields)
    past = grant.GrantCreditsRequest(account_id=account_id, grant_id="past", kind="GRANT_KIND_PROMO", amount="1")
    past.expires_at.CopyFrom(timestamp_pb2.Timestamp(seconds=1))
    api.invalid(api.grants.GrantCredits, past, "expires_at")

    # There is a most that an account can have.
    most = grant.GrantCreditsRequest(
        account_id=account_id, grant_id="all", kind="GRANT_KIND_PROMO", amount="9000000000"
    )
    api.refused(api.grants.GrantCredits, most, "CAPACITY_LIMIT", resource="credits", limit="9000000000")
    most.account_id = "no-such-account"
    api.refused(api.grants.GrantCredits, most, "ACCOUNT_NOT_FOUND")


def rollover(api: Api) -> None:
    """What is left of an allowance lives on, up to a cap; the rest is breakage"""
    account_id = api.new_account("rollover")
    request = grant.GrantCreditsRequest(
        account_id=account_id, grant_id="june", kind="GRANT_KIND_ALLOWANCE", amount="10"
    )
    request.expires_in.CopyFrom(seconds(30 * DAY))
    request.rollover.CopyFrom(types.Rollover(duration=seconds(15 * DAY), cap="4"))
    end = api.grants.GrantCredits(request).grant.expires_at
    api.metering.Charge(metering.ChargeRequest(account_id=account_id, hold_id="job", amount="3"))

    api.advance(30 * DAY)
    has(api.balance(account_id), free="4")
    grants = _grants(api, account_id)
    has(grants["june"], state="EXPIRED", free="0")
    has(grants["~rollover:june"], kind="ROLLOVER", state="ACTIVE", amount="4", free="4", priority=9)
    has(grants["~rollover:june"], starts_at=end, expires_at=later(end, 15 * DAY))

    api.advance(15 * DAY)
    has(api.balance(account_id), free="0", balance="0")


def revoke(api: Api) -> None:
    """A chargeback takes what is free at once and what is pinned when it comes back"""
    account_id = api.new_account("revoke")
    api.top_up(account_id, "10", "pack")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="4"))

    request = grant.RevokeGrantRequest(account_id=account_id, grant_id="pack")
    answer = api.grants.RevokeGrant(request)
    has(answer, revoked="6", outstanding="4", replayed=False, durability="LEDGER")
    has(answer.balance, free="0", held="4")
    has(api.grants.RevokeGrant(request), revoked="6", outstanding="4", replayed=True)
    has(_grants(api, account_id)["pack"], state="REVOKED", free="0", held="4")

    back = api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="job"))
    has(back, released="4")
    has(back.balance, free="0", held="0", balance="0")

    request.grant_id = "no-such-grant"
    api.refused(api.grants.RevokeGrant, request, "GRANT_NOT_FOUND")
    final_sale = grant.GrantCreditsRequest(account_id=account_id, grant_id="sale", kind="GRANT_KIND_TOP_UP", amount="1")
    final_sale.non_refundable = True
    has(api.grants.GrantCredits(final_sale).grant, non_refundable=True)
    request.grant_id = "sale"
    api.refused(api.grants.RevokeGrant, request, "NON_REFUNDABLE")


def list_grants(api: Api) -> None:
    """Grants are listed newest first, a page at a time"""
    account_id = api.new_account("list-grants")
    ids = [f"pack-{number}" for number in range(1, 6)]
    for grant_id in ids:
        api.top_up(account_id, "1", grant_id)
        api.advance(1)
    api.grants.RevokeGrant(grant.RevokeGrantRequest(account_id=account_id, grant_id="pack-2"))

    request = grant.ListGrantsRequest(account_id=account_id, page_size=2)
    assert [g.grant_id for g in pages(api.grants.ListGrants, request, "grants")] == ids[::-1]
    request = grant.ListGrantsRequest(account_id=account_id, state="GRANT_STATE_ACTIVE", page_size=3)
    assert [g.grant_id for g in pages(api.grants.ListGrants, request, "grants")] == [
        "pack-5",
        "pack-4",
        "pack-3",
        "pack-1",
    ]

    api.invalid(api.grants.ListGrants, grant.ListGrantsRequest(account_id=account_id, page_size=1001), "page_size")
    api.invalid(
        api.grants.ListGrants, grant.ListGrantsRequest(account_id=account_id, page_token="nonsense"), "page_token"
    )
    api.refused(api.grants.ListGrants, grant.ListGrantsRequest(account_id="no-such-account"), "ACCOUNT_NOT_FOUND")
    api.refused(
        api.accounts.CloseAccount, account.CloseAccountRequest(account_id="no-such-account"), "ACCOUNT_NOT_FOUND"
    )
