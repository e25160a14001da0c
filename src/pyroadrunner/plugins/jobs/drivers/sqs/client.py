"""Calls to SQS: its JSON protocol over HTTP, signed.

botocore finds the credentials, the endpoint and the certificates, and signs; aiohttp carries. botocore's own client
takes more than three times the CPU time, and threads (docs/design/2026-11-30-jobs-nats-sqs.md).
"""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import botocore.session  # type: ignore[import-untyped]  # it has no annotations
import msgspec
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused
from pyroadrunner.plugins.jobs.drivers.sqs.config import SqsSection

Json = dict[str, Any]

_TIMEOUT = 10.0  # seconds for a reply, in addition to the wait for messages
_TRIES = 4  # of a call that the service could not answer now
_PAUSE = 0.2  # seconds before the second one; it doubles
_CONNECTIONS = 50
_BUSY = frozenset(("RequestThrottled", "Throttling", "ThrottlingException", "ServiceUnavailable", "InternalError"))
_REFUSED = (
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAttribute",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "KmsAccessDenied",
    "KmsNotFound",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
)


class CallFailed(BrokerError):
    """The service's own error.

    Attributes:
        code: its name.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"SQS: {message or 'no reason given'} ({code})")
        self.code = code


class CallRefused(CallFailed, BrokerRefused):
    """Wrong credentials, missing permissions, invalid settings."""


class Client:
    """An account.

    Args:
        on_lost: called when the service can't be reached.
    """

    def __init__(self, section: SqsSection, on_lost: Callable[[str], None]) -> None:
        self._section = section
        self._on_lost = on_lost
        self._credentials: Any = None
        self._endpoint = ""
        self._region = ""
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Find credentials and endpoint. Calls nothing, except for credentials of roles.

        Raises:
            BrokerError, BrokerRefused
        """
        try:
            authorities = await asyncio.to_thread(self._resolve)
            context = ssl.create_default_context(cafile=authorities or None)
        except (BotoCoreError, OSError, ValueError) as error:
            raise BrokerRefused(f"SQS: {error}") from error
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=context)
        self._http = aiohttp.ClientSession(connector=connector, trust_env=True, auto_decompress=True)

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def call(self, action: str, body: Json, wait: float = 0.0) -> Json:
        """Call an action.

        Args:
            wait: seconds for which the service may wait for messages.

        Raises:
            CallFailed, BrokerError
        """
        data = msgspec.json.encode(body)
        pause = _PAUSE
        for left in reversed(range(_TRIES)):
            status, text = await self._send(action, data, wait)
            if status == 200:
                return dict(msgspec.json.decode(text)) if text else {}
            error = _error(status, text)
            if not left or (status < 500 and error.code not in _BUSY):
                raise error
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError

    # inside

    async def _send(self, action: str, data: bytes, wait: float) -> tuple[int, bytes]:
        if self._http is None:
            raise BrokerError("SQS is not connected")
        try:
            headers = await self._signed(action, data)
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT + wait)
            body = io.BytesIO(data)  # aiohttp warns of large bytes
            async with self._http.post(self._endpoint, data=body, headers=headers, timeout=timeout) as response:
                return response.status, await response.read()
        except BotoCoreError as error:
            raise self._lost(f"SQS: {error}") from error
        except TimeoutError as error:
            raise self._lost(f"{self._endpoint}: no reply to {action} within {_TIMEOUT + wait:g} s") from error
        except (aiohttp.ClientError, OSError, RuntimeError, AssertionError) as error:
            # The last two: the session was closed meanwhile.
            raise self._lost(f"{self._endpoint}: {str(error) or type(error).__name__}") from error

    def _lost(self, why: str) -> BrokerError:
        if self._http is not None:
            self._on_lost(why)
        return BrokerError(why)

    async def _signed(self, action: str, data: bytes) -> dict[str, str]:
        refresh = getattr(self._credentials, "refresh_needed", None)
        if refresh is not None and refresh():  # of a role: a call over the network
            frozen = await asyncio.to_thread(self._credentials.get_frozen_credentials)
        else:
            frozen = self._credentials.get_frozen_credentials()
        head = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
        request = AWSRequest("POST", self._endpoint, headers=head, data=data)
        SigV4Auth(frozen, "sqs", self._region).add_auth(request)
        return dict(request.headers.items())

    def _resolve(self) -> str:
        """Credentials, region and endpoint by AWS' rules; the file of authorities. Reads files, and may use the
        network."""
        section = self._section
        session = botocore.session.Session()
        if section.key:
            session.set_credentials(section.key, section.secret, section.session_token or None)
        self._credentials = session.get_credentials()
        if self._credentials is None:
            raise ValueError("no credentials; set `sqs.key` and `sqs.secret`, or give the server a role or a profile")
        self._credentials.get_frozen_credentials()
        endpoint = section.endpoint or os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL", "")
        self._region = section.region or session.get_config_variable("region") or ("us-east-1" if endpoint else "")
        if not self._region:
            raise ValueError("no region; set `sqs.region`, or AWS_REGION")
        if not endpoint:
            found = session.get_component("endpoint_resolver").construct_endpoint("sqs", self._region)
            endpoint = f"https://{found['hostname'] if found else f'sqs.{self._region}.amazonaws.com'}"
        self._endpoint = f"{endpoint.rstrip('/')}/"
        return str(session.get_config_variable("ca_bundle") or "")


def _error(status: int, text: bytes) -> CallFailed:
    try:
        answer = msgspec.json.decode(text)
        code = str(answer.get("__type", "")).rpartition("#")[2]
        message = str(answer.get("message") or answer.get("Message") or "")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        code, message = "", text[:200].decode("utf-8", "replace")
    code = code.removeprefix("com.amazonaws.sqs.") or f"HTTP status {status}"
    return (CallRefused if code.rpartition(".")[2].startswith(_REFUSED) else CallFailed)(code, message)
