"""The web application of the information desk."""
