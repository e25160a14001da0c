"""Serves HTTP, and runs the jobs that its requests push."""

import json
import os
import sys

from pyroadrunner.sdk import http
from pyroadrunner.sdk.http import Request
from pyroadrunner.sdk.jobs import Handlers, Jobs, Task

handlers = Handlers()


@handlers.job("send-mail")
def send_mail(task: Task) -> None:
    mail = json.loads(task.payload)
    if mail["to"] == "unknown":
        raise ValueError("there is no such address")  # a failed attempt
    print(f"mail to {mail['to']}, attempt {task.failed_attempts + 1}", file=sys.stderr)


def serve_http() -> None:
    with Jobs() as jobs:

        def handler(request: Request) -> str:
            to = request.query.get("to", ["you"])[0]
            return f"queued as {jobs.push('mails', 'send-mail', json.dumps({'to': to}))}\n"

        http.serve(handler)


# The server starts this file once for each pool, and RR_MODE names the plugin.
if os.environ["RR_MODE"] == "jobs":
    handlers.serve()
else:
    serve_http()
