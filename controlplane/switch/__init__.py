"""The controller's session with the switch, over P4Runtime."""
