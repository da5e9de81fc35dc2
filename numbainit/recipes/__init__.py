"""A parameter's name and shape → the initializer that fills it; a model's name → its parameters."""
