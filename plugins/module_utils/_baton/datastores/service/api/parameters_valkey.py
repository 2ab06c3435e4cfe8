# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of Valkey and Redis that configurations may set, with their bounds in 7.0. Sizes are numbers of bytes. Pure."""
from __future__ import annotations

from typing import Tuple

from .parameter import Parameter, flag, number, one_of, ours, unseen

I31 = 2**31 - 1
MOST = 2**40  # bytes
POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
)  # fmt: skip

VALKEY: Tuple[Parameter, ...] = (
    flag("activedefrag"),
    flag("activerehashing"),
    number("auto-aof-rewrite-min-size", 1 << 20, MOST),
    number("auto-aof-rewrite-percentage", 1, 10_000),
    number("databases", 1, 10_000, restart=True),
    flag("dynamic-hz"),
    number("hash-max-listpack-entries", 0, I31),
    number("hash-max-listpack-value", 0, I31),
    number("hz", 1, 500),
    number("io-threads", 1, 128, restart=True),
    number("latency-monitor-threshold", 0, I31),  # ms
    flag("lazyfree-lazy-eviction"),
    flag("lazyfree-lazy-expire"),
    flag("lazyfree-lazy-server-del"),
    flag("lazyfree-lazy-user-del"),
    number("lfu-decay-time", 0, I31),  # minutes
    number("lfu-log-factor", 0, I31),
    number("list-compress-depth", 0, I31),
    number("list-max-listpack-size", -5, I31),
    number("maxclients", 50, 30_000),
    number("maxmemory", 16 << 20, MOST),
    Parameter("maxmemory-policy", "string", values=POLICIES),  # all but the first forget keys where there is no room
    number("maxmemory-samples", 1, 64),
    Parameter("notify-keyspace-events", "string"),
    number("proto-max-bulk-len", 1 << 20, 4 << 30),
    number("repl-backlog-size", 1 << 20, MOST),
    number("set-max-intset-entries", 0, I31),
    number("slowlog-log-slower-than", -1, I31),  # microseconds
    number("slowlog-max-len", 0, 100_000),
    number("stream-node-max-bytes", 0, I31),
    number("stream-node-max-entries", 0, I31),
    number("tcp-backlog", 16, 65_535, restart=True),
    number("tcp-keepalive", 0, 86_400),  # seconds
    number("timeout", 0, I31),  # seconds
    number("zset-max-listpack-entries", 0, I31),
    number("zset-max-listpack-value", 0, I31),
    # What makes a server keep what it has acknowledged, and have none of a client's writes while it is not the source
    one_of("appendfsync", "always", restart=True)._replace(read_only=True),
    *ours("string", "bind replicaof save"),
    *ours("integer", "min-replicas-max-lag min-replicas-to-write port repl-timeout tls-port"),
    *ours("boolean", "aof-load-truncated appendonly no-appendfsync-on-rewrite replica-read-only tls-replication"),
    *unseen("aclfile dir logfile masterauth masteruser tls-ca-cert-file tls-cert-file tls-key-file unixsocket"),
)
