"""What a user passed → an array to fill: ndarrays, other libraries' host memory, memory on a GPU."""
