"""RPC methods ``websocket.*``: publish, and see and steer connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.plugins.websocket.errors import BadMessage, UnknownConnection
from pyroadrunner.plugins.websocket.events import Outgoing
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.client import PusherClient
from pyroadrunner.plugins.websocket.session import Environment, Session
from pyroadrunner.plugins.websocket.topics import MAX_NAME

_CODES = (1000, 1008, 1011, 1012, 1013)
_LISTED = 1000  # connections of one answer


class PublishRequest(Outgoing, kw_only=True):
    """A message for topics.

    Attributes:
        except_connection: id of a connection that does not get it.
    """

    topics: list[str]
    except_connection: str = ""


class SendRequest(Outgoing, kw_only=True):
    """A message for one connection, or for all connections of a user."""

    connection: str = ""
    user: str = ""


class DisconnectRequest(msgspec.Struct, kw_only=True):
    """Connections to close: one, or all of a user."""

    connection: str = ""
    user: str = ""
    code: int = 1000
    reason: str = ""


class ListRequest(msgspec.Struct, kw_only=True):
    """Which connections to list: all, or those of a topic, a channel, a user or an application."""

    topic: str = ""
    user: str = ""
    app: str = ""
    limit: int = _LISTED


class TopicRequest(msgspec.Struct, kw_only=True):
    """One topic."""

    topic: str


class WebSocketRpc:
    """Handles the calls.

    Args:
        apps: the applications that speak the Pusher protocol.
    """

    def __init__(self, environment: Environment, apps: Sequence[PusherApp] = ()) -> None:
        self._environment = environment
        self._apps = apps
        self._hub = environment.hub

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Publish": RpcMethod(self.publish, argument=PublishRequest),
            "Send": RpcMethod(self.send, argument=SendRequest),
            "Disconnect": RpcMethod(self.disconnect, argument=DisconnectRequest),
            "List": RpcMethod(self.connections, argument=ListRequest),
            "Topics": RpcMethod(self.topics),
            "Presence": RpcMethod(self.presence, argument=TopicRequest),
            "Count": RpcMethod(self.count),
        }

    async def publish(self, request: PublishRequest) -> dict[str, Any]:
        """Publish; returns ``receivers`` here and the ``offset`` in each topic with a history."""
        if not request.topics:
            raise BadMessage("topics is empty")
        data, text = request.payload()
        results = {}
        for topic in request.topics:
            if not 0 < len(topic) <= MAX_NAME:
                raise BadMessage(f"a topic has 1 to {MAX_NAME} characters: {topic[:MAX_NAME]!r}")
            publication, receivers = await self._hub.publish(topic, data, text=text, origin=request.except_connection)
            results[topic] = {"receivers": receivers, "offset": publication.offset, "epoch": publication.epoch}
        return {"topics": results}

    def send(self, request: SendRequest) -> dict[str, int]:
        """Send; returns ``receivers``."""
        data, text = request.payload()
        message = OutMessage(data, text=text)
        return {"receivers": sum(one.send(message) for one in self._chosen(request.connection, request.user))}

    def disconnect(self, request: DisconnectRequest) -> dict[str, int]:
        """Close connections; returns how many."""
        chosen = self._chosen_of_all(request.connection, request.user)
        if request.code not in _CODES and not 3000 <= request.code <= 4999:
            raise BadMessage(f"{request.code} is no code to close with: 1000, 1008, 1011 to 1013, or 3000 to 4999")
        for one in chosen:
            one.close(request.code, request.reason[:120])
        return {"closed": len(chosen)}

    def connections(self, request: ListRequest) -> list[dict[str, Any]]:
        """Open connections, up to ``limit``."""
        found = []
        for one in self._all(request.app):
            if (request.topic and request.topic not in one.topics) or (request.user and request.user != one.user):
                continue
            found.append(one.view())
            if len(found) >= min(request.limit, _LISTED):
                break
        return found

    def topics(self, _: bool) -> dict[str, int]:
        """Followers of each topic here."""
        return {topic: len(followers) for topic, followers in self._hub.topics.items()}

    async def presence(self, request: TopicRequest) -> list[dict[str, Any]]:
        """Who follows a topic with presence, on all servers: each user once, with the ``info`` that a worker gave."""
        users: dict[str, dict[str, Any]] = {}
        for member in await self._hub.driver.members(request.topic):
            entry = users.setdefault(
                member.user or member.connection,
                {"user": member.user, "info": msgspec.json.decode(member.info), "connections": []},
            )
            entry["connections"].append(member.connection)
        return list(users.values())

    def count(self, _: bool) -> dict[str, Any]:
        """Numbers of connections and topics here; ``apps`` are connections by application."""
        return {
            "connections": len(self._environment.sessions),
            "topics": len(self._hub.topics),
            "apps": {app.config.id: len(app.clients) for app in self._apps},
        }

    def _all(self, app: str) -> Iterator[Session | PusherClient]:
        """The connections of an application; empty = all, and those of no application."""
        if not app:
            yield from self._environment.sessions.values()
        for one in self._apps:
            if app in ("", one.config.id):
                yield from one.clients.values()

    def _chosen_of_all(self, connection: str, user: str) -> Sequence[Session | PusherClient]:
        found = next((one.clients[connection] for one in self._apps if connection in one.clients), None)
        if found is not None:
            return [found]
        chosen: list[Session | PusherClient] = [*self._chosen(connection, user)]
        return chosen if connection else [*chosen, *self._of_user(user)]

    def _of_user(self, user: str) -> Iterator[PusherClient]:
        for app in self._apps:
            yield from (one for one in app.clients.values() if one.user == user)

    def _chosen(self, connection: str, user: str) -> list[Session]:
        sessions = self._environment.sessions
        if connection:
            found = sessions.get(connection)
            if found is None:
                raise UnknownConnection(connection)
            return [found]
        if not user:
            raise BadMessage("name a connection or a user")
        return [one for one in sessions.values() if one.user == user]
