"""The long fault suite: what can go wrong on one machine, done to the whole path on purpose."""
