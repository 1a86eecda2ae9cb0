"""The HTTP API: who may ask, what may be asked, and what is answered."""
