"""What is ours of gunicorn: its settings, a safe reload, answers and log lines that repeat nothing."""
