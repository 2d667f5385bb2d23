"""The benchmark of moves: every strategy, guarantee and buffer place, by number of flows."""
