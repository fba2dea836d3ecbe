"""What a worker holds, told to the database: one thread, one lease."""
