"""``rr websocket``: the WebSocket connections of a running server."""
