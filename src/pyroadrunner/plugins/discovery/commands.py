"""``rr cluster reset`` and ``rr cluster reload``: a signed command in the registry, a signed result of each server.

commands/<id>              the command; its issuer deletes it when all have answered
results/<id>/<instance>    what came of it on one server
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.contracts import HasRpc, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.discovery.drivers.contract import Registrar, RegistryError
from pyroadrunner.plugins.discovery.errors import NotCommandable
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.server import Server
from pyroadrunner.plugins.discovery.signing import Action, Command, Inbox, Result, Signer
from pyroadrunner.plugins.discovery.standing import log

_COMMANDS, _RESULTS = "commands/", "results/"
_MOST_COMMANDS, _COMMANDS_AT_ONCE = 1000, 50
_POLL = 0.5  # seconds between two looks at the results
_TRIES = 5  # to store a result
_PAUSE = 1.0


class Actions:
    """Runs commands on this server, with the RPC methods of other plugins.

    Args:
        services: a live view of the plugins with RPC methods.
    """

    def __init__(self, services: Sequence[HasRpc]) -> None:
        self._services = services

    async def run(self, command: Command) -> str:
        """Run a command; returns what has happened.

        Raises:
            RoadRunnerError: it failed.
        """
        if command.action == "reload":
            outcome = await self._call("roadrunner", "Reload", {"check": False})
            return _reloaded(outcome)
        names = command.plugins or await self._call("resetter", "List", True)
        results = await asyncio.gather(
            *(self._call("resetter", "Reset", name) for name in names), return_exceptions=True
        )
        failed = [str(one) for one in results if isinstance(one, BaseException)]
        if failed:
            raise RoadRunnerError("; ".join(failed))
        return f"reset: {', '.join(sorted(names))}" if names else "nothing to reset: there are no workers"

    async def _call(self, service: str, name: str, argument: Any) -> Any:
        method = self._method(service, name)
        result = method.call(msgspec.convert(argument, method.argument))
        return await result if asyncio.iscoroutine(result) else result

    def _method(self, service: str, name: str) -> RpcMethod:
        for plugin in self._services:
            if plugin.name == service:
                return plugin.rpc_methods()[name]
        raise RoadRunnerError(f"the server has no {service}")


def _reloaded(outcome: Mapping[str, Sequence[Any]]) -> str:
    applied, restart = len(outcome["applied"]), len(outcome["restart"])
    text = f"{applied} change{'s' * (applied != 1)} applied" if applied else "nothing has changed"
    return f"{text}, {restart} need{'s' * (restart == 1)} a restart" if restart else text


class Commands:
    """Sends commands, and runs those of others.

    Args:
        id, instance: of this server.
        wall: Unix time.
    """

    def __init__(
        self,
        registrar: Registrar,
        signer: Signer,
        inbox: Inbox,
        actions: Actions,
        figures: Figures,
        *,
        id: str,  # noqa: A002
        instance: str,
        wall: Callable[[], float],
    ) -> None:
        self._registrar = registrar
        self._signer = signer
        self._inbox = inbox
        self._actions = actions
        self._figures = figures
        self._id = id
        self._instance = instance
        self._wall = wall
        self._running: set[asyncio.Task[None]] = set()

    async def step(self) -> None:
        """Read the commands, and start the new ones. Each runs in its own task: a reset may take minutes.

        Raises:
            RegistryError
        """
        refused: dict[str, str] = {}
        found = list((await self._registrar.values(_COMMANDS)).items())
        for number, (key, data) in enumerate(found[:_MOST_COMMANDS], 1):
            if number % _COMMANDS_AT_ONCE == 0:
                await asyncio.sleep(0)  # requests are served meanwhile
            taken = self._inbox.take(key, data, self._wall())
            if isinstance(taken, Command):
                task = asyncio.create_task(self._run(taken), name=f"command {taken.action}")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            elif taken:
                self._figures.command("refused")
                refused[key] = taken
        if refused:  # one line, however many there are
            key, reason = next(iter(refused.items()))
            log.warning("command for all servers was refused", key=key, reason=reason, refused=len(refused))

    async def stop(self) -> None:
        """Cancel running commands."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def send(
        self, action: Action, plugins: Sequence[str], servers: Collection[Server], timeout: float
    ) -> list[Result]:
        """Send a command to all servers, and wait for their results. A server without one in time has failed.

        Args:
            servers: those that are expected to answer.

        Raises:
            RegistryError: the command was not sent.
        """
        command = Command(
            id=secrets.token_hex(8), action=action, plugins=list(plugins), issued=self._wall(), by=self._id
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        results: dict[str, Result] = {}
        expected = {server.instance: server.id for server in servers}
        log.info("command for all servers is sent", action=action, servers=len(expected))
        await self._registrar.put(f"{_COMMANDS}{command.id}", self._signer.sign(command))
        try:
            while not expected.keys() <= results.keys() and loop.time() < deadline:
                await asyncio.sleep(min(_POLL, max(0.0, deadline - loop.time())))
                results |= await self._results(command.id)
        finally:
            await self._clean(command.id)
        missing = [
            Result(command=command.id, server=name, ok=False, message=f"no answer within {timeout:g} s")
            for instance, name in expected.items()
            if instance not in results
        ]
        return sorted([*results.values(), *missing], key=lambda one: one.server)

    # inside

    async def _results(self, command: str) -> dict[str, Result]:
        prefix = f"{_RESULTS}{command}/"
        try:
            found = await self._registrar.values(prefix)
        except RegistryError as error:  # the next look may succeed
            log.debug("results of a command can't be read", error=str(error))
            return {}
        opened = {key.removeprefix(prefix): self._signer.result(data) for key, data in found.items()}
        return {key: one for key, one in opened.items() if one is not None and one.command == command}

    async def _clean(self, command: str) -> None:
        try:
            await self._registrar.delete(f"{_COMMANDS}{command}")
            await self._registrar.delete(f"{_RESULTS}{command}/")
        except RegistryError as error:
            log.warning("command was not deleted from the registry; no server takes it any more", error=str(error))

    async def _run(self, command: Command) -> None:
        log.info("command for all servers is run", action=command.action, by=command.by)
        ok, message = False, ""
        try:
            message = await self._actions.run(command)
            ok = True
        except RoadRunnerError as error:
            message = str(error)
        except Exception as error:  # a bug of a plugin: the result must say so
            message = f"{type(error).__name__}: {error}"
        self._figures.command("done" if ok else "failed")
        result = Result(command=command.id, server=self._id, ok=ok, message=message)
        await self._answer(f"{_RESULTS}{command.id}/{self._instance}", self._signer.sign(result))

    async def _answer(self, key: str, data: bytes) -> None:
        for left in reversed(range(_TRIES)):
            try:
                return await self._registrar.put(key, data)
            except RegistryError as error:
                if not left:
                    log.warning("result of a command could not be stored", error=str(error))
                else:
                    await asyncio.sleep(_PAUSE)
        return None


class NoCommands:
    """In place of :class:`Commands`: this server takes none.

    Args:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def send(
        self, action: Action, plugins: Sequence[str], servers: Collection[Server], timeout: float
    ) -> list[Result]:
        """Raises: NotCommandable."""
        raise NotCommandable(self._reason)

    async def stop(self) -> None:
        pass
