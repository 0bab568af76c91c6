"""One file per way of running a model, each behind the seam of `protocols.py`."""
