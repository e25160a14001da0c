"""Obtains one certificate from an ACME server. Blocks for seconds: call it in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.plugins.http.tls.acme.challenge import ChallengeRequest
from pyroadrunner.plugins.http.tls.acme.store import Store
from pyroadrunner.version import __version__

_NONCE_RETRIES = 5


@challenges.ChallengeResponse.register
class _TlsAlpnResponse(challenges.KeyAuthorizationChallengeResponse):
    typ = "tls-alpn-01"


@challenges.Challenge.register
class _TlsAlpn(challenges.KeyAuthorizationChallenge):
    """The library dropped this kind in 5.0; this registers it again."""

    typ = "tls-alpn-01"
    response_cls = _TlsAlpnResponse

    def validation(self, account_key: JWK, **_: Any) -> str:
        return self.key_authorization(account_key)


def issue(
    store: Store,
    *,
    directory: str,
    email: str,
    domains: list[str],
    kind: str,
    expect: Callable[[ChallengeRequest], None],
    root_ca: str = "",
) -> None:
    """Obtain a certificate and store it.

    Args:
        directory: URL of the server's directory.
        kind: of the challenges to use.
        expect: called with each challenge before the server validates it.
        root_ca: PEM file of the server's own root; empty = the system's.

    Raises:
        TlsError: no certificate was issued; the text has the reason.
    """
    try:
        acme = _client(store, directory, email, root_ca)
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        order = acme.new_order(crypto_util.make_csr(pem, domains))
        for authorization in order.authorizations:
            _answer(acme, authorization, kind, expect)
        order = acme.poll_and_finalize(order)
    except (errors.Error, JoseError, requests.RequestException, ValueError, OSError) as wrong:
        raise TlsError(f"no certificate from {directory} for {', '.join(domains)}: {_why(wrong)}") from wrong
    store.save(pem, order.fullchain_pem.encode())


class _Network(client.ClientNetwork):
    """Retries a request if the server has forgotten its nonce. The library retries once, which is not enough for
    servers behind a load balancer."""

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(_NONCE_RETRIES):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as wrong:
                if wrong.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)


def _client(store: Store, directory: str, email: str, root_ca: str) -> client.ClientV2:
    verify: Any = root_ca or True  # requests accepts a path, too
    key = JWKEC(key=store.account_key())
    net = _Network(key, alg=ES256, verify_ssl=verify, user_agent=f"pyroadrunner/{__version__}")
    acme = client.ClientV2(client.ClientV2.get_directory(directory, net), net)
    wanted = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)
    try:
        acme.new_account(wanted)
    except errors.ConflictError as known:  # an account with this key already exists
        net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
    return acme


def _answer(
    acme: client.ClientV2,
    authorization: messages.AuthorizationResource,
    kind: str,
    expect: Callable[[ChallengeRequest], None],
) -> None:
    if authorization.body.status == messages.STATUS_VALID:
        return  # validated recently
    domain = authorization.body.identifier.value
    for challenge in authorization.body.challenges:
        if challenge.chall.typ == kind:
            response = challenge.chall.response(acme.net.key)
            expect(ChallengeRequest(domain, challenge.chall.encode("token"), response.key_authorization))
            acme.answer_challenge(challenge, response)
            return
    raise errors.Error(f"the server has no {kind} challenge for {domain}")


def _why(wrong: Exception) -> str:
    """The server's own error text, if it has one."""
    if isinstance(wrong, errors.ValidationError):
        return "; ".join(
            f"{failed.body.identifier.value}: {challenge.error.detail}"
            for failed in wrong.failed_authzrs
            for challenge in failed.body.challenges
            if challenge.error is not None
        )
    if isinstance(wrong, errors.TimeoutError):
        return "the server did not respond in time"
    return str(wrong) or type(wrong).__name__
