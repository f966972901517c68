"""What assets touch: the home folder, the recipe book, the artifact store, tracking, compute."""
