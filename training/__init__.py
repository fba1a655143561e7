"""Synthetic plates and scenes, and the recipes that make the models."""
