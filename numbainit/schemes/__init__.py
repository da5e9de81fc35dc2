"""An array, the arguments of a scheme, a generator → the array filled: what initializers do, by their kinds."""
