"""Sends webhooks to the application of this server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import AppRequest, HandlesRequests


class AppTransport:
    """Sends to the application behind ``http``, without a connection. Its request attribute ``pusher_app`` is the id of
    the Pusher application: no client can set it."""

    def __init__(self, http: Sequence[HandlesRequests], path: str, app_id: str) -> None:
        self.own = True
        self._http = http
        self._path = path
        self._app_id = app_id

    def __repr__(self) -> str:
        return f"AppTransport({self._path})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        response = await self._http[0].handle_request(
            AppRequest(
                path=self._path,
                method="POST",
                headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()],
                body=body,
                attributes={"pusher_app": self._app_id},
            )
        )
        return response.status
