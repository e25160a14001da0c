"""The body of a request: read whole, forms and uploads taken apart."""
