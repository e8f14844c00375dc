"""Declare the resources of the API: one place has the schema and the serializer of each."""
