"""`make gpu`: tests, benchmarks and trainings on a machine with an NVIDIA GPU, and their report."""
