"""The sections ``broadcast`` and ``websockets`` of RoadRunner until 2.12, with their RPC and their client protocol.

Clients join topics if a worker allows it, and listen. New applications use ``websocket``.
"""
