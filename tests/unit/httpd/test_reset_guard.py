from __future__ import annotations

from pyroadrunner.httpd.reset_guard import WINDOW, ResetGuard

CLIENT, OTHER = ("192.0.2.1", 4000), ("192.0.2.1", 4001)


def test_the_first_reset_past_the_limit_is_reported_once() -> None:
    guard = ResetGuard(3)
    assert [guard.exceeded(CLIENT, 0.0) for _ in range(6)] == [False, False, False, True, False, False]


def test_each_connection_has_its_own_count() -> None:
    guard = ResetGuard(1)
    assert not guard.exceeded(CLIENT, 0.0)
    assert not guard.exceeded(OTHER, 0.0)
    assert guard.exceeded(CLIENT, 1.0)


def test_each_window_begins_with_zero() -> None:
    guard = ResetGuard(2)
    for began in (0.0, WINDOW, 2 * WINDOW):
        assert not guard.exceeded(CLIENT, began)
        assert not guard.exceeded(CLIENT, began + WINDOW / 2)
    assert guard.exceeded(CLIENT, 2.9 * WINDOW)


def test_clients_of_the_past_are_forgotten() -> None:
    guard = ResetGuard(2)
    for port in range(1024):
        guard.exceeded(("192.0.2.2", port), 0.0)
    assert "clients=1024" in repr(guard)
    guard.exceeded(CLIENT, WINDOW)
    assert "clients=1)" in repr(guard)


def test_the_number_of_clients_is_bounded() -> None:
    guard = ResetGuard(2)
    for port in range(5000):
        guard.exceeded(("192.0.2.2", port), 0.0)
    assert len(guard._windows) <= 1024
