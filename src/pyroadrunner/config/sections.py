"""The sections of RoadRunner 2025.1 that this version ignores. Pure.

A section with a model (an entry point of ``pyroadrunner.sections``) is never looked up here, so a plugin installed
later needs no change. (rpc-cli-config.md, section 1.7)
"""

from __future__ import annotations

KNOWN_SECTIONS = {
    "amqp": "connection of the amqp jobs driver (RabbitMQ)",
    "google_pub_sub": "connection of the Google Pub/Sub jobs driver",
    "nats": "connection of the nats jobs driver",
    "nsq": "connection of the nsq jobs driver",
    "sqs": "connection of the sqs jobs driver",
}

# Used if a storage of `kv` has this name and no `config`, `redis` also by `lock` and `schedule`; alone without effect.
STORAGE_SECTIONS = ("boltdb", "memcached", "memory", "redis")

# Removed from RoadRunner, which ignores them without a warning.
OBSOLETE_SECTIONS = {
    "reload": "removed in RoadRunner 2023.1; use rr serve --watch or http.pool.debug",
}

# Their workers come from `server`: without that section RoadRunner does not start them, without a warning.
NEED_SERVER = ("http", "grpc", "jobs", "tcp", "centrifuge", "temporal", "websockets")

# Active with their defaults if the section is absent.
ALWAYS_ON = ("logs", "endure")

# Keys of the config loader itself.
OWN_KEYS = ("version", "include", "envfile")


def is_private(section: str) -> bool:
    """Whether a top-level key is for the user's own use: ``x-...`` may hold YAML anchors and is never a section."""
    return section.startswith("x-")
