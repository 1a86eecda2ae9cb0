"""Benchmarks of start-up time and memory; each measures a process that it starts."""
