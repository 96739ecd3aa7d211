"""The tests' token issuer, as an HTTP server and within this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from tests.support.tokens import key_set


class _Issuer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_known = self.path in {"/.well-known/jwks.json", "/keys?set=1"}
        self.send_response(200 if is_known else 404)
        self.end_headers()
        self.wfile.write(exact_json.dumps(key_set() if is_known else {}))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def issuing() -> Iterator[str]:
    """Run the server. Yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Issuer) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class CountingIssuer:
    """An issuer in this process. It may be down, and counts how often its keys are requested."""

    def __init__(self) -> None:
        self.requests = 0
        self.is_down = False
        self.keys: Any = key_set()

    async def fetch(self) -> Any:
        self.requests += 1
        if self.is_down:
            raise PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "The issuer is not available.")
        return self.keys
