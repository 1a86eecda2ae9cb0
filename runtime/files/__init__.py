"""The files of a command: which there are, what they are named, and how one is made."""
