"""Network function runtime, its southbound protocol and the network functions."""
