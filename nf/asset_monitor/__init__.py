"""Watches connections, and learns from them which hosts there are and what they serve.

In the manner of PRADS, the passive real-time asset detection system.
"""
