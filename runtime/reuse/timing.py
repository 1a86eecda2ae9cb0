"""The clock by which calls are compared."""

from time import get_clock_info, perf_counter, thread_time

# That of the thread, where it is fine: other processes then do not count.
clock = thread_time if get_clock_info("thread_time").resolution < 1e-5 else perf_counter
