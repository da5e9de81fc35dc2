"""Counters and words → values: the maths of the stream, written once for every target."""
