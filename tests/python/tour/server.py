"""What a gRPC server owes its operators: health and reflection; and the two services that only tests see."""

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

import stubs
from api import Api, has, later, seconds


def health(api: Api) -> None:
    """grpc.health.v1 says SERVING, for the server and for a service"""
    checks = health_pb2_grpc.HealthStub(api.channel)
    for service in ["", "holdbook.v1.MeteringService"]:
        has(checks.Check(health_pb2.HealthCheckRequest(service=service)), status=health_pb2.HealthCheckResponse.SERVING)

    watch = checks.Watch(health_pb2.HealthCheckRequest(service=""))
    has(next(watch), status=health_pb2.HealthCheckResponse.SERVING)
    watch.cancel()

    try:
        checks.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    except grpc.RpcError as failure:
        assert failure.code() == grpc.StatusCode.NOT_FOUND, failure
    else:
        raise AssertionError("health of a service that does not exist was answered")


def reflection(api: Api) -> None:
    """Both reflections tell of every service, and of the error details"""
    for version in ["v1", "v1alpha"]:
        # The two differ in nothing but the name, so one set of messages reads both.
        ask = api.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        symbols = [
            *stubs.SERVICES,
            "google.rpc.ErrorInfo",
            "google.rpc.QuotaFailure",
            "google.rpc.BadRequest",
            "google.rpc.RetryInfo",
        ]
        requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
        requests += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols]
        answers = list(ask(iter(requests)))

        listed = {service.name for service in answers[0].list_services_response.service}
        missing = {*stubs.SERVICES, "grpc.health.v1.Health"} - listed
        assert not missing, f"reflection {version} does not list {sorted(missing)}"

        for symbol, answer in zip(symbols, answers[1:], strict=True):
            files = answer.file_descriptor_response.file_descriptor_proto
            assert files, f"reflection {version} does not know {symbol}: {answer.error_response.error_message}"
            described = [descriptor_pb2.FileDescriptorProto.FromString(file) for file in files]
            if symbol in stubs.SERVICES:
                rpcs = {m.name for file in described for s in file.service if symbol.endswith(s.name) for m in s.method}
                assert rpcs == {m.name for m in stubs.SERVICES[symbol].methods}, (
                    f"reflection {version}: {symbol} has {rpcs}"
                )


def test_clock(api: Api) -> None:
    """With --test-clock time stands still and moves only by Advance"""
    start = api.now()
    assert api.now() == start, "the test clock moved by itself"
    assert api.advance(90) == later(start, 90)
    assert api.now() == later(start, 90)
    assert api.advance(0) == later(start, 90)

    api.invalid(api.clock.Advance, stubs.test_clock.AdvanceRequest(), "by")
    api.invalid(api.clock.Advance, stubs.test_clock.AdvanceRequest(by=seconds(-1)), "by")
    api.invalid(api.clock.Advance, stubs.test_clock.AdvanceRequest(by=seconds(3661 * 86_400)), "by")


def bench(api: Api) -> None:
    """With --bench a call of Reserve's size that does nothing"""
    request = stubs.metering.ReserveRequest(account_id="nobody", hold_id="job-1", amount="7")
    answer = api.bench.Noop(stubs.bench.NoopRequest(reserve=request)).reserve
    assert answer.HasField("hold") and answer.HasField("balance"), f"not a full Reserve answer: {answer}"
