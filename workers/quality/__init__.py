"""Measuring the default models on labelled data, through the engines that serve them."""
