"""A Python client walks through the whole API and asserts every answer. Read `tour/` in the order below as a tutorial.

    HOLDBOOK_ADDR=127.0.0.1:7600 .venv/bin/python tests/python/client_test.py

The server must run with `--test-clock --bench`. The client is generated from `proto/` on the spot. It ends with an
error when an answer is not as expected, when an RPC of the proto was never called, or when a reason that calls can bring
about never was. RetryInfo goes with UNAVAILABLE only, which needs a failing store: other tests break those.
"""

import os
import sys
import traceback

import stubs
from api import NOT_BY_CALLS, STATUS, Api
from tour import accounts, charge, commit, expire, extend, grants, ledger, plans, prices, refund, release, reserve, server, stream

CHAPTERS = [
    server.health,
    server.reflection,
    server.test_clock,
    server.bench,
    accounts.create,
    accounts.update,
    grants.give,
    grants.rollover,
    grants.revoke,
    grants.list_grants,
    reserve.reserve,
    reserve.limits,
    reserve.on_credit,
    reserve.invalid,
    extend.extend,
    commit.commit,
    commit.per_frame,
    commit.above_the_hold,
    commit.bounds,
    release.release,
    expire.expire,
    charge.charge,
    refund.refund,
    stream.meter,
    prices.apply,
    prices.quote,
    plans.subscribe,
    plans.levels,
    plans.caps,
    plans.purchase,
    plans.end,
    ledger.list_holds,
    ledger.list_transfers,
    accounts.suspend,
    accounts.close,
]


def main() -> int:
    address = os.environ.get("HOLDBOOK_ADDR")
    if not address:
        print("HOLDBOOK_ADDR=host:port of a server with --test-clock and --bench is not set", file=sys.stderr)
        return 2
    if not __debug__:
        print("the assertions are the test: run it without -O", file=sys.stderr)
        return 2
    assert set(STATUS) | NOT_BY_CALLS == stubs.REASONS, (
        f"api.py does not know all reasons: {set(STATUS) ^ stubs.REASONS}"
    )
    api = Api(address)
    for chapter in CHAPTERS:
        name = f"{chapter.__module__.removeprefix('tour.')}.{chapter.__name__}"
        try:
            chapter(api)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {name}", file=sys.stderr)
            return 1
        print(f"ok {name}: {chapter.__doc__.splitlines()[0]}")
    left = {"RPCs never called": stubs.RPCS - set(api.called), "reasons never met": set(STATUS) - set(api.reasons)}
    for what, missing in left.items():
        if missing:
            print(f"FAILED: {what}: {', '.join(sorted(missing))}", file=sys.stderr)
    if any(left.values()):
        return 1
    print(
        f"python client: {len(stubs.RPCS)} RPCs, {sum(api.called.values())} calls, {len(STATUS)} reasons: all as expected"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
