"""Installs a package with an interceptor for gRPC calls, as a user would have one."""

from __future__ import annotations

from pathlib import Path

_MODULE = '''
from pyroadrunner.grpcd import GrpcStatus, Handler, Request, Response, StatusCode


class Tokens:
    """Lets calls with the right token pass, and signs their responses."""

    async def __call__(self, request: Request, proceed: Handler) -> Response:
        token = dict(request.headers).get(b"authorization")
        if token != b"Bearer secret":
            raise GrpcStatus(StatusCode.UNAUTHENTICATED, "a token is needed")
        request.headers.append((b"x-user", b"7"))
        response = await proceed(request)
        response.trailers = [*(response.trailers or ()), (b"x-signed", b"1")]
        return response
'''


def install_interceptor(folder: Path) -> dict[str, str]:
    """Write the package below ``folder``, with the interceptor ``tokens``; return the environment in which ``rr`` finds
    it."""
    site = folder / "site"
    info = site / "rr_tokens-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "rr_tokens.py").write_text(_MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rr-tokens\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[pyroadrunner.grpc_interceptors]\ntokens = rr_tokens:Tokens\n", encoding="utf-8"
    )
    return {"PYTHONPATH": str(site)}
