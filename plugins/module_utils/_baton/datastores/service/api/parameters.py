# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of servers: which there are, what values they take, and which of them are not for people to set. Pure.

``read_only`` ones are shown, and Baton sets them: what it promises rests on them. ``hidden`` ones are not even shown.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from ....ground.problem import Problem
from . import reading
from .catalogue import Version
from .errors import not_found, unprocessable

MOST_VALUES = 200  # in one configuration
Bound = Union[int, float, None]
_TEXT = re.compile(r"[0-9A-Za-z_,=.:+/-]{0,1000}\Z", re.ASCII)  # it is written to a file: nothing there ends a line, or quotes
KB, MB, GB, TB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
YEAR, U32 = 31_536_000, (1 << 32) - 1


class Parameter(NamedTuple):
    """``type``: integer, float, boolean, or string, which may be one of ``values``. ``restart``: it takes effect with the next start."""

    name: str
    type: str
    min: Bound = None
    max: Bound = None
    restart: bool = False
    values: Tuple[str, ...] = ()
    read_only: bool = False
    hidden: bool = False

    def checked(self, value: Any) -> Any:
        """Return a value; Problem 422 says what it is to be. A boolean is no integer, and nothing is converted."""
        if self.type == "boolean":
            return self._of(value, isinstance(value, bool), "true or false")
        if self.type == "string":
            fits = isinstance(value, str) and (value in self.values if self.values else bool(_TEXT.match(value)))
            return self._of(value, fits, f"one of {', '.join(self.values)}" if self.values else "a string without spaces and quotes")
        kinds = (int,) if self.type == "integer" else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool) and _within(self.min, value, self.max)
        what = "a whole number" if self.type == "integer" else "a number"
        return self._of(value, fits, f"{what} from {self.min} to {self.max}")

    def _of(self, value: Any, fits: bool, expected: str) -> Any:
        if not fits:
            raise unprocessable(f"{self.name} is {expected}, not {reading.shown(value)}")
        return value

    def show(self, version: Version) -> Dict[str, Any]:
        found: Dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "restart_required": self.restart,
            "read_only": self.read_only,
            "datastore_version_id": version.id,
        }
        if self.min is not None and self.max is not None:
            found.update(min=self.min, max=self.max)
        return {**found, "enum": list(self.values)} if self.values else found


def _within(least: Bound, value: Any, most: Bound) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _number(name: str, least: int, most: int, restart: bool = False) -> Parameter:
    return Parameter(name, "integer", least, most, restart)


def _seconds(name: str, least: float = 0, most: float = YEAR) -> Parameter:
    return Parameter(name, "float", least, most)


def _flag(name: str, restart: bool = False) -> Parameter:
    return Parameter(name, "boolean", restart=restart)


def _one_of(name: str, *values: str, restart: bool = False) -> Parameter:
    return Parameter(name, "string", restart=restart, values=values)


def _ours(type_: str, names: str) -> List[Parameter]:
    return [Parameter(name, type_, restart=True, read_only=True) for name in names.split()]


_MARIADB: Tuple[Parameter, ...] = (
    _flag("autocommit"),
    _number("auto_increment_increment", 1, 65_535),
    _number("auto_increment_offset", 1, 65_535),
    _number("back_log", 0, 65_535, restart=True),
    _number("binlog_cache_size", 4 * KB, 4 * GB),
    _one_of("binlog_row_image", "MINIMAL", "NOBLOB", "FULL"),
    _number("binlog_stmt_cache_size", 4 * KB, 4 * GB),
    _number("bulk_insert_buffer_size", 0, TB),
    Parameter("character_set_server", "string"),
    Parameter("collation_server", "string"),
    _one_of("completion_type", "NO_CHAIN", "CHAIN", "RELEASE"),
    _one_of("concurrent_insert", "NEVER", "AUTO", "ALWAYS"),
    _number("connect_timeout", 2, YEAR),
    _number("default_week_format", 0, 7),
    _number("div_precision_increment", 0, 30),
    _number("eq_range_index_dive_limit", 0, U32),
    _one_of("event_scheduler", "OFF", "ON"),
    _number("expire_logs_days", 0, 99),
    _flag("explicit_defaults_for_timestamp"),
    _number("ft_max_word_len", 10, 84, restart=True),
    _number("ft_min_word_len", 1, 84, restart=True),
    _flag("general_log"),
    _number("group_concat_max_len", 4, GB),
    _number("host_cache_size", 0, 65_536),
    _flag("innodb_adaptive_hash_index"),
    _number("innodb_autoinc_lock_mode", 0, 2, restart=True),
    _number("innodb_buffer_pool_size", 2 * MB, 16 * TB),
    _flag("innodb_deadlock_detect"),
    _number("innodb_fill_factor", 10, 100),
    _number("innodb_flush_neighbors", 0, 2),
    _number("innodb_ft_max_token_size", 10, 84, restart=True),
    _number("innodb_ft_min_token_size", 1, 16, restart=True),
    _number("innodb_io_capacity", 100, U32),
    _number("innodb_io_capacity_max", 100, U32),
    _number("innodb_lock_wait_timeout", 0, 100_000_000),
    _number("innodb_log_buffer_size", 2 * MB, 2 * GB - 4 * KB, restart=True),
    _number("innodb_log_file_size", 4 * MB, 512 * GB),
    _number("innodb_lru_scan_depth", 100, U32),
    _seconds("innodb_max_dirty_pages_pct", 0, 99.999),
    _number("innodb_old_blocks_pct", 5, 95),
    _number("innodb_old_blocks_time", 0, U32),
    _number("innodb_online_alter_log_max_size", 64 * KB, TB),
    _number("innodb_open_files", 0, U32, restart=True),
    _flag("innodb_print_all_deadlocks"),
    _number("innodb_purge_threads", 1, 32),
    _number("innodb_read_ahead_threshold", 0, 64),
    _number("innodb_read_io_threads", 1, 64),
    _flag("innodb_rollback_on_timeout", restart=True),
    _number("innodb_sort_buffer_size", 64 * KB, 64 * MB, restart=True),
    _flag("innodb_stats_on_metadata"),
    _flag("innodb_stats_persistent"),
    _flag("innodb_strict_mode"),
    _number("innodb_write_io_threads", 2, 64),
    _number("interactive_timeout", 1, YEAR),
    _number("join_buffer_size", 128, 64 * GB),
    _number("key_buffer_size", 0, TB),
    _number("lock_wait_timeout", 0, YEAR),
    _flag("log_bin_trust_function_creators"),
    _flag("log_queries_not_using_indexes"),
    _number("log_warnings", 0, U32),
    _seconds("long_query_time"),
    _number("max_allowed_packet", KB, GB),
    _number("max_binlog_size", 4 * KB, GB),
    _number("max_connect_errors", 1, U32),
    _number("max_connections", 10, 100_000),
    _number("max_heap_table_size", 16 * KB, TB),
    _number("max_join_size", 1, (1 << 53) - 1),
    _number("max_length_for_sort_data", 4, 8 * MB),
    _number("max_prepared_stmt_count", 0, U32),
    _number("max_sort_length", 64, 8 * MB),
    _seconds("max_statement_time"),
    _number("max_user_connections", -1, 2_147_483_647),
    _number("min_examined_row_limit", 0, U32),
    _number("myisam_sort_buffer_size", 4 * KB, TB),
    _number("net_buffer_length", KB, MB),
    _number("net_read_timeout", 1, YEAR),
    _number("net_retry_count", 1, U32),
    _number("net_write_timeout", 1, YEAR),
    _number("open_files_limit", 0, U32, restart=True),
    _number("optimizer_prune_level", 0, 2),
    _number("optimizer_search_depth", 0, 62),
    Parameter("optimizer_switch", "string"),
    _flag("performance_schema", restart=True),
    _number("query_alloc_block_size", KB, U32),
    _number("query_cache_limit", 0, U32),
    _number("query_cache_size", 0, TB),
    _one_of("query_cache_type", "OFF", "ON", "DEMAND"),
    _number("query_prealloc_size", KB, U32),
    _number("range_alloc_block_size", 4 * KB, U32),
    _number("read_buffer_size", 8 * KB, 2_147_483_647),
    _number("read_rnd_buffer_size", 1, 2_147_483_647),
    _number("slow_launch_time", 0, YEAR),
    _flag("slow_query_log"),
    _number("sort_buffer_size", KB, 64 * GB),
    Parameter("sql_mode", "string"),
    _number("table_definition_cache", 400, 2_097_152),
    _number("table_open_cache", 10, 1_048_576),
    _number("thread_cache_size", 0, 16_384),
    _one_of("thread_handling", "one-thread-per-connection", "pool-of-threads", restart=True),
    _number("thread_pool_size", 1, 100_000),
    _number("thread_stack", 128 * KB, GB, restart=True),
    _number("tmp_memory_table_size", 0, TB),
    _number("tmp_table_size", 0, TB),
    _number("transaction_prealloc_size", KB, 128 * MB),
    _one_of("updatable_views_with_limit", "NO", "YES"),
    _flag("userstat"),
    _number("wait_timeout", 1, YEAR),
    # What makes replicas keep what was acknowledged, and two sources impossible
    *_ours("string", "bind_address binlog_format report_host rpl_semi_sync_master_wait_point"),
    *_ours("integer", "gtid_domain_id innodb_flush_log_at_trx_commit port server_id sync_binlog sync_relay_log"),
    *_ours(
        "boolean",
        "gtid_strict_mode log_bin log_slave_updates read_only rpl_semi_sync_master_enabled rpl_semi_sync_slave_enabled skip_name_resolve",
    ),
    *(
        Parameter(name, "string", restart=True, read_only=True, hidden=True)
        for name in (
            "datadir", "innodb_data_home_dir", "log_error", "pid_file", "plugin_dir", "secure_file_priv", "socket", "ssl_ca", "ssl_cert",
            "ssl_key", "tmpdir", "user",
        )
    ),
)  # fmt: skip
_ELSEWHERE = {  # what only sets with a source have, what members of a cluster set themselves, or what lets clients keep a guest waiting
    "auto_increment_increment", "auto_increment_offset", "binlog_row_image", "innodb_autoinc_lock_mode", "thread_handling",
    "thread_pool_size",
}  # fmt: skip
_GALERA: Tuple[Parameter, ...] = (
    *(each for each in _MARIADB if each.name not in _ELSEWHERE and (each.hidden or not each.read_only)),
    _flag("wsrep_log_conflicts"),
    _number("wsrep_max_ws_rows", 0, 1_048_576),
    _number("wsrep_max_ws_size", KB, 2_147_483_647),
    _number("wsrep_retry_autocommit", 0, 10_000),
    _number("wsrep_slave_threads", 1, 512),
    _number("wsrep_sync_wait", 0, 15),
    # What makes members have the same, and nobody form a cluster who is not told to
    *_ours("string", "bind_address binlog_format default_storage_engine wsrep_cluster_address wsrep_cluster_name wsrep_node_address"),
    *_ours("string", "wsrep_node_name wsrep_provider_options wsrep_sst_method"),
    *_ours("integer", "innodb_autoinc_lock_mode innodb_flush_log_at_trx_commit port server_id"),
    *_ours("boolean", "skip_name_resolve wsrep_on"),
    *(
        Parameter(name, "string", restart=True, read_only=True, hidden=True)
        for name in ("wsrep_data_home_dir", "wsrep_notify_cmd", "wsrep_provider", "wsrep_sst_auth", "wsrep_start_position")
    ),
)
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    datastore: {parameter.name: parameter for parameter in known} for datastore, known in (("mariadb", _MARIADB), ("galera", _GALERA))
}


def listed(version: Version) -> List[Dict[str, Any]]:
    """Return the parameters of a version, for clients."""
    return [known.show(version) for _name, known in sorted(PARAMETERS.get(version.datastore, {}).items()) if not known.hidden]


def one(version: Version, name: str) -> Dict[str, Any]:
    """Return a parameter; Problem 404."""
    found = _known(version.datastore, name)
    if found is None or found.hidden:
        raise not_found(f"{version.datastore} has no parameter {name[:60]!r}; GET …/parameters has all")
    return found.show(version)


def checked(datastore: str, values: Any) -> Dict[str, Any]:
    """Return the values of a configuration; Problem 400 for what is no object of values, 422 for values that can't be."""
    found = reading.record(values, "values")
    if len(found) > MOST_VALUES:
        raise Problem(413, "too_many", f"values has {len(found)} members; at most {MOST_VALUES} are taken")
    return {name: _settable(datastore, name).checked(value) for name, value in found.items()}


def _settable(datastore: str, name: str) -> Parameter:
    found = _known(datastore, name)
    if found is None or found.hidden:
        raise unprocessable(f"{datastore} has no parameter {name[:60]!r} that can be set; GET …/parameters has all")
    if found.read_only:
        raise unprocessable(f"{name} is read-only: Baton sets it for each instance; leave it out")
    return found


def _known(datastore: str, name: str) -> Optional[Parameter]:
    return PARAMETERS.get(datastore, {}).get(name)
