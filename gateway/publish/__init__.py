"""Records into Kafka, in order per partition, and the word that they are kept."""
