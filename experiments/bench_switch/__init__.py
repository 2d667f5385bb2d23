"""How fast the switch targets forward."""
