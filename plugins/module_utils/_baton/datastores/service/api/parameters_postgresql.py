# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of PostgreSQL's servers. Pure.

Numbers are in the unit that a server has for each (``pg_settings``), which stands beside it here.
"""
from __future__ import annotations

from typing import Tuple

from .parameter import Parameter, flag, number, one_of, ours, real, unseen

I30, I32 = (1 << 30) - 1, (1 << 31) - 1
COST = 1e10

POSTGRESQL: Tuple[Parameter, ...] = (
    real("autovacuum_analyze_scale_factor", 0, 100),
    number("autovacuum_analyze_threshold", 0, I32),
    number("autovacuum_freeze_max_age", 100_000, 2_000_000_000, restart=True),
    number("autovacuum_max_workers", 1, 64, restart=True),
    number("autovacuum_multixact_freeze_max_age", 10_000, 2_000_000_000, restart=True),
    number("autovacuum_naptime", 1, 2_147_483),  # s
    real("autovacuum_vacuum_cost_delay", -1, 100),  # ms
    number("autovacuum_vacuum_cost_limit", -1, 10_000),
    real("autovacuum_vacuum_insert_scale_factor", 0, 100),
    number("autovacuum_vacuum_insert_threshold", -1, I32),
    real("autovacuum_vacuum_scale_factor", 0, 100),
    number("autovacuum_vacuum_threshold", 0, I32),
    number("autovacuum_work_mem", -1, I32),  # kB
    number("backend_flush_after", 0, 256),  # 8kB
    number("bgwriter_delay", 10, 10_000),  # ms
    number("bgwriter_flush_after", 0, 256),  # 8kB
    number("bgwriter_lru_maxpages", 0, I30),
    real("bgwriter_lru_multiplier", 0, 10),
    flag("check_function_bodies"),
    real("checkpoint_completion_target", 0, 1),
    number("checkpoint_flush_after", 0, 256),  # 8kB
    number("checkpoint_timeout", 30, 86_400),  # s
    number("checkpoint_warning", 0, I32),  # s
    number("commit_delay", 0, 100_000),
    number("commit_siblings", 0, 1000),
    one_of("constraint_exclusion", "partition", "on", "off"),
    real("cpu_index_tuple_cost", 0, COST),
    real("cpu_operator_cost", 0, COST),
    real("cpu_tuple_cost", 0, COST),
    real("cursor_tuple_fraction", 0, 1),
    number("deadlock_timeout", 1, I32),  # ms
    number("default_statistics_target", 1, 10_000),
    flag("default_transaction_deferrable"),
    one_of("default_transaction_isolation", "repeatable read", "read committed", "read uncommitted"),  # replicas refuse serializable ones
    number("effective_cache_size", 1, I32),  # 8kB
    number("effective_io_concurrency", 0, 1000),
    flag("enable_async_append"),
    flag("enable_bitmapscan"),
    flag("enable_gathermerge"),
    flag("enable_hashagg"),
    flag("enable_hashjoin"),
    flag("enable_incremental_sort"),
    flag("enable_indexonlyscan"),
    flag("enable_indexscan"),
    flag("enable_material"),
    flag("enable_memoize"),
    flag("enable_mergejoin"),
    flag("enable_nestloop"),
    flag("enable_parallel_append"),
    flag("enable_parallel_hash"),
    flag("enable_partition_pruning"),
    flag("enable_partitionwise_aggregate"),
    flag("enable_partitionwise_join"),
    flag("enable_seqscan"),
    flag("enable_sort"),
    flag("enable_tidscan"),
    number("from_collapse_limit", 1, I32),
    flag("geqo"),
    number("geqo_effort", 1, 10),
    number("geqo_generations", 0, I32),
    number("geqo_pool_size", 0, I32),
    real("geqo_selection_bias", 1.5, 2),
    number("geqo_threshold", 2, I32),
    number("gin_pending_list_limit", 64, I32),  # kB
    real("hash_mem_multiplier", 1, 1000),
    flag("hot_standby_feedback"),
    number("idle_in_transaction_session_timeout", 0, I32),  # ms
    number("idle_session_timeout", 0, I32),  # ms
    flag("jit"),
    real("jit_above_cost", -1, COST),
    real("jit_inline_above_cost", -1, COST),
    real("jit_optimize_above_cost", -1, COST),
    number("join_collapse_limit", 1, I32),
    number("lock_timeout", 0, I32),  # ms
    number("log_autovacuum_min_duration", -1, I32),  # ms
    flag("log_checkpoints"),
    flag("log_connections"),
    flag("log_disconnections"),
    flag("log_duration"),
    flag("log_lock_waits"),
    number("log_min_duration_sample", -1, I32),  # ms
    number("log_min_duration_statement", -1, I32),  # ms
    number("log_parameter_max_length", -1, I30),  # B
    number("log_parameter_max_length_on_error", -1, I30),  # B
    one_of("log_statement", "none", "ddl", "mod", "all"),
    real("log_statement_sample_rate", 0, 1),
    number("log_temp_files", -1, I32),  # kB
    number("logical_decoding_work_mem", 64, I32),  # kB
    number("maintenance_io_concurrency", 0, 1000),
    number("maintenance_work_mem", 1024, I32),  # kB
    number("max_connections", 30, 10_000, restart=True),
    number("max_files_per_process", 64, I32, restart=True),
    number("max_locks_per_transaction", 64, I32, restart=True),
    number("max_parallel_maintenance_workers", 0, 1024),
    number("max_parallel_workers", 0, 1024),
    number("max_parallel_workers_per_gather", 0, 1024),
    number("max_pred_locks_per_transaction", 10, I32, restart=True),
    number("max_prepared_transactions", 0, 10_000, restart=True),
    number("max_slot_wal_keep_size", 64, I32),  # MB
    number("max_standby_streaming_delay", 0, 30_000),  # ms
    number("max_wal_size", 64, I32),  # MB
    number("max_worker_processes", 8, 1024, restart=True),
    number("min_parallel_index_scan_size", 0, 715_827_882),  # 8kB
    number("min_parallel_table_scan_size", 0, 715_827_882),  # 8kB
    number("min_wal_size", 32, I32),  # MB
    real("parallel_setup_cost", 0, COST),
    real("parallel_tuple_cost", 0, COST),
    one_of("plan_cache_mode", "auto", "force_generic_plan", "force_custom_plan"),
    real("random_page_cost", 0, COST),
    real("recursive_worktable_factor", 0.001, 1e6),
    real("seq_page_cost", 0, COST),
    number("shared_buffers", 2048, I30, restart=True),  # 8kB
    number("statement_timeout", 0, I32),  # ms
    flag("synchronize_seqscans"),
    number("temp_buffers", 100, I30),  # 8kB
    number("temp_file_limit", -1, I32),  # kB
    number("track_activity_query_size", 100, 1_048_576, restart=True),  # B
    flag("track_commit_timestamp", restart=True),
    one_of("track_functions", "none", "pl", "all"),
    flag("track_io_timing"),
    flag("track_wal_io_timing"),
    real("vacuum_cost_delay", 0, 100),  # ms
    number("vacuum_cost_limit", 1, 10_000),
    number("vacuum_cost_page_dirty", 0, 10_000),
    number("vacuum_cost_page_hit", 0, 10_000),
    number("vacuum_cost_page_miss", 0, 10_000),
    number("vacuum_failsafe_age", 0, 2_100_000_000),
    number("vacuum_freeze_min_age", 0, 1_000_000_000),
    number("vacuum_freeze_table_age", 0, 2_000_000_000),
    number("vacuum_multixact_failsafe_age", 0, 2_100_000_000),
    number("vacuum_multixact_freeze_min_age", 0, 1_000_000_000),
    number("vacuum_multixact_freeze_table_age", 0, 2_000_000_000),
    number("wal_buffers", -1, 262_143, restart=True),  # 8kB
    one_of("wal_compression", "pglz", "lz4", "zstd", "on", "off"),
    number("wal_keep_size", 64, I32),  # MB
    number("wal_skip_threshold", 0, I32),  # kB
    number("wal_writer_delay", 1, 10_000),  # ms
    number("wal_writer_flush_after", 0, I32),  # 8kB
    number("work_mem", 64, I32),  # kB
    # What makes replicas keep what was acknowledged, and two sources impossible; what the guest needs to get in, and to see it end
    *ours("string", "cluster_name listen_addresses password_encryption synchronous_commit synchronous_standby_names wal_level"),
    *ours("integer", "max_replication_slots max_wal_senders port superuser_reserved_connections wal_receiver_timeout wal_sender_timeout"),
    *ours("boolean", "fsync full_page_writes hot_standby restart_after_crash ssl wal_log_hints"),
    *unseen(
        "archive_command archive_library archive_mode config_file data_directory hba_file ident_file primary_conninfo primary_slot_name "
        "restore_command shared_preload_libraries ssl_ca_file ssl_cert_file ssl_key_file unix_socket_directories"
    ),
)
