"""Jobs: what they are, where they lie, in which order and in which process they run."""
