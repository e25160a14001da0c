"""The state of one workflow run in memory: jobs (``jobs.py``) and PHP's commands (``commands.py``) change it. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from pyroadrunner.plugins.temporal.core import InitializeWorkflow, Success, WorkflowActivation, WorkflowCommand
from pyroadrunner.plugins.temporal.envelope import answer, command, failed
from pyroadrunner.plugins.temporal.operations import Operations
from pyroadrunner.plugins.temporal.sequence import Sequence as Numbers
from pyroadrunner.plugins.temporal.side_effects import Reevaluations
from pyroadrunner.plugins.temporal.versions import Versions
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message


@dataclass(slots=True, kw_only=True)
class Rules:
    """What the runs of a task queue have in common.

    Attributes:
        next_id: gives the ids of commands for PHP.
        behaviors: of each workflow type that PHP can run: how it is versioned; 0 = as the deployment says.
        fail_on_panic: the panic policy: a failed task fails the run.
        eager_activities: whether the server may return an activity together with the task that scheduled it.
    """

    task_queue: str
    namespace: str
    next_id: Callable[[], int]
    behaviors: Mapping[str, int]
    fail_on_panic: bool = False
    eager_activities: bool = True
    reevaluations: Reevaluations = field(default_factory=Reevaluations)


class Run:
    """A run.

    Attributes:
        rr_id: PHP's name of it: a run that is evicted and replayed is another object of PHP.
        start: the job that started it; ``None`` before.
        header: of the workflow.
        operations: what PHP has begun.
        children: those that have started, or failed to, by the id of PHP's command.
        awaiting_start: ids of PHP's questions for the start of a child, by the id of its command.
        updates: the engine's ids of running updates.
        named_children: number of children whose id we chose.
        success: commands for Temporal.
        outgoing: messages for PHP.
        ended: whether it has completed, failed, or continued as new.
    """

    def __init__(self, run_id: str, rules: Rules) -> None:
        self.run_id = run_id
        self.rr_id = str(uuid.uuid4())
        self.rules = rules
        self.start: InitializeWorkflow | None = None
        self.header: dict[str, Payload] | None = None
        self.numbers = Numbers()
        self.operations = Operations()
        self.versions = Versions()
        self.children: dict[int, tuple[Payload | None, Failure | None]] = {}
        self.awaiting_start: dict[int, list[int]] = {}
        self.updates: dict[str, str] = {}
        self.named_children = 0
        self.activation = WorkflowActivation()
        self.success = Success()
        self.outgoing: list[Message] = []
        self.ended = False

    def __repr__(self) -> str:
        return f"Run({self.workflow_type or 'not started'}, {self.run_id}, {self.operations!r})"

    @property
    def workflow_type(self) -> str:
        return self.start.workflow_type if self.start is not None else ""

    @property
    def workflow_id(self) -> str:
        return self.start.workflow_id if self.start is not None else ""

    @property
    def replaying(self) -> bool:
        """Whether the engine replays the activation."""
        return self.activation.is_replaying

    @property
    def presented_as_replay(self) -> bool:
        """What PHP is told: whether it replays. See ``side_effects.py`` for the exception."""
        return self.replaying and not self.rules.reevaluations.needed(self.run_id, self.activation.history_length)

    def begin(self, activation: WorkflowActivation) -> None:
        """An activation begins."""
        self.activation = activation
        self.numbers.begin(activation.history_length)
        self.success = Success()
        self.outgoing = []

    # For PHP

    def say(
        self,
        name: str,
        options: Mapping[str, object],
        payloads: Sequence[Payload] | None = None,
        header: Mapping[str, Payload] | None = None,
    ) -> None:
        """Add a command to the next frame."""
        self.outgoing.append(command(self.rules.next_id(), name, options, payloads, header))

    def answer(self, php_id: int, payloads: Sequence[Payload] | None = None) -> None:
        """Add the result of PHP's command to the next frame."""
        self.outgoing.append(answer(php_id, payloads))

    def fail(self, php_id: int, failure: Failure) -> None:
        """Add the failure of PHP's command to the next frame."""
        self.outgoing.append(failed(php_id, failure))

    # For Temporal

    def add(self, *, counted: bool = True) -> WorkflowCommand:
        """Add a command.

        Args:
            counted: whether it will have an event of its own; see ``sequence.py``.
        """
        if counted:
            self.numbers.count()
        return self.success.commands.add()
