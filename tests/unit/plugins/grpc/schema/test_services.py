from __future__ import annotations

from pyroadrunner.plugins.grpc.schema.services import Method, Service, Services


def service(name: str, *methods: str) -> Service:
    return Service(
        name=name, methods={method: Method(name=method, input_type="In", output_type="Out") for method in methods}
    )


def test_the_first_of_two_services_with_one_name_counts() -> None:
    services = Services([service("a.A", "One"), service("b.B"), service("a.A", "Two")])
    assert list(services) == ["a.A", "b.B"]
    assert len(services) == 2
    assert list(services["a.A"].methods) == ["One"]
    assert repr(services) == "Services(a.A, b.B)"
