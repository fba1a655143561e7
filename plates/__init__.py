"""What a plate is: characters, normalisation, national syntax, confusion. Imports numpy alone."""
