"""Upscales whole archives: a ledger of what is done, shards, Ray clusters, long films in pieces."""
