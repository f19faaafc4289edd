"""Importers: other people's data turned into notemill's raw folders. Copy the nearest one for a source of your own."""
