"""A parameter's name and shape → the law that initialises it; a model's name → its parameters."""
