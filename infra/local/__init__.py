"""The embedded stack: Apache Kafka, the ClickHouse engine, gateway and sink on one machine."""
