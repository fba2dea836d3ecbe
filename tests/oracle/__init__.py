"""The oracle: replicas built from snapshot and stream must equal the database, whatever happens."""
