"""The spool: what Kafka does not take in time lies here, on disk, until it does."""
