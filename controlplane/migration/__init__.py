"""Moving the state of flows from one NF instance to another, and their packets with it."""
