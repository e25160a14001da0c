"""The configs on the pages of the drivers of ``jobs``, run as they are shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from support.beanstalk import beanstalkd
from support.brokers import Brokers
from support.kafka import kafka
from support.nats import shared_nats
from support.packages import EXAMPLES
from support.php import require_php
from support.proxies import block
from support.pubsub import shared_pubsub
from support.rabbitmq import shared_rabbitmq
from support.redis import redis_server
from support.server import Server, free_port, rr
from support.sqs import shared_sqs

DOCS = EXAMPLES.parent / "docs"


@contextmanager
def broker(driver: str, folder: Path, brokers: Brokers) -> Iterator[dict[str, str]]:
    """A running broker, and the address that the page has for it with the one that it has."""
    if driver == "beanstalk":
        with beanstalkd(folder) as server:
            yield {"tcp://127.0.0.1:11300": server.address}
    elif driver == "kafka":
        with kafka(folder / "kafka") as server:
            yield {"127.0.0.1:9092": server.address}
    elif driver == "amqp":
        found = brokers.use("rabbitmq", shared_rabbitmq)
        yield {"127.0.0.1:5672": f"127.0.0.1:{found['port']}"}
    elif driver == "nats":
        yield {"nats://127.0.0.1:4222": f"nats://127.0.0.1:{brokers.use('nats', shared_nats)['port']}"}
    elif driver == "sqs":
        endpoint = f"http://127.0.0.1:{brokers.use('sqs', shared_sqs)['port']}"
        yield {"region: eu-central-1": f"region: eu-central-1, key: k, secret: s, endpoint: {endpoint}"}
    elif driver == "google-pub-sub":
        port = brokers.use("pubsub", shared_pubsub)["port"]
        yield {"pubsub.googleapis.com:443": f"127.0.0.1:{port}, insecure: true"}
    else:
        with redis_server(folder) as server:
            yield {"127.0.0.1:6379": server.address}


@pytest.mark.parametrize("driver", ["amqp", "beanstalk", "google-pub-sub", "kafka", "nats", "redis", "sqs"])
def test_the_config_of_a_page_runs_jobs(tmp_path: Path, brokers: Brokers, driver: str) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(EXAMPLES / "jobs" / "worker.php", folder)
    with broker(driver, tmp_path, brokers) as addresses:
        changes = {
            **addresses,
            "tcp://127.0.0.1:6001": f"tcp://127.0.0.1:{free_port()}",
            "php worker.php": f"{require_php()} worker.php",
        }
        config = block(DOCS / f"jobs-{driver}.md", "yaml", changes)
        with Server(folder, config) as server:
            assert rr("jobs", "push", "mails", "send-mail", '{"to":"me"}', cwd=folder).code == 0
            server.wait_for("mail to me, attempt 1")
            if driver == "redis":
                port = int(addresses["127.0.0.1:6379"].rpartition(":")[2])
                with Redis(port=port) as client:
                    client.xadd("rr.jobs:{mails}", {"job": "send-mail", "payload": '{"to":"you"}'})
                server.wait_for("mail to you, attempt 1")
            states = {
                line.split()[1]: line
                for line in rr("jobs", "list", cwd=folder).stdout.splitlines()
                if driver.replace("-", "_") in line
            }
            assert len(states) == 2, states
            assert server.stop() == 0
