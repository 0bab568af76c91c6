"""How good it is: real articles taken apart and put together again, and what is measured of that."""
