"""Reading the switch's registers, whole arrays at a time."""
