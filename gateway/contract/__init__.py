"""What leaves the gateway: events, records, topics, verdicts. Every package may read this."""
