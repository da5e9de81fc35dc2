"""A model's parameters → a file: headers that are read, and a safetensors file filled in place."""
