"""Where a key's records lie: on the partition that Kafka's own Java client chooses.

The values of murmur2 are those of `testMurmur2` in Apache Kafka's
`clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java`.
"""

from __future__ import annotations

import pytest

from gateway.contract.record import murmur2, partition_of

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), JAVA.items())
def test_the_hash_is_java_s(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32


@pytest.mark.parametrize(("key", "signed"), JAVA.items())
def test_a_partition_is_the_hash_without_its_sign_modulo_their_number(
    key: bytes, signed: int
) -> None:
    without_sign = signed & 0x7FFFFFFF  # Java's Utils.toPositive

    assert [partition_of(key, count) for count in (1, 12, 1000)] == [
        0,
        without_sign % 12,
        without_sign % 1000,
    ]
