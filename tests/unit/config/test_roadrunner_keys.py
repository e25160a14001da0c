"""Configs written for RoadRunner give no warning about RoadRunner's own keys."""

from __future__ import annotations

import pytest

from pyroadrunner.config.check import check
from pyroadrunner.config.models import section_models
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.yaml_text import parse_yaml

# Every key of schemas/config/3.0.schema.json (roadrunner-server/roadrunner 2025.1) and of the files it references, in
# the sections that have a model here.
EVERY_KEY = """
rpc: {listen: "tcp://127.0.0.1:6001"}
server:
  on_init: {command: "true", exec_timeout: 60s, exit_on_error: false, user: "", env: {A: b}}
  command: php worker.php
  user: ""
  group: ""
  env: [{A: b}]
  relay: pipes
logs:
  mode: production
  level: debug
  line_ending: "\\n"
  encoding: json
  output: [stderr]
  err_output: [stderr]
  file_logger_options: {log_output: rr.log, max_size: 1, max_age: 1, max_backups: 1, compress: true}
  channels:
    http: {mode: none, level: error, line_ending: "\\n", encoding: console, output: [stdout], err_output: [stderr]}
http:
  address: 127.0.0.1:8080
  internal_error_code: 500
  max_request_size: 1
  raw_body: false
  access_logs: false
  middleware: [headers]
  trusted_subnets: [10.0.0.0/8]
  uploads: {dir: /tmp, forbid: [.php], allow: []}
  headers:
    cors:
      allowed_origin: "*"
      allowed_origin_regex: ""
      allowed_headers: "*"
      allowed_methods: GET,POST
      allow_credentials: false
      exposed_headers: Cache-Control
      max_age: 0
      options_success_status: 200
      debug: false
    request: {a: b}
    response: {a: b}
  static: {dir: public, forbid: [], allow: [], calculate_etag: false, weak: false, request: {}, response: {}}
  pool:
    debug: false
    command: php worker.php
    num_workers: 1
    max_jobs: 1
    max_queue_size: 1
    allocate_timeout: 60s
    destroy_timeout: 60s
    reset_timeout: 60s
    stream_timeout: 60s
    supervisor: {watch_tick: 1s, ttl: 0s, idle_ttl: 0s, exec_ttl: 0s, max_worker_memory: 0}
    dynamic_allocator: {max_workers: 2, spawn_rate: 1, idle_timeout: 1s}
  ssl:
    address: 127.0.0.1:443
    acme:
      cache_dir: cache
      email: me@example.com
      alt_http_port: 80
      alt_tlsalpn_port: 443
      challenge_type: http-01
      use_production_endpoint: false
      domains: [example.com]
    redirect: false
    key: ""
    cert: ""
    root_ca: ""
    client_auth_type: no_client_certs
  fcgi: {address: "tcp://127.0.0.1:7921"}
  http2: {h2c: false, max_concurrent_streams: 128}
  http3: {address: "127.0.0.1:8443", cert: "", key: ""}
fileserver:
  address: 127.0.0.1:10101
  calculate_etag: false
  weak: false
  stream_request_body: false
  serve: [{prefix: /a, root: ., compress: false, cache_duration: 10, max_age: 0, bytes_range: false}]
metrics:
  address: 127.0.0.1:2112
  collect:
    a: {type: counter, namespace: a, subsystem: b, help: c, labels: [a], buckets: [1.0], objectives: {0.5: 0.1}}
otel:
  resource: {service_name: a, service_version: b, service_namespace: c, service_instance_id: d}
  insecure: true
  compress: false
  exporter: stdout
  custom_url: ""
  endpoint: 127.0.0.1:4318
  client: http
  headers: {a: b}
status: {address: "127.0.0.1:2114", unavailable_status_code: 503, check_timeout: 60}
service:
  a:
    command: "true"
    user: ""
    env: {a: b}
    timeout_stop_sec: 5
    process_num: 1
    exec_timeout: 0s
    remain_after_exit: false
    restart_sec: 30
    service_name_in_log: false
endure: {grace_period: 30s, print_graph: false, log_level: error, watchdog_sec: 1}
kv:
  a: {driver: memory, config: {}}
  b: {driver: boltdb, config: {file: rr.db, permissions: 0755, interval: 60}}
  c: {driver: memcached, config: {addr: ["127.0.0.1:11211"]}}
  d:
    driver: redis
    config:
      addrs: ["127.0.0.1:6379"]
      master_name: ""
      username: ""
      password: ""
      db: 0
      sentinel_password: ""
      route_by_latency: false
      route_randomly: false
      dial_timeout: 0s
      max_retries: 0
      min_retry_backoff: 0s
      max_retry_backoff: 0s
      pool_size: 0
      min_idle_conns: 0
      max_conn_age: 0s
      read_timeout: 0s
      write_timeout: 0s
      pool_timeout: 0s
      idle_timeout: 0s
      idle_check_freq: 0s
      read_only: false
      tls: {key: "", cert: "", root_ca: "", client_auth_type: no_client_cert}
tcp:
  read_buf_size: 1
  servers:
    smtp: {addr: "tcp://127.0.0.1:7777", delimiter: "\\r\\n"}
    two: {addr: ":8889", read_buf_size: 10}
  pool: {num_workers: 2, max_jobs: 0, max_queue_size: 0, dynamic_allocator: {max_workers: 1}, supervisor: {ttl: 1s}}
"""

# From published application skeletons: keys of RoadRunner 2 or of its documentation that 2025.1 ignores.
SPIRAL = """
rpc: {listen: "tcp://127.0.0.1:6001"}
server: {command: php app.php, relay: pipes, relay_timeout: 20s}
http:
  address: 0.0.0.0:8080
  middleware: [gzip, static]
  static: {dir: public, forbid: [.php, .htaccess]}
  pool: {supervisor: {max_worker_memory: 200}}
kv:
  local: {driver: memory, config: {interval: 60}}
  shared: {driver: memcached, config: {addr: "127.0.0.1:11211", interval: 60}}
  file: {driver: boltdb, config: {file: rr.db, bucket: test, interval: 60}}
"""


@pytest.mark.parametrize("text", [EVERY_KEY, SPIRAL], ids=["schema", "skeletons"])
def test_no_key_of_roadrunner_gives_a_warning(text: str) -> None:
    checked = check(RawConfig.from_dict(parse_yaml(text)[0], "test"), section_models())
    assert checked.faults == []
    assert [str(warning) for warning in checked.warnings] == []


@pytest.mark.parametrize("value", [60, "60s", None])
def test_any_value_of_the_ignored_interval_is_accepted(value: object) -> None:
    config = {"kv": {"local": {"driver": "memory", "config": {"interval": value}}}}
    checked = check(RawConfig.from_dict(config, "test"), section_models())
    assert [*checked.faults, *checked.warnings] == []
