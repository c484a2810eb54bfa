"""What a broker's error code means for a batch: the whole table. Pure.

Names and numbers are those of the Kafka protocol guide, "Error Codes".
"""

from __future__ import annotations

from enum import Enum

from aiokafka.errors import for_code


class Fate(Enum):
    """What becomes of a batch, and what to do before the next try."""

    DONE = "done"
    RETRY = "retry"  # the same bytes again
    REFRESH = "refresh"  # the same bytes again, with fresh metadata
    RENEW = "renew"  # with another producer id: the broker has lost count
    REFUSED = "refused"  # never written: the sequence is not spent
    UNCLEAR = "unclear"  # perhaps written: its sequence must not be used again


_FATES = {
    0: Fate.DONE,
    46: Fate.DONE,  # DUPLICATE_SEQUENCE_NUMBER: it is there
    3: Fate.REFRESH,  # UNKNOWN_TOPIC_OR_PARTITION: deleted, or not yet known to this broker
    5: Fate.REFRESH,  # LEADER_NOT_AVAILABLE
    6: Fate.REFRESH,  # NOT_LEADER_OR_FOLLOWER
    13: Fate.REFRESH,  # NETWORK_EXCEPTION
    74: Fate.REFRESH,  # FENCED_LEADER_EPOCH
    75: Fate.REFRESH,  # UNKNOWN_LEADER_EPOCH
    7: Fate.RETRY,  # REQUEST_TIMED_OUT
    19: Fate.RETRY,  # NOT_ENOUGH_REPLICAS
    20: Fate.RETRY,  # NOT_ENOUGH_REPLICAS_AFTER_APPEND
    56: Fate.REFRESH,  # KAFKA_STORAGE_ERROR: its disk is gone, another will lead
    89: Fate.RETRY,  # THROTTLING_QUOTA_EXCEEDED
    45: Fate.RENEW,  # OUT_OF_ORDER_SEQUENCE_NUMBER
    47: Fate.RENEW,  # INVALID_PRODUCER_EPOCH
    59: Fate.RENEW,  # UNKNOWN_PRODUCER_ID
    90: Fate.RENEW,  # PRODUCER_FENCED
    2: Fate.REFUSED,  # CORRUPT_MESSAGE
    10: Fate.REFUSED,  # MESSAGE_TOO_LARGE
    17: Fate.REFUSED,  # INVALID_TOPIC_EXCEPTION
    18: Fate.REFUSED,  # RECORD_LIST_TOO_LARGE
    21: Fate.REFUSED,  # INVALID_REQUIRED_ACKS
    29: Fate.REFUSED,  # TOPIC_AUTHORIZATION_FAILED
    31: Fate.REFUSED,  # CLUSTER_AUTHORIZATION_FAILED
    32: Fate.REFUSED,  # INVALID_TIMESTAMP
    35: Fate.REFUSED,  # UNSUPPORTED_VERSION
    43: Fate.REFUSED,  # UNSUPPORTED_FOR_MESSAGE_FORMAT
    44: Fate.REFUSED,  # POLICY_VIOLATION
    76: Fate.REFUSED,  # UNSUPPORTED_COMPRESSION_TYPE
    87: Fate.REFUSED,  # INVALID_RECORD
}


def fate_of(code: int) -> Fate:
    """The fate of a batch that was answered with `code`; of a code nobody knows, UNCLEAR."""
    return _FATES.get(code, Fate.UNCLEAR)


def name_of(code: int) -> str:
    """Kafka's name of a code, for logs and metrics: a closed set."""
    error: type[Exception] = for_code(code)
    return error.__name__
