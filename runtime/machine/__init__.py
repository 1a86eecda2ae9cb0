"""Facts of this machine: processors, memory, GPUs, and NVIDIA's driver."""
