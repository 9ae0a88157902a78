"""Beat: any number of processes that make what is due ready, on time and once."""
