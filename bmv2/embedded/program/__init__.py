"""A program as p4c describes it for BMv2, typed and checked."""
