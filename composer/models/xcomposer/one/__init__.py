"""InternLM-XComposer 1.0: built of BLIP-2's eyes and Q-Former, and Llama's layers."""
