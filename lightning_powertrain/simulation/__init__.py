"""Board physics and workloads, for a board that is not there."""
