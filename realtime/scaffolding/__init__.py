"""What ``startrealtime`` writes: the files that make a model live, and a test of them."""
