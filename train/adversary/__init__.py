"""Adversarial training: a discriminator that is trained beside the network."""
