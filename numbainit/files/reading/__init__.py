"""What a user names, a file, a folder, an index, a mapping → the tensors in it: names, shapes, and values in pieces."""
