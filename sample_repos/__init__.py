"""Small image repositories that travel in the wheel, so that `limner demo` needs no checkout."""
