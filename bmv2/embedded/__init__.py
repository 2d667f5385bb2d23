"""The embedded switch: runs what p4c makes for BMv2, compiled to C."""
