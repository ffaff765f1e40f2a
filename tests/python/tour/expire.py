"""Every hold has an expiry, so a lost job never keeps credits for ever."""

from google.protobuf import timestamp_pb2

from api import Api, has, later, seconds
from stubs import metering


def expire(api: Api) -> None:
    """An expired hold returns its pins; a late commit is honoured once, within a window"""
    account_id = api.new_account("expire")
    api.top_up(account_id, "10")
    for hold_id in ["slow", "lost"]:
        api.metering.Reserve(
            metering.ReserveRequest(account_id=account_id, hold_id=hold_id, amount="4", ttl=seconds(60))
        )
    end = later(api.now(), 60)
    has(api.balance(account_id), free="2", held="8")

    # It happened at its instant, whenever somebody looks.
    api.advance(75)
    got = api.metering.GetHold(metering.GetHoldRequest(account_id=account_id, hold_id="slow"))
    has(got.hold, state="EXPIRED", amount="0", held="0", released="4", ended_at=end, late=False)
    has(got.balance, free="10", held="0")
    assert not got.pinned

    late = metering.CommitRequest(account_id=account_id, hold_id="slow", amount="5")
    answer = api.metering.Commit(late)
    has(answer, charged="5", overdrawn="0", absorbed="0", released="0", late=True, replayed=False)
    has(answer.hold, state="EXPIRED", charged="5", late=True, ended_at=end)
    has(answer.balance, free="5")
    has(api.metering.Commit(late), charged="5", late=True, replayed=True)
    has(
        api.metering.Release(metering.ReleaseRequest(account_id=account_id, hold_id="slow")),
        released="0",
        replayed=False,
    )

    # Past the window (24 hours unless configured) a commit is refused, and the refusal says since when.
    api.advance(2 * 86_400)
    too_late = metering.CommitRequest(account_id=account_id, hold_id="lost", amount="4")
    refusal = api.refused(api.metering.Commit, too_late, "LATE_WINDOW_PASSED", expired_at=..., window_seconds="86400")
    expired_at = timestamp_pb2.Timestamp()
    expired_at.FromJsonString(refusal.metadata["expired_at"])
    assert expired_at == end, refusal.metadata
    has(api.balance(account_id), free="5", held="0")
