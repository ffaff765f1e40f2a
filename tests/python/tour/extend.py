"""Extend keeps a long job's hold alive, and may add credits to it."""

from api import Api, amounts, has, later, seconds
from stubs import metering


def extend(api: Api) -> None:
    """The new life counts from now; credits are added in the same step"""
    account_id = api.new_account("extend")
    api.top_up(account_id, "10", "bought")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="4", ttl=seconds(60)))
    api.advance(30)

    request = metering.ExtendRequest(
        account_id=account_id, hold_id="job", extend_id="more-1", ttl=seconds(60), amount="2"
    )
    answer = api.metering.Extend(request)
    has(answer, expires_at=later(api.now(), 60), promised="0", replayed=False)
    assert amounts(answer.pinned) == [("bought", "2")]
    has(answer.hold, amount="6", held="6", requested="4", expires_at=later(api.now(), 60))
    has(answer.balance, free="4", held="6")

    # A repeat is known by its extend_id, and does not move the expiry again.
    api.advance(30)
    again = api.metering.Extend(request)
    has(again, expires_at=answer.expires_at, replayed=True)
    has(again.balance, free="4", held="6")
    request.ttl.CopyFrom(seconds(61))
    api.refused(api.metering.Extend, request, "ID_REUSED", fields="ttl", recorded=...)

    # Added credits pass the checks of a reserve.
    greedy = metering.ExtendRequest(
        account_id=account_id, hold_id="job", extend_id="more-2", ttl=seconds(60), amount="5"
    )
    api.refused(api.metering.Extend, greedy, "INSUFFICIENT_CREDITS", available="4", held="6", short_by="1")
    # More than the longest life is refused, never shortened.
    for_ever = metering.ExtendRequest(
        account_id=account_id, hold_id="job", extend_id="more-3", ttl=seconds(3660 * 86_400)
    )
    api.invalid(api.metering.Extend, for_ever, "ttl")
    incomplete = metering.ExtendRequest(account_id=account_id, hold_id="job", amount="0")
    api.invalid(api.metering.Extend, incomplete, "extend_id", "ttl", "amount")

    unknown = metering.ExtendRequest(account_id=account_id, hold_id="no-such-job", extend_id="more-1", ttl=seconds(60))
    api.refused(api.metering.Extend, unknown, "HOLD_NOT_FOUND")
    api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="job"))
    ended = metering.ExtendRequest(account_id=account_id, hold_id="job", extend_id="more-4", ttl=seconds(60))
    refusal = api.refused(api.metering.Extend, ended, "HOLD_ENDED", state=...)
    assert "released" in refusal.metadata["state"].lower(), refusal.metadata
