"""What ``torch.nn.init`` does not have: initializers in place, and new arrays, in files named as those of torch's."""
