"""The table of states: legal and illegal transitions."""

from __future__ import annotations

import pytest

from pyroadrunner.workers.state import TRANSITIONS, IllegalTransition, State, active, transition

ENDS = {State.STOPPING, State.STOPPED, State.ERRORED, State.DESTROYED}
LIMITS = {State.INVALID, State.MAX_JOBS_REACHED, State.TTL_REACHED, State.MAX_MEMORY_REACHED, State.EXEC_TTL_REACHED}

# Every state and its legal next states; all other transitions are illegal.
LEGAL = {
    State.INACTIVE: {State.READY} | ENDS,
    State.READY: {State.WORKING, State.IDLE_TTL_REACHED} | LIMITS | ENDS,
    State.WORKING: {State.READY} | LIMITS | ENDS,
    State.INVALID: {State.EXEC_TTL_REACHED} | ENDS,
    State.TTL_REACHED: {State.EXEC_TTL_REACHED} | ENDS,
    State.MAX_MEMORY_REACHED: {State.EXEC_TTL_REACHED} | ENDS,
    State.MAX_JOBS_REACHED: ENDS,
    State.IDLE_TTL_REACHED: ENDS,
    State.EXEC_TTL_REACHED: ENDS,
    State.STOPPING: {State.STOPPED, State.ERRORED, State.DESTROYED},
    State.STOPPED: {State.DESTROYED},
    State.ERRORED: {State.DESTROYED},
    State.DESTROYED: set(),
}
PAIRS = [(old, new) for old in State for new in State]


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=lambda state: state.name)
def test_a_transition_is_legal_or_raises(old: State, new: State) -> None:
    if new in LEGAL[old]:
        assert transition(old, new) is new
    else:
        with pytest.raises(IllegalTransition, match=f"from {old.name} to {new.name}") as error:
            transition(old, new)
        assert (error.value.old, error.value.new) == (old, new)


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_only_inactive_and_working_workers_become_ready() -> None:
    assert {state for state in State if State.READY in TRANSITIONS[state]} == {State.INACTIVE, State.WORKING}


def test_only_ready_workers_get_a_call() -> None:
    assert {state for state in State if State.WORKING in TRANSITIONS[state]} == {State.READY}


def test_a_working_worker_never_reaches_idle_ttl() -> None:
    assert {state for state in State if State.IDLE_TTL_REACHED in TRANSITIONS[state]} == {State.READY}


def test_a_worker_in_any_state_can_be_destroyed_once() -> None:
    assert {state for state in State if State.DESTROYED in TRANSITIONS[state]} == set(State) - {State.DESTROYED}


@pytest.mark.parametrize(
    ("number", "label"),
    [
        (0, "inactive"),
        (1, "ready"),
        (2, "working"),
        (3, "invalid"),
        (4, "stopping"),
        (5, "stopped"),
        (6, "destroyed"),
        (7, "maxJobsReached"),
        (8, "errored"),
        (9, "idleTTLReached"),
        (10, "ttlReached"),
        (11, "maxMemoryReached"),
        (12, "execTTLReached"),
    ],
)
def test_numbers_and_names_are_those_of_roadrunner(number: int, label: str) -> None:
    assert State(number).label == label


def test_ready_and_working_workers_are_active() -> None:
    assert {state for state in State if active(state)} == {State.READY, State.WORKING}
