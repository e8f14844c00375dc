"""Declare the resources of the API: the schema and the serializer of each stand in one place."""
