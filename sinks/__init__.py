"""Consumers of the event log; ClickHouse is the first one."""
