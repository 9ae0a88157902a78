"""The way to Redis: connections, deadlines, and scripts called by name."""
