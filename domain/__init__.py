"""What the service decides, free of any technology."""
