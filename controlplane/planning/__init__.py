"""Planning a move: what each definition of an elephant would cost, before anything is moved."""
