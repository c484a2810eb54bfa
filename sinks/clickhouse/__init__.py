"""ClickHouse: its tables, its named queries, and the sink that fills it."""
