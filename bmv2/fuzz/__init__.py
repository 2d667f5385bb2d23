"""Coverage-guided fuzzing of a program's data plane under sanitizers."""
