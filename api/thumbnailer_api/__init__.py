"""The API server and the housekeeper."""
