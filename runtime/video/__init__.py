"""Video in, video out: sources, sinks and the pipeline between them."""
