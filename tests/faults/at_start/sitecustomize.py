"""Imported by every Python process whose path has this folder: SIGUSR1 blocks its main thread."""

import signal
import time

BLOCKED_SECONDS = 60

signal.signal(signal.SIGUSR1, lambda *_: time.sleep(BLOCKED_SECONDS))
