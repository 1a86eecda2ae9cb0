"""What every backend implements (`protocol.py`), and what all backends share: frames under way,
threads that take turns, 16-bit and grey frames, memory that is used again."""
