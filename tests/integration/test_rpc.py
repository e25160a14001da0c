"""RPC over real sockets: every method of the core, answers as they come, clients that leave, the end."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.net.address import InvalidAddress, UnixAddress
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.rpc import connection
from pyroadrunner.version import ROADRUNNER_VERSION
from support.frames import VECTORS
from support.messages import Order
from support.relays import LOOPS, Run, eventually
from support.rpc import FakePlugin, FakePool, Lab, RpcPeer, peer_of, running_rpc, worker

WIRE = {vector.name: vector.wire for vector in VECTORS}
CONFIG = {"version": "3", "rpc": {"listen": "tcp://127.0.0.1:6001"}}


@pytest.fixture(params=LOOPS.values(), ids=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    loop_runner: Run = request.param
    return loop_runner


@pytest.fixture(params=["tcp", "unix"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/rr.sock"


# -- methods -----------------------------------------------------------------------------------------------------------


def test_version_and_config_in_the_codecs_they_have(run: Run, listen: str) -> None:
    async def main() -> None:
        async with running_rpc(listen=listen) as rpc, peer_of(rpc) as peer:
            assert await peer.call("rpc.Version") == ROADRUNNER_VERSION
            assert (await peer.ask("rpc.Version")).body == b'"' + ROADRUNNER_VERSION.encode() + b'"'
            assert json.loads((await peer.ask("rpc.Config", codec=Flag.RAW)).body) == CONFIG
            assert json.loads(base64.b64decode(await peer.call("rpc.Config"))) == CONFIG
            refused = await peer.ask("rpc.Version", codec=Flag.RAW)
            assert (refused.failed, refused.body) == (True, b"unknown Raw payload type")

    run(main())


def test_the_captured_exchange_with_php_is_repeated_to_the_byte(run: Run) -> None:
    async def main() -> None:
        async with running_rpc() as rpc, peer_of(rpc) as peer:
            peer.writer.write(WIRE["rpc call"])
            error = WIRE["rpc error of the decoder"]
            assert await peer.reader.readexactly(len(error)) == error
            peer.send("nope.Nope", sequence=5)
            error = WIRE["rpc error of the service"]
            assert await peer.reader.readexactly(len(error)) == error

    run(main())


@pytest.mark.parametrize(
    ("method", "codec", "flags", "text"),
    [
        ("rpc.Nope", Flag.JSON, 0x48, "rpc: can't find method rpc.Nope"),
        ("Rpc.Version", Flag.PROTO, 0xC0, "rpc: can't find service Rpc.Version"),
        ("foo", Flag.RAW, 0x44, "rpc: service/method request ill-formed: foo"),
        ("rpc.Version", Flag.PROTO, 0xC0, "goridge_read_request_body: message type is not a proto"),
        ("rpc.Version", Flag.GOB, 0x60, "goridge_read_request_body: unknown decoder used in frame"),
        ("rpc.Version", 0, 0x60, "goridge_read_request_body: unknown decoder used in frame"),
        ("lab.Refuse", Flag.JSON, 0x48, ""),
        ("lab.Break", Flag.JSON, 0x48, "lab.Break: internal error: ZeroDivisionError: a bug"),
        ("lab.Strange", Flag.MSGPACK, 0x50, "msgpack: Encoding objects of type object is unsupported"),
        ("resetter.Reset", 0x48, 0x48, "resetter_rpc_reset:\n\tresetter_plugin_reset_by_name: no such plugin: "),
    ],
)
def test_an_error_has_its_flag_and_text_and_the_connection_goes_on(
    run: Run, method: str, codec: int, flags: int, text: str
) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer:
            peer.send(method, sequence=9, codec=codec)
            frame = await peer.frame()
            assert frame is not None
            assert (frame.flags, frame.options) == (flags, (9, len(method)))
            assert frame.payload.decode() == method + text
            assert await peer.call("rpc.Version") == ROADRUNNER_VERSION

    run(main())


def test_informer_and_resetter_serve_the_pools_of_all_plugins(run: Run) -> None:
    async def main() -> None:
        pool = FakePool("http", [worker(7)])
        async with running_rpc(plugins=[FakePlugin("http", pool), FakePlugin("jobs")]) as rpc, peer_of(rpc) as peer:
            assert await peer.call("informer.List") == ["http", "jobs"]
            workers = await peer.call("informer.Workers", "http")
            assert [(one["pid"], one["CPUPercent"]) for one in workers["workers"]] == [(7, 0.571)]
            assert await peer.call("informer.Workers", "nope") == {"workers": []}
            assert await peer.call("informer.Jobs", "http") is None
            assert await peer.call("informer.AddWorker", "http") is False
            assert await peer.call("resetter.List") == ["http", "jobs"]
            assert await peer.call("resetter.Reset", "http") is True
            assert (pool.resets, pool.added) == (1, 1)

    run(main())


def test_a_protobuf_method_speaks_protobuf_and_json(run: Run) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer:
            answer = await peer.ask("lab.Order", Order(storage="s").SerializeToString(), codec=Flag.PROTO)
            assert Order.FromString(answer.body) == Order(storage="s", process_num=1)
            assert await peer.call("lab.Order", {"Storage": "s"}) == {"storage": "s", "process_num": 1}

    run(main())


# -- many calls, many clients ------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_in_which_calls_end(run: Run, listen: str) -> None:
    async def main() -> None:
        async with running_rpc(Lab(), listen=listen) as rpc, peer_of(rpc) as peer:
            peer.send("lab.Wait", b'"a"', sequence=1)
            peer.send("lab.Wait", b'"b"', sequence=2)
            peer.send("lab.Echo", b'"c"', sequence=3)
            assert (await peer.answer()).sequence == 3
            peer.send("lab.Open", b'"b"', sequence=4)
            assert {(await peer.answer()).sequence, (await peer.answer()).sequence} == {2, 4}
            peer.send("lab.Open", b'"a"', sequence=5)
            assert {(await peer.answer()).sequence, (await peer.answer()).sequence} == {1, 5}

    run(main())


def test_many_clients_with_many_calls_each_get_their_own_answers(run: Run, listen: str) -> None:
    async def client(address: Any, number: int) -> None:
        peer = await RpcPeer.connect(address)
        for call in range(100):
            method = "lab.Later" if call % 2 else "lab.Echo"
            peer.send(method, json.dumps(f"{number}/{call}").encode(), sequence=call)
        answers = [await peer.answer() for _ in range(100)]
        assert {answer.sequence: json.loads(answer.body) for answer in answers} == {
            call: f"{number}/{call}" for call in range(100)
        }
        peer.close()

    async def main() -> None:
        async with running_rpc(Lab(), listen=listen) as rpc:
            await asyncio.gather(*(client(rpc.address, number) for number in range(50)))

    run(main())


def test_a_call_may_come_in_pieces_and_be_large(run: Run) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer:
            for byte in WIRE["rpc call with a string"]:
                peer.writer.write(bytes([byte]))
                await peer.writer.drain()
            assert (await peer.answer()).body == b'{"workers":[]}'
            text = "x" * 5_000_000
            assert await peer.call("lab.Echo", text) == text
            assert len((await peer.ask("lab.Big", b"30000000", codec=Flag.JSON)).body) > 30_000_000

    run(main())


def test_more_calls_than_may_run_wait_for_their_turn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_RUNNING", 3)

    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab) as rpc, peer_of(rpc) as peer, peer_of(rpc) as other:
            for sequence in range(10):
                peer.send("lab.Wait", b'"gate"', sequence=sequence)
            await eventually(lambda: len(lab.started) == 3)
            assert await other.call("lab.Echo", "free") == "free"
            assert len(lab.started) == 3
            await other.call("lab.Open", "gate")
            assert sorted([(await peer.answer()).sequence for _ in range(10)]) == list(range(10))
            assert await peer.call("lab.Echo", "again") == "again"

    run(main())


# -- clients that leave ------------------------------------------------------------------------------------------------


def test_a_client_that_ends_its_side_still_gets_its_answers(run: Run, listen: str) -> None:
    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab, listen=listen) as rpc, peer_of(rpc) as peer, peer_of(rpc) as other:
            peer.send("lab.Wait", b'"gate"', sequence=1)
            peer.send("lab.Echo", b'"x"', sequence=2)
            peer.writer.write_eof()
            assert (await peer.answer()).sequence == 2
            await other.call("lab.Open", "gate")
            assert (await peer.answer()).sequence == 1
            assert await peer.frame() is None

    run(main())


def test_a_call_of_a_client_that_has_gone_runs_to_its_end(run: Run) -> None:
    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab) as rpc, peer_of(rpc) as peer, peer_of(rpc) as other:
            peer.send("lab.Wait", b'"gate"')
            await eventually(lambda: lab.started == ["gate"])
            peer.close()
            await other.call("lab.Open", "gate")
            await eventually(lambda: lab.ended == ["gate"])
            assert await other.call("lab.Echo", "x") == "x"

    run(main())


# -- start and stop ----------------------------------------------------------------------------------------------------


def test_running_calls_are_answered_before_the_end(run: Run) -> None:
    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab) as rpc, peer_of(rpc) as peer:
            peer.send("lab.Wait", b'"gate"')
            await eventually(lambda: lab.started == ["gate"])
            stopping = asyncio.create_task(rpc.stop(60))
            await asyncio.sleep(0)
            lab.gates["gate"].set()
            assert (await peer.answer()).body == b'"gate"'
            assert await peer.frame() is None
            await stopping

    run(main())


def test_calls_past_the_grace_period_are_cut_short_with_an_answer(run: Run, listen: str) -> None:
    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab, listen=listen) as rpc:
            peer = await RpcPeer.connect(rpc.address)
            peer.send("lab.Wait", b'"gate"')
            await eventually(lambda: lab.started == ["gate"])
            await rpc.stop(0.01)
            answer = await peer.answer()
            assert (answer.failed, answer.body) == (True, b"lab.Wait: the call was cut short")
            assert await peer.frame() is None
            with pytest.raises(OSError, match=r"refused|No such file|Connect call failed"):
                await RpcPeer.connect(rpc.address)
            peer.close()

    run(main())


def test_the_socket_file_is_private_and_goes_with_the_server(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"

    async def main() -> None:
        async with running_rpc(listen=f"unix://{path}") as rpc:
            assert rpc.address == UnixAddress(str(path))
            assert path.stat().st_mode & 0o777 == 0o600
        assert not path.exists()

    run(main())


def test_a_port_in_use_and_a_wrong_address_are_refused_in_words(run: Run) -> None:
    async def main() -> None:
        async with running_rpc() as rpc:
            with pytest.raises(ListenError, match=rf"^rpc\.listen: cannot listen on {rpc.address.short}: .* in use"):
                async with running_rpc(listen=str(rpc.address)):
                    pass
        with pytest.raises(InvalidAddress, match=r"invalid socket DSN"):
            async with running_rpc(listen="127.0.0.1:6001"):
                pass

    run(main())
