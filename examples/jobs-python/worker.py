"""Runs jobs: one function for each name."""

import json
import sys

from pyroadrunner.sdk.jobs import Handlers, Task

handlers = Handlers()


@handlers.job("send-mail")
def send_mail(task: Task) -> None:
    mail = json.loads(task.payload)
    if mail["to"] == "unknown":
        raise ValueError("there is no such address")  # a failed attempt
    print(f"mail to {mail['to']}, attempt {task.failed_attempts + 1}", file=sys.stderr)


@handlers.job("send-later")
async def send_later(task: Task) -> None:
    task.requeue("the gateway is busy", delay=30)


if __name__ == "__main__":
    handlers.serve()
