"""Local activities: they run in the task that began them, and the engine retries them there. Pure.

An attempt that must wait longer than a task lasts comes back: then a timer runs, and the activity is begun again.
"""

from __future__ import annotations

from pyroadrunner.plugins.temporal.core import ActivityCancellationType, ScheduleLocalActivity
from pyroadrunner.plugins.temporal.operations import Kind, Operation
from pyroadrunner.plugins.temporal.run import Run


def schedule_local(run: Run, php_id: int, activity: ScheduleLocalActivity) -> None:
    """Begin a local activity, or its next attempt."""
    activity.seq = run.numbers.next_local()
    if not activity.activity_id:
        activity.activity_id = str(activity.seq)
    activity.cancellation_type = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    if run.start is not None:
        activity.local_retry_threshold.CopyFrom(run.start.workflow_task_timeout)
    run.add(counted=False).schedule_local_activity.CopyFrom(activity)
    run.operations.add(Operation(kind=Kind.LOCAL, seq=activity.seq, php_id=php_id, detail=activity))


def wait_for_next_attempt(run: Run, operation: Operation, backoff: object) -> None:
    """Start the timer before the next attempt.

    Args:
        backoff: the engine's ``DoBackoff``.
    """
    activity: ScheduleLocalActivity = operation.detail
    activity.attempt = backoff.attempt  # type: ignore[attr-defined]  # a nested message without a public name
    activity.original_schedule_time.CopyFrom(backoff.original_schedule_time)  # type: ignore[attr-defined]
    seq = run.numbers.next()
    timer = run.add().start_timer
    timer.seq = seq
    timer.start_to_fire_timeout.CopyFrom(backoff.backoff_duration)  # type: ignore[attr-defined]
    run.operations.add(Operation(kind=Kind.BACKOFF, seq=seq, php_id=operation.php_id, detail=activity))
