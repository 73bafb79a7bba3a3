"""What a user asks for: the configuration checked and filled in, its shorthands and presets, and where models and problems come from."""
