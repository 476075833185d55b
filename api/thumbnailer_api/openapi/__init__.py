"""The OpenAPI 3.1 document: its shapes are those of the models that validate, its errors those of problems.py."""
