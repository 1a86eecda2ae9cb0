"""The page that runs models in a browser: its sources, its build, and what serves it here."""
