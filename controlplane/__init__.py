"""The controller: detection of elephants and migration of their state."""
