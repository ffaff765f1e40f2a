"""Charge is reserve and commit in one step, for work that is done at once."""

from api import Api, amounts, has
from stubs import metering


def charge(api: Api) -> None:
    """A charge needs available credits, takes no slot, and its id is a hold id"""
    account_id = api.new_account("charge", max_open_holds=1)
    api.top_up(account_id, "10", "bought")
    api.metering.Reserve(metering.ReserveRequest(account_id=account_id, hold_id="job", amount="5"))

    request = metering.ChargeRequest(account_id=account_id, hold_id="image-1", amount="2.5", labels={"user": "ada"})
    answer = api.metering.Charge(request)
    has(answer, charged="2.5", overdrawn="0", replayed=False)
    assert amounts(answer.charged_by_grant) == [("bought", "2.5")]
    has(
        answer.hold,
        state="COMMITTED",
        requested="2.5",
        charged="2.5",
        held="0",
        created_at=api.now(),
        ended_at=api.now(),
    )
    assert not answer.hold.HasField("expires_at"), "a charge expires"
    has(answer.balance, free="2.5", held="5")

    has(api.metering.Charge(request), charged="2.5", replayed=True)
    request.amount = "2"
    api.refused(api.metering.Charge, request, "ID_REUSED", fields="amount", recorded=...)
    same_id = metering.ReserveRequest(account_id=account_id, hold_id="image-1", amount="2.5", labels={"user": "ada"})
    api.refused(api.metering.Reserve, same_id, "ID_REUSED", fields="method", recorded=...)
    same_id = metering.ChargeRequest(account_id=account_id, hold_id="job", amount="5")
    api.refused(api.metering.Charge, same_id, "ID_REUSED", fields="method", recorded=...)

    dear = metering.ChargeRequest(account_id=account_id, hold_id="image-2", amount="3")
    api.refused(api.metering.Charge, dear, "INSUFFICIENT_CREDITS", available="2.5", held="5", debt="0", short_by="0.5")
    api.invalid(api.metering.Charge, metering.ChargeRequest(account_id=account_id, hold_id="image-2"), "amount")

    # An account on credit: what its credits do not cover is debt.
    on_credit = api.new_account("charge-on-credit", overdraft_limit="20", credit_limit="10")
    answer = api.metering.Charge(metering.ChargeRequest(account_id=on_credit, hold_id="image-1", amount="4"))
    has(answer, charged="0", overdrawn="4")
    has(answer.balance, balance="-4", debt="4", available="6")
