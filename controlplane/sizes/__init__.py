"""How large flows are: distributions of flow sizes, built in, read from files, or learnt."""
