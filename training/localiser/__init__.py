"""The plate localiser: scenes to train on, its networks, and the recipe that made the shipped models."""
