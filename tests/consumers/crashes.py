"""Crashes by app and release, counted from the first event that Kafka still has.

python crashes.py BOOTSTRAP
"""

import asyncio
import json
import sys
from collections import Counter

from aiokafka import AIOKafkaConsumer


async def main(bootstrap: str) -> None:
    crashes: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[str, str, str]] = set()
    async with AIOKafkaConsumer(  # without a group it has all partitions, and starts at the start
        "app-events", bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        async for record in consumer:
            event = json.loads(record.value)
            identity = event["app_id"], event["device_id"], event["event_id"]
            if event["event_type"] != "app_crash" or identity in seen:
                continue
            seen.add(identity)  # a phone that got no answer sent it again
            release = event["app_id"], event.get("app_version", "")
            crashes[release] += 1
            print(*release, crashes[release], flush=True)


asyncio.run(main(sys.argv[1]))
