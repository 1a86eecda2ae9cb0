"""What a machine with an NVIDIA GPU must show, in minutes and unattended: `make gpu`."""
