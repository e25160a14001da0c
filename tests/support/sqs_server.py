"""moto's server, whose threads may give one visible message to two calls: it looks and marks without a lock. The
service does both at once, so here a lock holds them together.

    python -P tests/support/sqs_server.py -H 127.0.0.1 -p 4100
"""

from __future__ import annotations

import threading
import time
from typing import Any

from moto.server import main
from moto.sqs.models import SQSBackend

_lock = threading.Lock()
_receive = SQSBackend.receive_message


def receive_message(
    self: SQSBackend, queue_name: str, count: int, wait_seconds_timeout: int, *arguments: Any, **named: Any
) -> Any:
    """As moto's, one call at a time; the wait for messages is outside of the lock."""
    ends = time.monotonic() + wait_seconds_timeout
    while True:
        with _lock:
            found = _receive(self, queue_name, count, 0, *arguments, **named)
        if found or time.monotonic() >= ends:
            return found
        self.get_queue(queue_name).wait_for_messages(1)


SQSBackend.receive_message = receive_message  # type: ignore[method-assign]  # that is the purpose

if __name__ == "__main__":
    main()
