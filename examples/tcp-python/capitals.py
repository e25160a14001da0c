"""Sends each line back in capitals."""

import sys

from pyroadrunner.sdk import tcp


class Capitals(tcp.Handler):
    def on_connected(self, request: tcp.Request) -> tcp.Answer:
        return f"hello {request.remote_addr}\r\n"

    def on_data(self, request: tcp.Request) -> tcp.Answer:
        if request.body.strip().lower() == b"quit":
            return tcp.Reply.write_and_close("bye\r\n")
        return request.body.upper()

    def on_close(self, request: tcp.Request) -> None:
        print(f"{request.remote_addr} has left", file=sys.stderr)


if __name__ == "__main__":
    tcp.serve(Capitals())
