"""An application whose models are of all kinds that Django has."""
