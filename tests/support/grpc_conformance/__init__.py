"""What ``connectconformance`` needs to test the server: a server command, and a worker with its service."""
