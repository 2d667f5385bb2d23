"""`python -m nf`."""

from nf.cli import app

app(prog_name="python -m nf")
