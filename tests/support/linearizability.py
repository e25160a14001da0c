"""Check that concurrent calls of ``lock`` are linearizable: each takes effect at one moment between begin and end.

The search is Wing and Gong's with Lowe's memory of visited states: take any call that began before all other remaining
calls ended, check whether the model allows its reply, continue. Names are independent, so each is searched alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

SLACK = 1_000_000  # nanoseconds: the clocks of servers and clients differ
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its reply. Times are nanoseconds of one clock, also ``ttl``; 0 = none."""

    client: str
    method: str
    resource: str
    id: str
    begin: int
    end: int
    ok: bool
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder of the lock. It may expire from ``may`` on, and has expired at ``must``."""

    id: str
    may: int = NEVER
    must: int = NEVER


@dataclass(frozen=True, slots=True)
class State:
    """A name: its holders, whether it is held exclusively, whether it was ever locked."""

    holders: frozenset[Holder] = frozenset()
    exclusive: bool = False
    known: bool = False


def fault(calls: Iterable[Call]) -> str:
    """A description of the violation; empty if the history is linearizable."""
    names: dict[str, list[Call]] = {}
    for call in calls:
        names.setdefault(call.resource, []).append(call)
    return "\n".join(_told(name, stuck) for name, history in names.items() if (stuck := _search(history)))


def _search(history: Sequence[Call]) -> list[Call]:
    """The calls that remain at the furthest point of the search; empty if there is an order for all."""
    calls = sorted(history, key=lambda call: call.begin)
    everything = (1 << len(calls)) - 1
    start = (0, State())
    seen = {start}
    stack = [start]
    furthest = 0
    while stack:
        done, state = stack.pop()
        if done == everything:
            return []
        if done.bit_count() > furthest.bit_count():
            furthest = done
        for at in _next(calls, done):
            for after in steps(state, calls[at]):
                found = (done | 1 << at, after)
                if found not in seen:
                    seen.add(found)
                    stack.append(found)
    return [call for at, call in enumerate(calls) if not furthest >> at & 1]


def _next(calls: Sequence[Call], done: int) -> Iterator[int]:
    """Calls that may be next: no other remaining call ended before they began."""
    first_end = NEVER
    found = []
    for at, call in enumerate(calls):
        if call.begin > first_end:
            break
        if not done >> at & 1:
            found.append(at)
            first_end = min(first_end, call.end)
    return (at for at in found if calls[at].begin <= first_end)


def steps(state: State, call: Call) -> Iterator[State]:
    """The possible states after a call with this reply."""
    for now in _expired(state, call):
        after = _apply(now, call)
        if after is not None:
            yield after


def _expired(state: State, call: Call) -> Iterator[State]:
    """The state without expired holders, in each variant that fits the time of the call."""
    sure = {one for one in state.holders if one.must < call.begin}
    perhaps = [one for one in state.holders - sure if one.may <= call.end]
    for number in range(len(perhaps) + 1):
        for gone in combinations(perhaps, number):
            yield _with(state, state.holders - sure - set(gone))


def _apply(state: State, call: Call) -> State | None:
    mine = next((one for one in state.holders if one.id == call.id), None)
    others = state.holders - {mine} if mine is not None else state.holders
    if call.method in ("Lock", "LockRead"):
        return _taken(state, call, others)
    if call.method == "ForceRelease":
        return _with(state, frozenset()) if call.ok == state.known else None
    if call.method == "Exists" and call.id == "*":
        return state if call.ok == bool(state.holders) else None
    if call.ok != (mine is not None):
        return None
    if call.method == "Release":
        return _with(state, others)
    if call.method == "UpdateTTL" and call.ok:
        return _with(state, others | {_holder(call)})
    return state


def _taken(state: State, call: Call, others: frozenset[Holder]) -> State | None:
    reads = call.method == "LockRead"
    free = not state.holders or (not state.exclusive and (reads or not others))
    if call.ok:
        return State(others | {_holder(call)}, exclusive=not reads, known=True) if free else None
    # Another holder blocked it; with holders of its own id there may be a queue before it, which the state lacks.
    return state if state.holders else None


def _holder(call: Call) -> Holder:
    if not call.ttl:
        return Holder(call.id)
    return Holder(call.id, may=call.begin + call.ttl - SLACK, must=call.end + call.ttl + SLACK)


def _with(state: State, holders: frozenset[Holder]) -> State:
    return State(holders, exclusive=state.exclusive and bool(holders), known=state.known)


def _told(name: str, left: Sequence[Call]) -> str:
    begin = left[0].begin
    lines = [
        f"  {(call.begin - begin) / 1e6:9.3f} .. {(call.end - begin) / 1e6:9.3f} ms  client {call.client}:"
        f" {call.method}({call.id}{f', ttl {call.ttl / 1e6:g} ms' if call.ttl else ''}) = {call.ok}"
        for call in left[:20]
    ]
    return f"{name}: no order explains the next of these calls ({len(left)} are left)\n" + "\n".join(lines)
