"""The chapters of the tour, one module per verb; `client_test.py` has their order."""
