"""From a POST's head to its answer: let in, decode, prepare, keep, reply."""
