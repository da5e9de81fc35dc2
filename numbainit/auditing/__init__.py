"""The tensors of a checkpoint → where they come from, which law they follow, whether they were trained."""
