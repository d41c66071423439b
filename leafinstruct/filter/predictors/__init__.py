"""Models of a recipe that give one score each: classifiers of images and of texts, perplexity of texts."""
