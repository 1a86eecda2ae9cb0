"""What is done one after the other; each runs as `python -m hardware.parts.NAME`."""
