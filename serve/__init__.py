"""`framelift serve`: an HTTP API, and the web page, that upscale what is uploaded.

The server never reads an uploaded picture or video itself. Each job is a process of its own, under
limits, that runs the `framelift upscale` or `framelift stylize` command.
"""
