"""Send a request to the application."""

from __future__ import annotations

from pyroadrunner.contracts import AppRequest, HandlesRequests
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.plugins.schedule.config import HttpAction

_SHOWN = 200  # characters of the body of a failed response


class SendRequest:
    """Implements :class:`~pyroadrunner.plugins.schedule.actions.contract.Action`. The request attributes
    ``schedule_entry``, ``schedule_run`` and ``schedule_time`` tell the worker who asks: no client can set them."""

    def __init__(self, config: HttpAction, http: HandlesRequests) -> None:
        self._config = config
        self._http = http

    def __str__(self) -> str:
        return f"{self._config.method} {self._config.path}"

    async def run(self, occasion: Occasion) -> str:
        config = self._config
        headers = [(name.lower().encode(), value.encode()) for name, value in config.headers.items()]
        response = await self._http.handle_request(
            AppRequest(
                method=config.method,
                path=config.path,
                headers=[*headers, *occasion.trace],
                body=config.body.encode(),
                attributes={
                    "schedule_entry": occasion.entry,
                    "schedule_run": occasion.id,
                    "schedule_time": occasion.time,
                },
            )
        )
        if response.status >= 400:
            text = " ".join(response.body[: 4 * _SHOWN].decode("utf-8", "replace").split())[:_SHOWN]
            raise ActionFailed(f"status {response.status}{f': {text}' if text else ''}")
        if not response.complete:
            raise ActionFailed(f"status {response.status}, but the response was cut off")
        return f"status {response.status}"
