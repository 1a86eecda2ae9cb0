"""Cameras, network streams and pipes in; windows, network streams and pipes out."""
