"""InternLM-XComposer as native classes of transformers: no code that comes with weights is run."""
