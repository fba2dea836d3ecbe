"""Who may listen, on what grounds, and until when."""
