"""Were concurrent calls of ``lock`` answered as if each had happened at one moment between its begin and its end?

The search is Wing and Gong's with Lowe's memory of what was tried: take any call that began before every other one
left ended, see whether the model allows its answer, go on. Names do not touch each other, so each is searched alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

SLACK = 1_000_000  # nanoseconds: the clocks of servers and clients are not the same
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its answer. Times are nanoseconds of one clock; ``ttl`` too, 0 = none."""

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
    """Who holds it. It may end by itself from ``may`` on, and has ended at ``must``."""

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
    """What can't be explained, in words; empty when everything can."""
    names: dict[str, list[Call]] = {}
    for call in calls:
        names.setdefault(call.resource, []).append(call)
    return "\n".join(_told(name, stuck) for name, history in names.items() if (stuck := _search(history)))


def _search(history: Sequence[Call]) -> list[Call]:
    """The calls that are left where the search came furthest; none when there is an order for all."""
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
    """Calls that may come now: nobody who is left had ended before they began."""
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
    """What may be after a call, from a state, given its answer."""
    for now in _expired(state, call):
        after = _apply(now, call)
        if after is not None:
            yield after


def _expired(state: State, call: Call) -> Iterator[State]:
    """The state with those gone whose time was over, in each way that fits the time of the call."""
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
    # Somebody was in the way; with holders of its own id there may be a queue before it, which is not in the state.
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
