"""One connection to Holdbook: its services, the calls counted, and what is true of every answer and refusal."""

import collections
import re
import uuid

import grpc
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import stubs

DEADLINE_SECONDS = 20

# Reason -> gRPC code (for retry policies) and metadata `http_status` (for people who think in HTTP).
STATUS = {
    "INSUFFICIENT_CREDITS": (grpc.StatusCode.RESOURCE_EXHAUSTED, 402),
    "IN_DEBT": (grpc.StatusCode.RESOURCE_EXHAUSTED, 402),
    "CONCURRENCY_LIMIT": (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    "CAPACITY_LIMIT": (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    "SPEND_CAP": (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    "ACCOUNT_SUSPENDED": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "ACCOUNT_CLOSED": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "HOLD_ENDED": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "ABOVE_HOLD": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "ABOVE_MAX_COMMIT": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "LATE_WINDOW_PASSED": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "NON_REFUNDABLE": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "ID_REUSED": (grpc.StatusCode.ALREADY_EXISTS, 409),
    "ACCOUNT_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "HOLD_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "GRANT_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "INVALID": (grpc.StatusCode.INVALID_ARGUMENT, 400),
    "ETAG_MISMATCH": (grpc.StatusCode.ABORTED, 409),
    "CATALOG_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "PLAN_INACTIVE": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "FEATURE_NOT_IN_PLAN": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "DURATION_LIMIT": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "RESOLUTION_LIMIT": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "SUBSCRIPTION_ACTIVE": (grpc.StatusCode.FAILED_PRECONDITION, 403),
    "SUBSCRIPTION_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "SUBSCRIPTION_ENDED": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "SUBSCRIPTION_CANCELLED": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "PLAN_UNAVAILABLE": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "PAYMENT_OUTSTANDING": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "PAYMENT_NOT_DUE": (grpc.StatusCode.FAILED_PRECONDITION, 409),
}
# No caller can bring these about: they need an event in quarantine, a store that fails, or a defect.
NOT_BY_CALLS = {"ACCOUNT_FROZEN", "BACKPRESSURE", "PARTITION_RECOVERING", "STORE_UNAVAILABLE", "BUG"}

# What a message to a caller never mentions.
INTERNALS = re.compile(r"redis|postgres|\blua\b|\bsql\b|panick|src/|\.rs\b", re.IGNORECASE)


class Refusal:
    """A refused call: gRPC status, ErrorInfo and details."""

    def __init__(self, failure: grpc.RpcError):
        self.code, self.message = failure.code(), failure.details()
        status = rpc_status.from_call(failure)
        assert status is not None, f"{self.code.name} without google.rpc.Status: {self.message}"
        self.details = collections.defaultdict(list)
        for packed in status.details:
            kind = getattr(error_details_pb2, packed.TypeName().removeprefix("google.rpc."))
            detail = kind()
            packed.Unpack(detail)
            self.details[kind.__name__].append(detail)
        assert len(self.details["ErrorInfo"]) == 1, f"not exactly one ErrorInfo: {status}"
        self.info = self.details["ErrorInfo"][0]
        self.metadata = self.info.metadata

    def fields(self) -> set[str]:
        """The violated fields of a BadRequest, `labels["x"]` as `labels`."""
        return {re.split(r"[\[.]", violation.field)[0] for violation in self.details["BadRequest"][0].field_violations}

    def check(self, reason: str, metadata: dict) -> None:
        """What the contract promises of every refusal, and the metadata given; `...` stands for any value."""
        info = self.info
        assert (info.domain, info.reason) == ("holdbook", reason), (
            f"{info.domain}/{info.reason}: {self.message}; expected {reason}"
        )
        code, http_status = STATUS[reason]
        assert self.code == code, f"{reason} came as {self.code.name}, expected {code.name}"
        for key, wanted in {"http_status": str(http_status), **metadata}.items():
            assert key in info.metadata, f"{reason}: metadata has no {key!r}: {dict(info.metadata)}"
            if wanted is not ...:
                assert info.metadata[key] == wanted, f"{reason}: {key} is {info.metadata[key]!r}, expected {wanted!r}"
        assert self.message and not INTERNALS.search(self.message), f"{reason}: message {self.message!r}"
        bad_request, quota = self.details["BadRequest"], self.details["QuotaFailure"]
        assert len(bad_request) == (reason == "INVALID"), f"{reason} with {len(bad_request)} BadRequest"
        assert len(quota) == (code == grpc.StatusCode.RESOURCE_EXHAUSTED), f"{reason} with {len(quota)} QuotaFailure"
        for violation in [v for detail in bad_request for v in detail.field_violations]:
            assert violation.field and violation.description, f"an empty violation: {violation}"
        for violation in [v for detail in quota for v in detail.violations]:
            assert violation.subject and violation.description, f"an empty violation: {violation}"
        if reason != "INVALID":
            for word in self.message.split():
                number = word.strip(",;:.()`'\"")
                if re.fullmatch(r"\d+(\.\d+)?", number):
                    assert number in info.metadata.values(), (
                        f"{reason}: {number} of {self.message!r} is not in {dict(info.metadata)}"
                    )


class Api(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """The services of one server. Remembers which RPCs were called and with which reasons they were refused."""

    def __init__(self, address: str):
        plain = grpc.insecure_channel(address)
        try:
            grpc.channel_ready_future(plain).result(timeout=DEADLINE_SECONDS)
        except grpc.FutureTimeoutError:
            raise SystemExit(
                f"no gRPC server answered at HOLDBOOK_ADDR={address} within {DEADLINE_SECONDS} s"
            ) from None
        self.channel = grpc.intercept_channel(plain, self)
        self.called, self.reasons = collections.Counter(), collections.Counter()
        self.metering = stubs.metering_rpc.MeteringServiceStub(self.channel)
        self.accounts = stubs.account_rpc.AccountServiceStub(self.channel)
        self.grants = stubs.grant_rpc.GrantServiceStub(self.channel)
        self.prices = stubs.pricing_rpc.PricingServiceStub(self.channel)
        self.plans = stubs.subscription_rpc.SubscriptionServiceStub(self.channel)
        self.clock = stubs.test_clock_rpc.TestClockServiceStub(self.channel)
        self.bench = stubs.bench_rpc.BenchServiceStub(self.channel)

    def _count(self, continuation, call, request):
        self.called[call.method] += 1
        return continuation(call._replace(timeout=call.timeout or DEADLINE_SECONDS), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _count

    def refused(self, rpc, request, reason: str, **metadata) -> Refusal:
        """Makes a call that must be refused for this reason with this metadata."""
        try:
            answer = rpc(request)
        except grpc.RpcError as failure:
            refusal = Refusal(failure)
        else:
            raise AssertionError(f"expected {reason}, but it was answered: {answer}")
        refusal.check(reason, metadata)
        self.reasons[reason] += 1
        return refusal

    def invalid(self, rpc, request, *fields: str) -> Refusal:
        """Makes a call that must be refused naming exactly these fields, all of them."""
        refusal = self.refused(rpc, request, "INVALID")
        assert refusal.fields() == set(fields), f"violated fields {sorted(refusal.fields())}, expected {sorted(fields)}"
        return refusal

    # --- what nearly every chapter begins with ---

    def new_account(self, name: str, **limits) -> str:
        """Creates an account with an id of its own, so that runs do not meet."""
        account_id = f"py-{name}-{uuid.uuid4().hex[:12]}"
        self.accounts.CreateAccount(stubs.account.CreateAccountRequest(account_id=account_id, **limits))
        return account_id

    def top_up(self, account_id: str, amount: str, grant_id: str = "top-up-1"):
        """Gives bought credits, spendable as soon as this answers."""
        return self.grants.GrantCredits(
            stubs.grant.GrantCreditsRequest(
                account_id=account_id, grant_id=grant_id, kind="GRANT_KIND_TOP_UP", amount=amount
            )
        )

    def balance(self, account_id: str):
        return self.accounts.GetBalance(stubs.account.GetBalanceRequest(account_id=account_id)).balance

    def now(self) -> timestamp_pb2.Timestamp:
        return self.clock.Now(stubs.test_clock.NowRequest()).now

    def advance(self, by: int) -> timestamp_pb2.Timestamp:
        """Moves the test clock forward. Time stands still otherwise."""
        return self.clock.Advance(stubs.test_clock.AdvanceRequest(by=seconds(by))).now


def seconds(count: int) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=count)


def later(instant: timestamp_pb2.Timestamp, by: int) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=instant.seconds + by, nanos=instant.nanos)


def has(message, **fields) -> None:
    """The message's fields have these values; enums by the end of their name (`state="OPEN"`)."""
    for field, wanted in fields.items():
        actual = getattr(message, field)
        enum = message.DESCRIPTOR.fields_by_name[field].enum_type
        if enum is not None and isinstance(wanted, str):
            name = enum.values_by_number[actual].name
            matches, actual = name.endswith(f"_{wanted}"), name
        else:
            matches = actual == wanted
        assert matches, f"{message.DESCRIPTOR.name}.{field} is {actual!r}, expected {wanted!r} in\n{message}"


def amounts(grant_amounts) -> list[tuple[str, str]]:
    """`[(grant_id, amount)]`, in the order of the answer."""
    return [(part.grant_id, part.amount) for part in grant_amounts]


def pages(rpc, request, field: str) -> list:
    """All items of a list RPC: the same request again with `next_page_token`, until that is empty."""
    items = []
    while True:
        page = rpc(request)
        items.extend(getattr(page, field))
        if not page.next_page_token:
            return items
        assert len(getattr(page, field)) == (request.page_size or 100), "a page with a successor is not full"
        request.page_token = page.next_page_token
