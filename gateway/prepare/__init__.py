"""Pure: decoded events in, Kafka records and rejections out. No clock, no I/O, no environment."""
