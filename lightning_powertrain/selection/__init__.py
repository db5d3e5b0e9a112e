"""Which mode is best: what a budget means, the Pareto front, the choice."""
