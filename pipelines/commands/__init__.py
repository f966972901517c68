"""The commands of ``luthier``, a module for each kind."""
