"""A brief in, an illustrated article out."""
