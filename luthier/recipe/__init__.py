"""The recipe: what one YAML file says, checked whole and resolved with the origin of every value."""
