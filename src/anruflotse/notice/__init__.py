"""The privacy notice as data, spoken and written."""
