"""The sections RoadRunner 2025.1 has and this version does not act on. Pure.

A section that has a model (an entry point of ``pyroadrunner.sections``) is never looked up here, so a plugin installed
later needs no change. (rpc-cli-config.md, section 1.7)
"""

from __future__ import annotations

KNOWN_SECTIONS = {
    "amqp": "connection of the amqp jobs driver (RabbitMQ)",
    "beanstalk": "connection of the beanstalk jobs driver",
    "centrifuge": "proxy of a Centrifugo server",
    "google_pub_sub": "connection of the Google Pub/Sub jobs driver",
    "grpc": "gRPC services",
    "jobs": "queues and their consumers",
    "kafka": "connection of the kafka jobs driver",
    "nats": "connection of the nats jobs driver",
    "nsq": "connection of the nsq jobs driver",
    "sqs": "connection of the sqs jobs driver",
    "tcp": "raw TCP servers",
    "temporal": "Temporal workflows and activities",
}

# Read where a storage of `kv` has this name and no `config`, `redis` by `lock`, too; alone they turn nothing on.
STORAGE_SECTIONS = ("boltdb", "memcached", "memory", "redis")

# Gone from RoadRunner itself, and ignored by it in silence.
OBSOLETE_SECTIONS = {
    "broadcast": "removed in RoadRunner 2.12; use centrifuge",
    "reload": "removed in RoadRunner 2023.1; use rr serve --watch or http.pool.debug",
    "websockets": "removed in RoadRunner 2.12; use centrifuge",
}

# Their workers come from `server`: without that section RoadRunner leaves them off and says nothing.
NEED_SERVER = ("http", "grpc", "jobs", "tcp", "centrifuge", "temporal")

# Running with their defaults when the section is absent.
ALWAYS_ON = ("logs", "endure")

# Read by the config itself.
OWN_KEYS = ("version", "include", "envfile")


def is_private(section: str) -> bool:
    """Whether a top-level key is the user's own: ``x-...`` is a place for YAML anchors, never a section."""
    return section.startswith("x-")
