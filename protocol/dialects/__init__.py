"""One file per pile protocol: its envelope, a declaration per frame, and what frames mean."""
