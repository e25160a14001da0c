"""The wire protocol between the server, its workers and its RPC clients: frames, and the relays that carry them."""
